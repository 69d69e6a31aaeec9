"""`python -m meshrelay`."""

from __future__ import annotations

import sys

from meshrelay.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
