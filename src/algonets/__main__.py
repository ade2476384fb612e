"""``python -m algonets``: the command line."""

import sys

from algonets.cli import main

sys.exit(main())
