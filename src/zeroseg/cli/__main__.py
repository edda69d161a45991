"""`python -m zeroseg.cli`: the command line from a source tree that is not installed."""

import sys

from zeroseg.cli import main

sys.exit(main())
