"""What is to be labelled: a folder, a glob, a list or Parquet, as tasks of some pictures each."""

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..extras import bulk_extra
from ..files import PICTURE_SUFFIXES, VIDEO_SUFFIXES, first_few
from ..recognition.folder import is_hidden, list_pictures, stamp_of
from .places import (
    Place,
    checked_where,
    first_line,
    inside,
    is_address,
    naming_the_place,
    parent_of,
    place_of,
)

with bulk_extra():
    import pyarrow.parquet as pq
    from pyarrow import fs

_SUFFIXES = PICTURE_SUFFIXES.union(VIDEO_SUFFIXES)
LIST_SUFFIXES = (".txt", ".lst")
PARQUET_SUFFIX = ".parquet"

_WILDCARDS = re.compile(r"[*?[]")
_UNNAMED = (
    "no folder, no picture or video, no .txt or .lst file with a path a line, and no .parquet"
)


class Item(NamedTuple):
    """A picture or video in a file of its own, or a Parquet file of pictures."""

    name: str  # as the table shows it
    where: str  # a path on this machine, or an address
    stamp: str  # changes when the content does; empty where nothing tells

    @property
    def is_video(self) -> bool:
        return _suffix(self.name) in VIDEO_SUFFIXES


@dataclass(frozen=True)
class Task:
    """What becomes one part of the data set: pictures, one video, or a row group of pictures.

    Parameters
    ----------
    items : tuple of Item
        Pictures, or one video, or the one Parquet file.
    row_group : int, optional
        The number of the row group in the Parquet file.
    column : str
        Its column of pictures, "image" or "image.bytes".
    """

    items: tuple[Item, ...]
    row_group: int | None = None
    column: str = ""

    @property
    def key(self) -> str:
        """Names the part: another one as soon as a file of it comes, goes or changes."""
        told = [[item.name, item.stamp] for item in self.items]
        text = json.dumps([told, self.row_group, self.column])
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def is_video(self) -> bool:
        return self.row_group is None and self.items[0].is_video

    def to_json(self) -> str:
        return json.dumps([self.items, self.row_group, self.column])

    @classmethod
    def from_json(cls, text: str) -> "Task":
        items, row_group, column = json.loads(text)
        return cls(tuple(Item(*item) for item in items), row_group, column)


def tasks_of(source: str | Path, *, column: str | None = None, part_size: int) -> Iterator[Task]:
    """Find what there is to label.

    Parameters
    ----------
    source : str or Path
        As `recognize_many` takes it.
    column : str, optional
        The column of Parquet files.
    part_size : int
        About how many pictures a task has.

    Returns
    -------
    iterator of Task
        Always the same for the same source. It lists as it goes.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        As `recognize_many` raises them of `source` and `column`; some of them while it lists.
    """
    where = checked_where("source", source)
    if _suffix(where) == PARQUET_SUFFIX:
        return _tasks_of_parquet(where, column, part_size)
    if column is not None:
        raise ValueError(
            f"column={column!r} names a column of Parquet files, which {str(source)!r} is not; "
            "leave column out, or name the files, as in 'folder/*.parquet'."
        )
    return _grouped(_items_of(where), part_size)


def root_of(source: str | Path) -> str:
    """Return the folder on this machine that must be there; empty for an address."""
    where = checked_where("source", source)
    if is_address(where):
        return ""
    while not os.path.isdir(where):
        where = os.path.dirname(where)
    return where


def _items_of(where: str) -> Iterator[Item]:
    place = place_of(where)
    kind = _info(place, where).type
    if kind == fs.FileType.Directory:
        return _inside_folder(where, _SUFFIXES)
    if kind == fs.FileType.NotFound and _WILDCARDS.search(_path_part(where)):
        return _matching(where, _SUFFIXES)
    if kind == fs.FileType.NotFound:
        raise FileNotFoundError(
            f"source: there is nothing at {where!r}; check the path or the address."
        )
    if _suffix(where) in LIST_SUFFIXES:
        return _listed(where)
    if _suffix(where) in _SUFFIXES:
        return iter([_alone(where)])
    raise ValueError(f"source: {where!r} is {_UNNAMED} file; name one of these.")


