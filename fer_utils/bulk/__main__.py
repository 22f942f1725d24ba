"""Labels pictures and videos in bulk; see ``--help``."""

import sys

if __name__ == "__main__":
    try:
        from .many import main
    except ImportError as error:
        sys.exit(f"error: {error}")
    main()
