"""The demo: the whole method in minutes, without GPU, model hub or data set.

It segments pictures by words with bundled students. Then it draws unlabelled scenes, caches the teacher's features
of them, distils a student from scratch, and compares it with the bundled student and with the teacher. The result is
one report.
"""

from zeroseg.demo.config import DemoConfig
from zeroseg.demo.demonstration import run

__all__ = ["DemoConfig", "run"]