def _grouped(items: Iterable[Item], part_size: int) -> Iterator[Task]:
    """Put pictures together, and leave each video alone.

    Where a part ends depends on names, so that a file more or less changes one part, not all of
    those behind it.
    """
    least, most = max(1, part_size // 2), 2 * part_size
    some: list[Item] = []
    for item in items:
        if item.is_video:
            yield Task((item,))
            continue
        some.append(item)
        ends = len(some) >= least and zlib.crc32(item.name.encode()) % least == 0
        if ends or len(some) == most:
            yield Task(tuple(some))
            some = []
    if some:
        yield Task(tuple(some))


def _info(place: Place, where: str) -> fs.FileInfo:
    with naming_the_place("source", where, "cannot be reached"):
        return place.files.get_file_info(place.path)


def _stamp_of_info(info: fs.FileInfo) -> str:
    return f"{info.size} {info.mtime_ns}"


def _stamp_of_path(path: Path) -> str:
    stamp = stamp_of(path)
    return f"{stamp.file_bytes} {stamp.file_mtime_ns}" if stamp else ""


def _alone(where: str) -> Item:
    return Item(PurePosixPath(where).name, where, _stamp_of_info(_info(place_of(where), where)))


def _inside_folder(where: str, suffixes: frozenset[str]) -> Iterator[Item]:
    if not is_address(where):
        for name, path, _ in list_pictures(Path(where), suffixes):
            yield Item(name, str(path), _stamp_of_path(path))
        return
    files, root = place_of(where)
    for info in _walk(files, root, where):
        if _suffix(info.path) in suffixes:
            name = info.path.removeprefix(root).lstrip("/")
            yield Item(name, f"{where}/{name}", _stamp_of_info(info))


def _walk(files: fs.FileSystem, path: str, where: str) -> Iterator[fs.FileInfo]:
    """List folder by folder: never is all of a large archive in memory."""
    with naming_the_place("source", where, "cannot be listed"):
        infos = files.get_file_info(fs.FileSelector(path))
    for info in sorted(infos, key=lambda info: info.path):
        if is_hidden(info.base_name):
            continue
        if info.type == fs.FileType.Directory:
            yield from _walk(files, info.path, where)
        else:
            yield info


def _matching(where: str, suffixes: frozenset[str]) -> Iterator[Item]:
    """Find the files below the last folder without a wildcard that match the rest."""
    parts = where.replace(os.sep, "/").split("/")
    first = next(number for number, part in enumerate(parts) if _WILDCARDS.search(part))
    root, pattern = "/".join(parts[:first]) or "/", _as_regex("/".join(parts[first:]))
    if _info(place_of(root), root).type != fs.FileType.Directory:
        raise FileNotFoundError(f"source: there is no folder {root!r}; check the path.")
    for item in _inside_folder(root, suffixes):
        if pattern.fullmatch(item.name):
            yield item


def _as_regex(pattern: str) -> re.Pattern[str]:
    """Translate a glob: ``**/`` is any number of folders, ``*`` and ``?`` stay in one.

    Python's own glob.translate is there from 3.13 on.
    """
    tokens = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

    def translated(token: re.Match[str]) -> str:
        text = token[0]
        if text in tokens:
            return tokens[text]
        return f"[{'^' * (text[1] == '!')}{re.escape(text[1:-1].lstrip('!'))}]".replace(r"\-", "-")

    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^]]+\])", pattern)
    return re.compile(
        "".join(
            translated(re.match(".*", part)) if number % 2 else re.escape(part)
            for number, part in enumerate(parts)
        )
    )


def _listed(where: str) -> Iterator[Item]:
    """Read a list: a path or an address a line, seen from the list's folder."""
    files, path = place_of(where)
    with naming_the_place("source", where, "cannot be read"), files.open_input_stream(path) as file:
        content = file.read()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(
            f"source: {where!r} is no list of paths in UTF-8 text; write one path a line."
        ) from None
    folder = parent_of(where)
    for name in dict.fromkeys(line.strip() for line in lines if line.strip()):
        yield _named(folder, name)


