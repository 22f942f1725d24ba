"""Trains a network; see ``--help``."""

from .loop import main

if __name__ == "__main__":
    main()
