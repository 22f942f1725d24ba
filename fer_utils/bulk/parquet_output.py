"""The data set that is written: a folder of Parquet parts, each there whole or not at all.

How many files go into a part, `many.py` says.

The folder's own listing is the manifest of what is done: a part is named by what it was made of,
and gets its name when it is complete. Nothing else has to agree with it.
"""

import functools
import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ..extras import bulk_extra
from ..files import first_few
from ..recognition.folder import to_rows
from ..recognition.resumable_csv import BOOKKEEPING, differences
from .places import checked_where, first_line, naming_the_place, place_of

with bulk_extra():
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import fs

# Readers of Parquet pass over names that begin with an underscore.
SETTINGS_FILE = "_bulk.settings.json"
_TEMPORARY = "_tmp"


class FaceDataSet:
    """A folder of Parquet parts, on this machine or at an address.

    Parameters
    ----------
    where : str or Path
        The folder.

    Raises
    ------
    TypeError, ValueError
        As `checked_where` raises them, or the folder's address cannot be opened.
    """

    def __init__(self, where: str | Path) -> None:
        self.where = checked_where("out", where)
        self._files, self._path = place_of(self.where, "out")

    def begin(self, settings: dict[str, Any]) -> set[str]:
        """Begin the data set, or go on with it.

        Parameters
        ----------
        settings : dict
            What the rows depend on.

        Returns
        -------
        set of str
            The keys of the parts that are done.

        Raises
        ------
        ValueError
            If the place holds something else, was made with other settings, or cannot be written.
        """
        with naming_the_place("out", self.where, "cannot be written"):
            names = self._names()
            if SETTINGS_FILE in names:
                self._check_settings(settings)
            elif names:
                raise ValueError(
                    f"out: {self.where!r} holds {first_few(sorted(names))} and no "
                    f"{SETTINGS_FILE}, so it was not written here, and is left alone; name an "
                    "empty or a new folder."
                )
            else:
                self._files.create_dir(self._path, recursive=True)
                content = json.dumps(settings, indent=1).encode() + b"\n"
                _write_whole(self._files, self._path, SETTINGS_FILE, content)
        return self._keys(names)

    def write(self, key: str, rows: pa.Table) -> None:
        """Write a part: the rows of each emotion are a row group, so that readers find them."""
        content = pa.BufferOutputStream()
        with pq.ParquetWriter(content, rows.schema, compression="zstd") as writer:
            for some in _by_emotion(rows):
                writer.write_table(some)
        with naming_the_place("out", self.where, "cannot be written"):
            _write_whole(self._files, self._path, _part_name(key), content.getvalue())

    def finish(self, keys: Collection[str]) -> None:
        """Take away the parts of what is no longer in the source, and what was left unfinished.

        Raises
        ------
        ValueError
            If a part is not there.
        """
        with naming_the_place("out", self.where, "cannot be tidied"):
            names = self._names()
            missing = sorted(set(keys) - self._keys(names))
            if missing:
                raise ValueError(
                    f"out: {self.where!r} lacks {len(missing)} parts that were written, such as "
                    f"{_part_name(missing[0])}; name a place that all machines share."
                )
            gone = {_part_name(key) for key in self._keys(names) - set(keys)}
            for name in names:
                if name in gone or name.startswith(_TEMPORARY):
                    self._files.delete_file(f"{self._path}/{name}")

    def _names(self) -> set[str]:
        info = self._files.get_file_info(self._path)
        if info.type == fs.FileType.File:
            raise ValueError(f"out must be a folder, {self.where!r} is a file; name another.")
        infos = self._files.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
        return {PurePosixPath(info.path).name for info in infos}

    @staticmethod
    def _keys(names: Iterable[str]) -> set[str]:
        parts = (name for name in names if name.startswith("part-") and name.endswith(".parquet"))
        return {name.removeprefix("part-").removesuffix(".parquet") for name in parts}

    def _check_settings(self, settings: dict[str, Any]) -> None:
        with self._files.open_input_stream(f"{self._path}/{SETTINGS_FILE}") as file:
            content = file.read()
        try:
            told = differences(json.loads(content), settings)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"out: {SETTINGS_FILE} in {self.where!r}, which tells how the data set was made, "
                f"is damaged ({first_line(error)}); restore it, or name another folder."
            ) from error
        if told:
            raise ValueError(
                f"out: {self.where!r} was made with different {told}; name another folder, or "
                "delete it to begin anew."
            )


@functools.cache
def column_types(emotions: tuple[str, ...]) -> dict[str, Any]:
    """Return the columns: those of `recognize_folder`, and when in a video a face was seen."""
    types = to_rows([], emotions).drop(columns=BOOKKEEPING).dtypes.to_dict()
    return types | {"frame": pd.Int64Dtype(), "time_s": "float64"}


def to_table(rows: Sequence[Sequence[Any]], emotions: tuple[str, ...]) -> pa.Table:
    """Return rows, values in the order of `column_types`, as a table.

    A row without a face ends after its source and status.
    """
    types = column_types(emotions)
    empty = pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in types.items()})
    schema = pa.Schema.from_pandas(empty, preserve_index=False)
    whole = [[*row, *[None] * (len(types) - len(row))] for row in rows]
    columns = zip(*whole, strict=True) if whole else [()] * len(types)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _by_emotion(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of each emotion, at the end those of pictures without a face."""
    tops = rows["top"]
    for emotion in sorted(tops.drop_null().unique().to_pylist()):
        yield rows.filter(pc.equal(tops, emotion))
    without = rows.filter(pc.is_null(tops))
    if len(without):
        yield without


def _part_name(key: str) -> str:
    return f"part-{key}.parquet"


def _write_whole(files: fs.FileSystem, folder: str, name: str, content: bytes | pa.Buffer) -> None:
    """Write a file under a name of its own, then give it its right one."""
    temporary = f"{folder}/{_TEMPORARY}.{uuid.uuid4().hex}"
    with files.open_output_stream(temporary) as stream:
        stream.write(content)
    if isinstance(files, fs.LocalFileSystem):
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # else a power failure could leave an empty file of that name
    files.move(temporary, f"{folder}/{name}")
