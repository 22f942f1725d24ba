"""What is begun from a command line or a notebook: mistakes as one line, Ctrl-C in good order."""

import argparse
import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def mistakes_as_lines(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End the program with a line instead of a traceback where its user made a mistake."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


@contextlib.contextmanager
def held_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; a second one is raised as usual.

    Outside the main thread, where Python handles no signals, and where the user has a handler of
    their own, the event is never set.
    """
    interrupted = threading.Event()
    usual = signal.default_int_handler
    in_charge = threading.current_thread() is threading.main_thread()
    if not in_charge or signal.getsignal(signal.SIGINT) is not usual:
        yield interrupted
        return

    def note(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, usual)
