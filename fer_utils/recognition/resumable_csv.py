"""The table of a folder: grows by whole pictures, survives being cut off, knows what is done."""

import csv
import json
import reprlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..files import checked_target, first_few, unwritable_as_value_error, write_whole

DONE_STATUSES = {"ok", "no face"}
BOOKKEEPING = ["faces", "file_bytes", "file_mtime_ns"]

# The same networks differ by less on other machines, other networks by more.
_SAME_PROBABILITY = 1e-3
_OTHER_NETWORKS = (
    "they give other probabilities, as the shipped ones do in int8; if it was made on a processor "
    "that is not quick at that, go on with precision='float'"
)


class Stamp(NamedTuple):
    """What of a file changes when its content does."""

    file_bytes: int | None
    file_mtime_ns: int | None


class FolderTable:
    """A CSV file of pictures' faces, with the settings it was made with beside it.

    Parameters
    ----------
    path : str or Path
        The CSV file; it may exist.
    columns : mapping of str to dtype
        Names and types of all columns: source and status first, `BOOKKEEPING` last.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        As `checked_target` raises them.
    """

    def __init__(self, path: str | Path, columns: Mapping[str, Any]) -> None:
        self.path = checked_target("table", path, ".csv")
        self._settings_path = self.path.with_name(f"{self.path.name}.settings.json")
        self._columns = dict(columns)

    def resume(self, stamps: Mapping[str, Stamp | None], settings: dict[str, Any]) -> set[str]:
        """Begin the table, or clean up one that was begun: rows of undone pictures go.

        Parameters
        ----------
        stamps : mapping of str to Stamp or None
            The pictures there are now; None for one that cannot be reached.
        settings : dict
            What the results depend on.

        Returns
        -------
        set of str
            The pictures that are done.

        Raises
        ------
        ValueError
            If the file holds something else, or was made with other settings; it is left as it is.
        """
        found = self._pictures() if self.path.exists() else {}
        if found:
            self._check_settings(settings)
        done = {name for name, entry in found.items() if _is_done(*entry, stamps.get(name))}
        with self._saying_unwritable():
            if not found:
                text = json.dumps(settings, indent=1) + "\n"
                write_whole(self._settings_path, lambda part: part.write_text(text))
            write_whole(self.path, lambda part: self._copy(part, done))
        return done

    def append(self, rows: pd.DataFrame) -> None:
        """Add the rows of pictures, all of each picture's; ValueError if it cannot be written."""
        with self._saying_unwritable(), self.path.open("ab") as file:
            file.write(_to_csv(rows, header=False))

    def finish(self, names: Sequence[str]) -> pd.DataFrame:
        """Put the pictures in this order, in the file too; return it without bookkeeping."""
        rows = self._read()
        place = {name: index for index, name in enumerate(names)}
        order = rows["source"].map(place).to_numpy(np.int64)
        if np.any(np.diff(order) < 0):
            rows = rows.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
            with self._saying_unwritable():
                write_whole(self.path, lambda part: part.write_bytes(_to_csv(rows, header=True)))
        return rows.drop(columns=BOOKKEEPING)

    def _saying_unwritable(self) -> AbstractContextManager[None]:
        remedy = "make room or name another place, and repeat the call"
        return unwritable_as_value_error(self.path, "table", remedy=remedy)

    def _pictures(self) -> dict[str, tuple[list[str], int]]:
        """Return each picture's status and bookkeeping, and its number of rows."""
        self._check_header()
        records = self._records()
        next(records, None)
        last: dict[str, list[str]] = {}
        number: Counter[str] = Counter()
        try:
            for row, _ in records:
                last[row[0]] = [row[1], *row[-len(BOOKKEEPING) :]]
                number[row[0]] += 1
        except csv.Error as error:
            raise ValueError(
                f"table: {str(self.path)!r} was changed by another program and cannot be read "
                f"({error}); name another table, or delete it to begin anew."
            ) from error
        return {name: (last[name], number[name]) for name in last}

    def _check_header(self) -> None:
        header: list[str] = []
        # What reads no file of another kind raises csv.Error.
        with (
            self.path.open(encoding="utf-8", errors="replace", newline="") as file,
            suppress(csv.Error),
        ):
            header = next(csv.reader(file), [])
        if header == [*self._columns]:
            return
        added = [name for name in header if name not in self._columns]
        missing = [name for name in self._columns if name not in header]
        raise ValueError(
            f"table: {str(self.path)!r} is another kind of table, {_column_notes(added, missing)}; "
            "name another file."
        )

    def _records(self) -> Iterator[tuple[list[str], bytes]]:
        """Read the whole rows, each with its bytes; a torn one has no line's end."""
        raw: list[bytes] = []

        def lines() -> Iterator[str]:
            for line in file:
                raw.append(line)
                yield line.decode(errors="replace")

        with self.path.open("rb") as file:
            for row in csv.reader(lines()):
                record = b"".join(raw)
                raw.clear()
                # A name may hold a line's end: what is torn within it has too few columns.
                if record.endswith(b"\n") and len(row) == len(self._columns):
                    yield row, record

    def _copy(self, target: Path, done: Collection[str]) -> None:
        """Write the head and the rows of done pictures."""
        with target.open("wb") as file:
            file.write(_to_csv(self._empty(), header=True))
            if self.path.exists():
                records = self._records()
                next(records, None)
                file.writelines(record for row, record in records if row[0] in done)

    def _check_settings(self, settings: dict[str, Any]) -> None:
        try:
            found = json.loads(self._settings_path.read_text())
            told = differences(found, settings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"table: {str(self._settings_path)!r}, which tells how {self.path.name!r} was "
                f"made, is missing or damaged ({error!r}); restore it, or name another table."
            ) from error
        if told:
            raise ValueError(
                f"table: {str(self.path)!r} was made with different {told}; to keep both, name "
                "another table, to begin anew, delete it."
            )

    def _empty(self) -> pd.DataFrame:
        return pd.DataFrame({name: pd.Series(dtype=t) for name, t in self._columns.items()})

    def _read(self) -> pd.DataFrame:
        # A picture may be called "NA".
        may_miss = {name: [""] for name in self._columns if name not in ("source", "status")}
        return pd.read_csv(
            self.path, dtype=self._columns, keep_default_na=False, na_values=may_miss
        )


