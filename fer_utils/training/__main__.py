"""Trains a network; see ``--help``."""

import sys

if __name__ == "__main__":
    try:
        from .loop import main  # which takes seconds: it imports TensorFlow
    except KeyboardInterrupt:
        sys.exit("Stopped before the training began.")
    except ImportError as error:
        sys.exit(f"error: {error}")
    main()
