"""Measures networks; see ``--help``."""

from .metrics import main

if __name__ == "__main__":
    main()