def _column_notes(added: Sequence[str], missing: Sequence[str]) -> str:
    # Those of a file of another kind may be long and hold control characters.
    notes = [f"it has {first_few([reprlib.repr(name) for name in added])}"] if added else []
    notes += [f"it lacks {first_few(missing)}"] if missing else []
    return " and ".join(notes) or "its columns stand in another order"


def _is_done(entry: Sequence[str], rows: int, stamp: Stamp | None) -> bool:
    """Tell it by the status, the number of faces, and the file's stamp, as they were written."""
    status, *bookkeeping = entry
    faces = rows if status == "ok" else 0
    return status in DONE_STATUSES and bookkeeping == [str(n) for n in (faces, *(stamp or ()))]


def differences(found: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Tell which settings differ, and how; empty where none does.

    Raises
    ------
    KeyError, TypeError
        If a current setting is not among those found.
    """
    keys = [key for key in current if not _agree(found[key], current[key])]
    told = [f"{key}: {found[key]!r}, now {current[key]!r}" for key in keys if key != "networks"]
    how = "; ".join(told) or _OTHER_NETWORKS
    return f"{' and '.join(keys)} ({how})" if keys else ""


def _agree(found: Any, current: Any) -> bool:
    """Compare settings; the networks' probabilities may differ by a rounding error."""
    if isinstance(current, list):
        same_shape = np.shape(found) == np.shape(current)
        return same_shape and np.allclose(found, current, atol=_SAME_PROBABILITY)
    return found == current


def _to_csv(rows: pd.DataFrame, *, header: bool) -> bytes:
    """Every text in quotation marks, because a file's name may hold any kind of line's end."""
    text = rows.to_csv(
        header=header, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
    )
    return text.encode()
