"""Where a data set lies: a folder, a zip archive or a single file, seen through one face."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# RuntimeError is what zipfile raises for an entry behind a password.
READ_ERRORS = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Source:
    """The files of a folder, of a zip archive (which is never unpacked), or one file alone.

    Parameters
    ----------
    path : Path
        Folder, ``.zip`` archive or ``.csv`` file.

    Raises
    ------
    FileNotFoundError
        If nothing stands at `path`.
    ValueError
        If `path` is a file of another kind, or an archive that cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive: zipfile.ZipFile | None = None
        if not path.exists():
            raise FileNotFoundError(
                f"source: nothing stands at {path}. Give the path of fer2013.csv, of a folder or "
                "of a zip archive; docs/training.md says where to get FER2013."
            )
        if path.is_dir():
            self._root, self._sizes = path, _folder_sizes(path)
        elif zipfile.is_zipfile(path):
            self._archive = _open_archive(path)
            # Some archives made on Windows part folders by backslashes.
            self._entries = {i.filename.replace("\\", "/"): i for i in self._archive.infolist()}
            self._sizes = {name: entry.file_size for name, entry in self._entries.items()}
        elif path.suffix.lower() == ".csv":
            self._root, self._sizes = path.parent, {path.name: path.stat().st_size}
        else:
            raise ValueError(
                f"source: {path} is neither a folder nor a .csv file nor a zip archive that can be "
                "opened. Unpack other archives first; if it is a .zip, it is damaged: get it again."
            )
        self.names = sorted(name for name in self._sizes if _is_payload(name))

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()

    def size(self, name: str) -> int:
        """Return the unpacked size of an entry in bytes."""
        return self._sizes[name]

    def open(self, name: str) -> BinaryIO:
        """Open an entry for reading, straight from the archive if there is one."""
        if self._archive is not None:
            return self._archive.open(self._entries[name])
        return open(self._root / name, "rb")

    def read(self, name: str) -> bytes:
        """Return an entry's bytes; raise ValueError if they are damaged or locked."""
        try:
            with self.open(name) as stream:
                return stream.read()
        except READ_ERRORS as error:
            raise ValueError(f"cannot be read ({error}).") from error


def fingerprint(path: Path) -> str:
    """Return a text that changes whenever the data set at `path` does.

    It holds the resolved path, and the size and time of change in nanoseconds of the file or,
    for a folder, of every file in it.
    """
    resolved = path.resolve()
    lines = [str(resolved)]
    for file in sorted(_walk(resolved)) if resolved.is_dir() else [str(resolved)]:
        status = os.stat(file)
        lines.append(f"{file}|{status.st_size}|{status.st_mtime_ns}")
    return "\n".join(lines)


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"source: {path} is a damaged zip archive ({error}). Get it again."
        ) from error


def _walk(folder: Path) -> Iterator[str]:
    for parent, _, files in os.walk(folder):
        yield from (os.path.join(parent, file) for file in files)


def _folder_sizes(folder: Path) -> dict[str, int]:
    return {
        Path(os.path.relpath(file, folder)).as_posix(): os.stat(file).st_size
        for file in _walk(folder)
    }


def _is_payload(name: str) -> bool:
    """Tell a data set's own files from what file managers leave behind."""
    return not name.endswith("/") and not any(
        part.startswith(".") or part == "__MACOSX" for part in name.split("/")
    )
