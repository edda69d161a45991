"""A model for Label Studio: a small server that answers with masks for the labels of a project."""

from zeroseg.label_studio.backend import Backend
from zeroseg.label_studio.server import Server
from zeroseg.label_studio.task_images import TaskImages

__all__ = ["Backend", "Server", "TaskImages"]
