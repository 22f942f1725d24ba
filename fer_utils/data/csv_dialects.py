"""Reads CSV files as people write them: separators, encodings, Excel's and pandas' habits.

Which columns are looked for stands in dataset_formats.py.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from ..files import shortened
from .archive import READ_ERRORS, Source

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_HEADER = 10_000
# How a file in UTF-16 begins, as Excel's "Unicode text" and PowerShell write it.
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What pandas calls the row numbers that it writes before the columns.
_INDEX = re.compile(r"|index|unnamed: ?\d+(_level_\d+|\.\d+)?")


def csv_names(source: Source) -> list[str]:
    """Name the CSV files of a source."""
    return [name for name in source.names if name.lower().endswith(".csv")]


def tables_with(source: Source, *columns: str) -> list[str]:
    """Name the CSV files that have these columns, except a competition's sample of an answer."""
    return [
        name
        for name in csv_names(source)
        if "submission" not in name.lower() and set(columns) <= set(columns_of(source, name))
    ]


def columns_of(source: Source, name: str) -> list[str]:
    """Return a CSV's columns in lower case, without that of pandas' row numbers."""
    line, _ = _first_line(source, name)
    cells = next(csv.reader([line], delimiter=separator_of(line)), [])
    columns = [cell.strip().lower() for cell in cells]
    return [column for column in columns if not _INDEX.fullmatch(column)]


def separator_of(first_line: str) -> str:
    """Return what stands between a CSV's columns: Excel writes ";" where "," parts decimals."""
    return max(",;\t|", key=first_line.count)


def read_chunks(
    source: Source, name: str, *, progress: bool = False, only: str | None = None
) -> Iterator["pd.DataFrame"]:
    """Read a CSV as text, 1000 rows at a time, with stripped lower-case column names.

    Parameters
    ----------
    source : Source
    name : str
        One of its CSV files.
    progress : bool
        Show a bar.
    only : str, optional
        The one column to read.

    Raises
    ------
    ValueError
        If it is damaged, or its rows do not fit its first line.
    """
    import pandas as pd

    bar = {"total": source.size(name), "desc": f"Reading {name}", "disable": not progress}
    line, encoding = _first_line(source, name)
    options = {"sep": separator_of(line), "encoding": encoding, "dtype": str, "na_filter": False}
    wanted = None if only is None else lambda column: column.strip().lower() == only
    try:
        with (
            source.open(name) as file,
            tqdm.wrapattr(file, "read", **bar) as stream,
            pd.read_csv(stream, chunksize=1000, usecols=wanted, **options) as chunks,
        ):
            for chunk in chunks:
                yield _checked(chunk.rename(columns=lambda column: column.strip().lower()))
    # pandas' own errors about a file's contents are kinds of ValueError.
    except (ValueError, *READ_ERRORS) as error:
        raise _unreadable(source, name, error) from error


def _checked(chunk: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    # pandas takes the columns too many for row numbers, and every name goes one column further.
    if not isinstance(chunk.index, pd.RangeIndex):
        raise ValueError("its rows have more fields than its first line has names")
    if not chunk.columns.is_unique:
        twice = chunk.columns[chunk.columns.duplicated()][0]
        raise ValueError(f"its first line names the column {shortened(twice)!r} twice")
    return chunk


def _first_line(source: Source, name: str) -> tuple[str, str]:
    """Return the first line, and the encoding: an unrelated CSV may be empty or of any."""
    try:
        with source.open(name) as file:
            head = file.read(_LONGEST_HEADER)
    except READ_ERRORS as error:
        raise _unreadable(source, name, error) from error
    encoding = "utf-16" if head.startswith(_UTF_16) else "utf-8-sig"
    text = head.decode(encoding, errors="replace")
    return next(iter(text.lstrip().splitlines()), ""), encoding


def _unreadable(source: Source, name: str, error: Exception) -> ValueError:
    return ValueError(
        f"{source.path}: {name} is not a readable CSV ({error}). Get the file again, or mend it."
    )
