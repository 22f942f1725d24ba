"""What is begun from a command line or a notebook: mistakes as one line, Ctrl-C in good order."""

import argparse
import contextlib
import difflib
import os
import re
import select
import signal
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
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


def parsed(parser: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command's words; before all else, an option that is unknown ends the program.

    Else it would be told what is missing, which may be what was misspelt.
    """
    words = sys.argv[1:] if words is None else words
    known = re.findall(r"--[\w-]+", parser.format_help())
    for word in takewhile("--".__ne__, words):  # behind which all are names
        option = word.partition("=")[0]
        if option.startswith("--") and not any(name.startswith(option) for name in known):
            parser.error(f"there is no option {option!r}{nearest(option, known)}")
    return parser.parse_args(words)


def nearest(word: str, known: Iterable[str]) -> str:
    """End a message on a word that is unknown: with the nearest known one, or where they are."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ". --help lists what there is."


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Tells each option's default, but for one that says nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False or action.default == []
        return action.help if says_nothing else super()._get_help_string(action)


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
