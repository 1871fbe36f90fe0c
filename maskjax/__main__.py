"""`python -m maskjax`, where the command `maskjax` is not on the path."""

import sys

from maskjax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
