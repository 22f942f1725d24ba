"""Measures networks; see ``--help``."""

import sys

if __name__ == "__main__":
    try:
        from .metrics import main
    except ImportError as error:
        sys.exit(f"error: {error}")
    main()
