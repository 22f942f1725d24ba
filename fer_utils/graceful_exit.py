"""What is begun from a command line or a notebook: mistakes as one line, Ctrl-C in good order."""

import argparse
import contextlib
import os
import select
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

_SIGPIPE = 13  # which Windows has no name for


@contextlib.contextmanager
def mistakes_as_lines(parser: argparse.ArgumentParser, stopped: str = "Stopped.") -> Iterator[None]:
    """End the program with a line, not a traceback, on a mistake, a missing package, or Ctrl-C.

    Warnings meant for users are lines, too.
    """
    try:
        with warnings_as_lines(f"{parser.prog}: "):
            yield
        if sys.stdout:  # which Python lacks where it was closed before
            sys.stdout.flush()
    except KeyboardInterrupt:
        parser.exit(128 + signal.SIGINT, f"{stopped}\n")  # the code by which shells know Ctrl-C
    except (ValueError, TypeError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            parser.exit(128 + _SIGPIPE)
        parser.exit(2, f"{parser.prog}: error: {error}\n")


@contextlib.contextmanager
def warnings_as_lines(who: str = "") -> Iterator[None]:
    """Show a warning meant for users without the line of code that it comes from."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, UserWarning):
            print(f"{who}warning: {message}", file=sys.stderr)
        else:
            usual(message, category, *where)

    with warnings.catch_warnings():  # which puts back what it finds
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def stopped_while_loading(stopped: str = "Stopped.") -> Iterator[None]:
    """End the program as `mistakes_as_lines` does where Ctrl-C comes amid its imports."""
    try:
        yield
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _reader_is_gone() -> bool:
    """Tell whether whoever read the output, such as head, has had enough of it."""
    if not hasattr(select, "poll"):  # on Windows, where the pipe's error is told
        return False
    ends = select.poll()
    ends.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in ends.poll(0))


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a notebook's Stop, that tells what is kept and how to go on.

    In a notebook only that is shown: where the work was interrupted is of no use to who stopped it.
    """

    def _render_traceback_(self) -> list[str]:  # what IPython asks of an exception, if it has it
        return [f"Stopped: {self}"]


@contextlib.contextmanager
def interrupt_afterwards() -> Iterator[None]:
    """Raise a Ctrl-C after the block, in which a library might make an error of its own of it."""
    with held_interrupt() as interrupted:
        yield
    if interrupted.is_set():
        raise KeyboardInterrupt


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
