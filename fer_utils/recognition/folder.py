"""All pictures in a folder, recognised into one table that a repeated call goes on with."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..graceful_exit import held_interrupt
from ..images import UnreadableImageError, load_image
from .recognizer import BATCH_SIZE, EmotionRecognizer, FaceEmotion
from .resumable_csv import FolderTable, Stamp
from .tables import to_frame

# HEIC among them, which Pillow cannot read without a plug-in: better a row that says so than
# a picture passed over in silence.
_SUFFIXES = set(
    ".avif .bmp .gif .heic .heif .jfif .jp2 .jpe .jpeg .jpg .mpo .pgm .png .pnm .ppm .tif .tiff "
    ".webp".split()
)
_TABLE_NAME = "faces.csv"
_TIME_COLUMNS = ["frame", "time_s"]


class _Picture(NamedTuple):
    name: str  # its path in the folder, as the table shows it
    path: Path
    stamp: Stamp | None  # None: it cannot be reached


class _Result(NamedTuple):
    picture: _Picture
    status: str
    faces: list[FaceEmotion]


def recognize_folder(
    folder: str | Path,
    *,
    recognizer: EmotionRecognizer | None = None,
    table: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Recognise the faces in all pictures of a folder and its subfolders.

    The table is written as it grows, so that a run which was cut off, by Ctrl-C or worse, goes
    on when the same call is repeated: pictures that stand in it as "ok" or "no face" are not
    looked at again unless their size or time of change differs; those that could not be read
    are tried again; those that are gone lose their rows. Ctrl-C ends the run after the current
    picture, a second Ctrl-C at once. Of the pictures one is in memory at a time.

    Hidden files and folders, `__MACOSX` and files without a picture's suffix are passed over.
    Links are followed, each folder is read once.

    Parameters
    ----------
    folder : str or Path
        The folder.
    recognizer : EmotionRecognizer, optional
        Without it, `EmotionRecognizer.load()`.
    table : str or Path, optional
        The CSV file; by default `faces.csv` in the folder. It holds three columns more than what
        is returned (the number of faces, the file's size in bytes and its time of change in
        nanoseconds), and a `.settings.json` beside it tells how it was made.
    progress : bool
        Whether to show a progress bar with the time left.

    Returns
    -------
    pandas.DataFrame
        One row a face, pictures in the order of their names. Columns: source, the picture's path
        in the folder with "/" between the parts; status; face_id, from 0 in each picture;
        x, y, w, h in px; p_angry to p_neutral, 0-1; top; label, which is top or "unsure". A
        picture without a face has one row with the status "no face", one that cannot be read a
        row whose status says why; the columns after it are missing there. Other faces have the
        status "ok".

    Raises
    ------
    FileNotFoundError
        There is no such folder, or none for the table.
    ValueError
        `folder` is no folder; `table` does not end in .csv, cannot be written, is another kind
        of table, or was made with other networks, another `min_confidence`, other settings of
        the detector or of another folder.
    TypeError
        `folder` or `table` is no path, or `recognizer` no EmotionRecognizer.
    """
    root = _checked_folder(folder)
    if not isinstance(recognizer, EmotionRecognizer | None):
        raise TypeError(f"recognizer must be an EmotionRecognizer, got {type(recognizer).__name__}")
    path = root / _TABLE_NAME if table is None else table
    result = FolderTable(path, columns=_to_rows([]).dtypes.to_dict())
    pictures = _list_pictures(root)
    recognizer = EmotionRecognizer.load() if recognizer is None else recognizer
    settings = _settings(recognizer) | {"folder": _relative(root, result.path.parent)}
    done = result.resume({p.name: p.stamp for p in pictures}, settings)
    rest = [picture for picture in pictures if picture.name not in done]
    _recognize(recognizer, rest, result, len(done), progress)
    return result.finish([picture.name for picture in pictures])


def _checked_folder(folder: str | Path) -> Path:
    if not isinstance(folder, str | Path):
        raise TypeError(f"folder must be a folder's path, got {type(folder).__name__}")
    if folder == "":
        raise ValueError("folder must name a folder, got an empty text; '.' is the current one")
    path = Path(os.path.expanduser(folder))
    if not path.exists():
        raise FileNotFoundError(f"folder: there is no folder {str(folder)!r}; check the path")
    if not path.is_dir():
        raise ValueError(f"folder must be a folder, {str(folder)!r} is a file; use recognize")
    return path


def _list_pictures(root: Path) -> list[_Picture]:
    unlisted: list[str] = []
    paths = [Path(path) for path in _walk(root, unlisted)]
    paths += [Path(path) for path in unlisted]
    # Names that are no Unicode cannot be written to a table as they are.
    names = [
        path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()
        for path in paths
    ]
    pictures = (_Picture(n, path, _stamp(path)) for n, path in zip(names, paths, strict=True))
    return sorted(pictures)