def _named(folder: str, name: str) -> Item:
    """Return what a list or a table names. What is addressed is not asked for its stamp."""
    where = inside(folder, name)
    return Item(name, where, "" if is_address(where) else _stamp_of_path(Path(where)))


def _tasks_of_parquet(where: str, column: str | None, part_size: int) -> Iterator[Task]:
    kind = _info(place_of(where), where).type
    if kind == fs.FileType.NotFound and _WILDCARDS.search(_path_part(where)):
        files = _matching(where, frozenset([PARQUET_SUFFIX]))
    elif kind == fs.FileType.NotFound:
        raise FileNotFoundError(f"source: there is no file {where!r}; check the path.")
    elif kind == fs.FileType.Directory:
        files = _inside_folder(where, frozenset([PARQUET_SUFFIX]))
    else:
        file = _alone(where)
        return _tasks_of_file(file, _opened(file), column, part_size)
    return chain.from_iterable(_tasks_of_one_of(file, column, part_size) for file in files)


def _tasks_of_one_of(file: Item, column: str | None, part_size: int) -> Iterator[Task]:
    """Let a damaged file among others cost a row: who does its task will not read it either."""
    try:
        parquet = _opened(file)
    except ValueError:
        yield Task((file,), 0)
        return
    yield from _tasks_of_file(file, parquet, column, part_size)


def _tasks_of_file(
    file: Item, parquet: pq.ParquetFile, column: str | None, part_size: int
) -> Iterator[Task]:
    with parquet:
        column, holds_pictures = _column_of(parquet, file, column)
        if holds_pictures:
            for number in range(parquet.num_row_groups):
                yield Task((file,), number, column)
            return
        folder = parent_of(file.where)
        paths = chain.from_iterable(
            batch.column(0).to_pylist() for batch in parquet.iter_batches(columns=[column])
        )
        yield from _grouped((_named(folder, path) for path in paths if path), part_size)


def _opened(file: Item) -> pq.ParquetFile:
    files, path = place_of(file.where)
    try:
        return pq.ParquetFile(files.open_input_file(path))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"source: {file.where!r} cannot be read as Parquet ({first_line(error)}); check that "
            "it is a complete file."
        ) from error


def _column_of(parquet: pq.ParquetFile, file: Item, column: str | None) -> tuple[str, bool]:
    """Return the column's name in the file, and whether it holds pictures, or else paths."""
    leaves = [parquet.schema.column(number) for number in range(len(parquet.schema))]
    holds = {
        leaf.path: leaf.logical_type.type == "NONE"
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type in ("NONE", "STRING")
    }
    if column is not None:
        found = [name for name in (column, f"{column}.bytes") if name in holds]
        if found:
            return found[0], holds[found[0]]
        wanted = f"column={column!r} is none of them"
    else:
        for pictures in (True, False):
            found = [name for name, holds_bytes in holds.items() if holds_bytes is pictures]
            if len(found) == 1:
                return found[0], pictures
            if found:
                break
        wanted = "column must say which of them" if found else "none of them"
    names = first_few([leaf.path for leaf in leaves], shown=8)
    raise ValueError(
        f"source: {file.where!r} has the columns {names}; {wanted} holds the pictures' bytes or "
        "paths."
    )


def pictures_in(task: Task, first: int) -> Iterator[tuple[str, bytes | None]]:
    """Read the pictures of a row group, one batch in memory at a time.

    Parameters
    ----------
    task : Task
        One with a `row_group`.
    first : int
        How many pictures to pass over.

    Yields
    ------
    (str, bytes or None)
        Name, which is the file's with the number of the row in the file, and content.
    """
    (file,) = task.items
    with _opened(file) as parquet:
        before = sum(
            parquet.metadata.row_group(number).num_rows for number in range(task.row_group)
        )
        row = 0
        for batch in parquet.iter_batches(16, row_groups=[task.row_group], columns=[task.column]):
            values = batch.column(0)
            for _ in task.column.split(".")[1:]:
                values = values.field(0)
            for value in values:
                if row >= first:
                    yield f"{file.name}#{before + row}", value.as_py()
                row += 1


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _path_part(where: str) -> str:
    return where.partition("://")[2] if is_address(where) else where
