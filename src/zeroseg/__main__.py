"""`python -m zeroseg` is `zeroseg`, for `torchrun -m zeroseg` and for a source tree that is not installed."""

import sys

from zeroseg.cli import main

sys.exit(main())
