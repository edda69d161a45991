"""The demo: the whole method once, in minutes, on a machine without GPU, hub or data set.

It segments pictures by words with the bundled student, then draws unlabelled scenes, caches the teacher's features
of them, distils a student from scratch, and compares it with what there is. All of it goes into one report.
"""

from zeroseg.demo.config import DemoConfig
from zeroseg.demo.demonstration import run

__all__ = ["DemoConfig", "run"]
