"""What the command lines share."""

import argparse
import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def mistakes_as_lines(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End the program with a line instead of a traceback where its user made a mistake."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
