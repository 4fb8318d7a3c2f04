"""``python -m bionet``, the same as ``bionet``."""

import sys

from bionet.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
