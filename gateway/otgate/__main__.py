"""`python -m otgate`."""

import sys

from otgate.cli import main

sys.exit(main())
