"""Where files lie: a path on this machine, or an address such as ``s3://bucket/folder``."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..extras import bulk_extra

with bulk_extra():
    from pyarrow import fs

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # C:\ has one letter only
_ON_THIS_MACHINE = "file://"


class Place(NamedTuple):
    """A file or folder, and the file system that knows it by that path."""

    files: fs.FileSystem
    path: str


def checked_where(argument: str, where: object) -> str:
    """Return an address as it is, and a path as an absolute one.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If it is empty.

    Examples
    --------
    >>> checked_where("source", "s3://bucket/photos/")
    's3://bucket/photos'
    """
    if not isinstance(where, str | Path):
        raise TypeError(f"{argument} must be a path or an address, got {type(where).__name__}.")
    text = str(where)
    if not text:
        raise ValueError(f"{argument} must be a path or an address, got an empty text.")
    text = text.removeprefix(_ON_THIS_MACHINE)
    if is_address(text):
        return text.rstrip("/")
    return os.path.abspath(os.path.expanduser(text))


def is_address(where: str) -> bool:
    """Tell an address from a path."""
    return bool(_ADDRESS.match(where))


def place_of(where: str, argument: str = "source") -> Place:
    """Return what an absolute path or an address stands for. Nothing is contacted yet.

    Raises
    ------
    ValueError
        If pyarrow knows no such kind of address, or lacks what it needs for it.
    """
    if not is_address(where):
        return Place(fs.LocalFileSystem(), where)
    try:
        return Place(*fs.FileSystem.from_uri(where))
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise ValueError(
            f"{argument}: {where!r} cannot be opened ({first_line(error)}); check the address, "
            "and that pyarrow can reach such places from here."
        ) from error


def inside(where: str, name: str) -> str:
    """Return the path or address of what a list or a table in `where` calls `name`."""
    if is_address(name) or os.path.isabs(name):
        return name
    return f"{where}/{name}" if is_address(where) else os.path.join(where, name)


def parent_of(where: str) -> str:
    """Return the folder that a file lies in."""
    return where.rpartition("/")[0] if is_address(where) else os.path.dirname(where)


def read_bytes(where: str) -> bytes:
    """Read a whole file."""
    files, path = place_of(where)
    with files.open_input_stream(path) as stream:
        return stream.read()


@contextmanager
def naming_the_place(argument: str, where: str, what: str) -> Iterator[None]:
    """Turn what a file system raises into one sentence, such as that a place cannot be read."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"{argument}: {where!r} {what} ({first_line(error)}); check the place and the rights."
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, which some libraries make many lines long."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
