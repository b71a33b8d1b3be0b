"""`python -m quasar` is `quasar`."""

import sys

from quasar.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
