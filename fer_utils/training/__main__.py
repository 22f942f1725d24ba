"""Trains a network; see ``--help``."""

import sys

from ..graceful_exit import stopped_while_loading

if __name__ == "__main__":
    try:
        with stopped_while_loading("Stopped before the training began."):
            from .loop import main  # which takes seconds: it imports TensorFlow
    except ImportError as error:
        sys.exit(f"error: {error}")
    main()
