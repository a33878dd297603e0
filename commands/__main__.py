"""`python -m commands`: `autopilot`, where it is not installed."""

import sys

from commands.entry import main

if __name__ == "__main__":
    sys.exit(main())