def _walk(root: Path, unlisted: list[str]) -> Iterator[str]:
    """Find the pictures, in each folder once; note the folders that cannot be listed."""
    seen = set()
    for parent, folders, files in os.walk(
        root, followlinks=True, onerror=lambda error: unlisted.append(error.filename)
    ):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in files:
            if not _is_hidden(name) and os.path.splitext(name)[1].lower() in _SUFFIXES:
                yield os.path.join(parent, name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


def _settings(recognizer: EmotionRecognizer) -> dict[str, Any]:
    """Describe what the results depend on.

    The networks are told by what they make of fixed patterns, which also shows another
    temperature, and holds for any classifier and whatever computes it.
    """
    rows, columns = np.indices((48, 48))
    patterns = [rows * 5, columns * 5, rows * columns % 256, (rows - columns) ** 2 // 9]
    probabilities = recognizer.classifier.predict_proba(np.array(patterns, np.uint8))
    public = {k: v for k, v in vars(recognizer.detector).items() if not k.startswith("_")}
    plain = {k: v for k, v in public.items() if isinstance(v, bool | int | float | str)}
    return {
        "networks": np.round(probabilities.astype(float), 4).tolist(),
        "min_confidence": recognizer.min_confidence,
        "detector": plain,
    }


def _relative(root: Path, start: Path) -> str:
    """Tell the folder as seen from the table, so that both may be moved together."""
    try:
        return Path(os.path.relpath(root.resolve(), start.resolve())).as_posix()
    except ValueError:  # another drive
        return root.resolve().as_posix()


def _recognize(
    recognizer: EmotionRecognizer,
    pictures: list[_Picture],
    table: FolderTable,
    done: int,
    progress: bool,
) -> None:
    total = done + len(pictures)
    bar = tqdm(total=total, initial=done, unit="picture", desc="Recognising", disable=not progress)
    with bar, held_interrupt() as interrupted:
        for start in range(0, len(pictures), BATCH_SIZE):
            some = pictures[start : start + BATCH_SIZE]
            table.append(_to_rows(_recognize_some(recognizer, some, bar, interrupted)))
            if interrupted.is_set():
                raise KeyboardInterrupt(f"what was recognised stands in {str(table.path)!r}")


def _recognize_some(
    recognizer: EmotionRecognizer,
    pictures: list[_Picture],
    bar: tqdm,
    interrupted: threading.Event,
) -> list[_Result]:
    problems: list[str] = []

    def readable() -> Iterator[np.ndarray]:
        for picture in pictures:
            if interrupted.is_set():
                return
            pixels, problem = _read(picture)
            problems.append(problem)
            if pixels is not None:
                yield pixels
            bar.update()

    faces_of_readable = iter(recognizer.recognize_batch(readable()))
    results = []
    for picture, problem in zip(pictures, problems, strict=False):  # fewer when interrupted
        faces = [] if problem else next(faces_of_readable)
        results.append(_Result(picture, problem or ("ok" if faces else "no face"), faces))
    return results


def _read(picture: _Picture) -> tuple[np.ndarray | None, str]:
    """Return the pixels, or None and what is wrong."""
    if os.path.isdir(picture.path):
        return None, "a folder that cannot be listed"
    try:
        return load_image(picture.path), ""
    except UnreadableImageError as error:
        return None, error.problem
    except FileNotFoundError:
        return None, "the file is gone, or its link leads nowhere"
    except MemoryError:
        return None, "too large for this machine's memory"


def _to_rows(results: list[_Result]) -> pd.DataFrame:
    names = [result.picture.name for result in results]
    faces = to_frame([result.faces for result in results], names).drop(columns=_TIME_COLUMNS)
    stamps = [result.picture.stamp or Stamp(None, None) for result in results]
    pictures = pd.DataFrame(
        {
            "source": pd.Series(names, dtype="str"),
            "status": pd.Series([result.status for result in results], dtype="str"),
            "faces": pd.Series([len(result.faces) for result in results], dtype="int64"),
            "file_bytes": pd.Series([stamp.file_bytes for stamp in stamps], dtype="Int64"),
            "file_mtime_ns": pd.Series([stamp.file_mtime_ns for stamp in stamps], dtype="Int64"),
        }
    )
    missing = {name: "Int64" for name, dtype in faces.dtypes.items() if dtype == "int64"}
    rows = pictures.merge(faces.astype(missing), on="source", how="left")
    return rows[["source", "status", *faces.columns[1:], *pictures.columns[2:]]]
