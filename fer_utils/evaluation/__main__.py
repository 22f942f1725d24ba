"""Measures networks; see ``--help``."""

import sys

from ..graceful_exit import stopped_while_loading

if __name__ == "__main__":
    try:
        with stopped_while_loading():
            from .metrics import main
    except ImportError as error:
        sys.exit(f"error: {error}")
    main()
