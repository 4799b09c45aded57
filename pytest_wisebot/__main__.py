"""``python -m pytest_wisebot``: the same as the command ``pytest-wisebot``."""

from __future__ import annotations

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
