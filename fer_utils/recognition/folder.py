"""All pictures in a folder, recognised into one table that a repeated call goes on with."""

import os
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..argument_checks import checked_flag
from ..emotions import EMOTIONS
from ..files import PICTURE_SUFFIXES
from ..graceful_exit import Stopped, held_interrupt
from ..images import UnreadableImageError, load_image
from .recognizer import BATCH_SIZE, EmotionRecognizer, FaceEmotion
from .resumable_csv import FolderTable, Stamp
from .tables import to_frame

GONE = "the file is gone, or its link leads nowhere"
_SMALL_PX = 64  # FER2013's faces have 48
_TABLE_NAME = "faces.csv"
_TIME_COLUMNS = ["frame", "time_s"]

RecognizeBatch: TypeAlias = Callable[[Iterable[np.ndarray]], list[list[FaceEmotion]]]


class Picture(NamedTuple):
    name: str  # its path in the folder, as the table shows it
    path: Path
    stamp: Stamp | None  # None: it cannot be reached


class _Result(NamedTuple):
    picture: Picture
    status: str
    faces: list[FaceEmotion]
    is_small: bool  # as faces cut out already are


def recognize_folder(
    folder: str | Path,
    *,
    recognizer: EmotionRecognizer | None = None,
    table: str | Path | None = None,
    detect: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Recognise the faces in all pictures of a folder and its subfolders.

    The table is written as it grows, so that a run which was cut off, by Ctrl-C or worse, goes
    on when the same call is repeated: pictures that stand in it as "ok" or "no face" are not
    looked at again unless their size or time of change differs; those that could not be read
    are tried again; those that are gone lose their rows. Ctrl-C ends the run after the current
    picture, a second Ctrl-C at once. Of the pictures one is in memory at a time.

    Hidden files and folders, ``__MACOSX`` and files without a picture's suffix are passed over.
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
    detect : bool
        Whether to look for faces. False says that each picture is a face already cut out, as
        `EmotionRecognizer.recognize` takes it. Where most pictures are as small as such, a
        UserWarning asks about it.
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
        If there is no such folder, or none for the table.
    ValueError
        If `folder` is no folder; `table` does not end in .csv, cannot be written, is another kind
        of table, or was made with other networks, another `min_confidence`, other settings of
        the detector, another `detect`, or of another folder.
    TypeError
        If `folder` or `table` is no path, `recognizer` no EmotionRecognizer, or `detect` neither
        True nor False.

    Examples
    --------
    >>> import shutil, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = shutil.copy("docs/faces/happy-collins.jpg", folder)
    ...     table = fer.recognize_folder(folder, progress=False)
    >>> table[["source", "top"]].values.tolist()
    [['happy-collins.jpg', 'happy']]
    """
    root = _checked_folder(folder)
    if not isinstance(recognizer, EmotionRecognizer | None):
        kind = type(recognizer).__name__
        raise TypeError(f"recognizer must be an EmotionRecognizer, got {kind}.")
    checked_flag("detect", detect)
    path = root / _TABLE_NAME if table is None else table
    recognizer = EmotionRecognizer.load() if recognizer is None else recognizer
    result = FolderTable(path, columns=to_rows([], recognizer.emotions).dtypes.to_dict())
    pictures = list_pictures(root)
    settings = settings_of(recognizer, detect) | {"folder": relative(root, result.path.parent)}
    done = result.resume({p.name: p.stamp for p in pictures}, settings)
    rest = [picture for picture in pictures if picture.name not in done]
    recognize_batch = partial(recognizer.recognize_batch, detect=detect)
    small = _recognize(recognize_batch, rest, result, recognizer.emotions, len(done), progress)
    faces = result.finish([picture.name for picture in pictures])
    if detect and small > len(rest) / 2:
        warnings.warn(
            f"folder: {small} of the {len(rest)} pictures looked at are at most {_SMALL_PX} px "
            "wide and high, as faces cut out already are, and the detector misses many of those. "
            "If they are such, name another table and recognise them all: "
            "recognize_folder(..., detect=False).",
            stacklevel=2,
        )
    return faces


def _checked_folder(folder: str | Path) -> Path:
    if not isinstance(folder, str | Path):
        raise TypeError(f"folder must be a folder's path, got {type(folder).__name__}.")
    if folder == "":
        raise ValueError("folder must name a folder, got an empty text; '.' is the current one.")
    path = Path(os.path.expanduser(folder))
    if not path.exists():
        raise FileNotFoundError(f"folder: there is no folder {str(folder)!r}; check the path.")
    if not path.is_dir():
        raise ValueError(f"folder must be a folder, {str(folder)!r} is a file; use recognize.")
    return path


def list_pictures(root: Path, suffixes: Collection[str] = PICTURE_SUFFIXES) -> list[Picture]:
    """Return the files with one of these suffixes, and folders that cannot be listed, by name."""
    unlisted: list[str] = []
    paths = [Path(path) for path in _walk(root, suffixes, unlisted)]
    paths += [Path(path) for path in unlisted]
    # Names that are no Unicode cannot be written to a table as they are.
    names = [
        path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()
        for path in paths
    ]
    pictures = (Picture(n, path, stamp_of(path)) for n, path in zip(names, paths, strict=True))
    return sorted(pictures)


def _walk(root: Path, suffixes: Collection[str], unlisted: list[str]) -> Iterator[str]:
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
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in files:
            if not is_hidden(name) and os.path.splitext(name)[1].lower() in suffixes:
                yield os.path.join(parent, name)


def is_hidden(name: str) -> bool:
    """Tell a file's or folder's name that is passed over."""
    return name.startswith(".") or name == "__MACOSX"


def stamp_of(path: Path) -> Stamp | None:
    """Return a file's stamp; None where it cannot be reached."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


def settings_of(recognizer: EmotionRecognizer, detect: bool = True) -> dict[str, Any]:
    """Describe what the results depend on.

    The networks are told by what they make of fixed patterns, which also shows another
    temperature, and holds for any classifier and whatever computes it.
    """
    rows, columns = np.indices((recognizer.face_px, recognizer.face_px))
    patterns = np.array([rows * 5, columns * 5, rows * columns, (rows - columns) ** 2 // 9]) % 256
    probabilities = recognizer.classifier.predict_proba(patterns.astype(np.uint8))
    public = {k: v for k, v in vars(recognizer.detector).items() if not k.startswith("_")}
    plain = {k: v for k, v in public.items() if isinstance(v, bool | int | float | str)}
    return {
        "networks": np.round(probabilities.astype(float), 4).tolist(),
        "min_confidence": recognizer.min_confidence,
        "detector": plain if detect else "none: each picture is a face",
    }


def relative(root: Path, start: Path) -> str:
    """Tell the folder as seen from the table, so that both may be moved together."""
    try:
        return Path(os.path.relpath(root.resolve(), start.resolve())).as_posix()
    except ValueError:  # another drive
        return root.resolve().as_posix()


def _recognize(
    recognize_batch: RecognizeBatch,
    pictures: list[Picture],
    table: FolderTable,
    emotions: Sequence[str],
    done: int,
    progress: bool,
) -> int:
    """Fill in the table; return how many of the pictures are small."""
    small = 0
    total = done + len(pictures)
    bar = tqdm(total=total, initial=done, unit="picture", desc="Recognising", disable=not progress)
    with bar, held_interrupt() as interrupted:
        for start in range(0, len(pictures), BATCH_SIZE):
            some = pictures[start : start + BATCH_SIZE]
            results = _recognize_some(recognize_batch, some, bar, interrupted)
            table.append(to_rows(results, emotions))
            small += sum(result.is_small for result in results)
            if interrupted.is_set():
                raise Stopped(
                    f"what was recognised is kept in {str(table.path)!r}; the same call again "
                    "goes on from there."
                )
    return small


def _recognize_some(
    recognize_batch: RecognizeBatch,
    pictures: list[Picture],
    bar: tqdm,
    interrupted: threading.Event,
) -> list[_Result]:
    small: set[str] = set()

    def load(picture: Picture) -> np.ndarray:
        pixels = load_listed(picture.path)
        if max(pixels.shape[:2]) <= _SMALL_PX:
            small.add(picture.name)
        return pixels

    def loads() -> Iterator[Callable[[], np.ndarray]]:
        for picture in pictures:
            if interrupted.is_set():
                return
            yield partial(load, picture)
            bar.update()

    found = recognize_readable(recognize_batch, loads())
    return [
        _Result(picture, status, faces, picture.name in small)
        for picture, (status, faces) in zip(pictures, found, strict=False)  # fewer if interrupted
    ]


def recognize_readable(
    recognize_batch: RecognizeBatch,
    loads: Iterable[Callable[[], np.ndarray]],
) -> list[tuple[str, list[FaceEmotion]]]:
    """Recognise the pictures that can be read, one in memory at a time.

    Parameters
    ----------
    recognize_batch : callable
        As `EmotionRecognizer.recognize_batch`.
    loads : iterable of callable
        Each reads a picture, as `load_image` does.

    Returns
    -------
    list of (str, list of FaceEmotion)
        The status of each picture, which is "ok", "no face" or what is wrong with it in a few
        words; and its faces.
    """
    problems: list[str] = []

    def readable() -> Iterator[np.ndarray]:
        for load in loads:
            pixels, problem = _read(load)
            problems.append(problem)
            if pixels is not None:
                yield pixels

    faces_of_readable = iter(recognize_batch(readable()))
    found = [(problem, [] if problem else next(faces_of_readable)) for problem in problems]
    return [(problem or ("ok" if faces else "no face"), faces) for problem, faces in found]


def load_listed(path: Path) -> np.ndarray:
    """Read a picture that `list_pictures` found."""
    if os.path.isdir(path):
        raise UnreadableImageError(repr(str(path)), "a folder that cannot be listed")
    return load_image(path)


def _read(load: Callable[[], np.ndarray]) -> tuple[np.ndarray | None, str]:
    """Return the pixels, or None and what is wrong."""
    try:
        return load(), ""
    except UnreadableImageError as error:
        return None, error.problem
    except FileNotFoundError:
        return None, GONE
    except MemoryError:
        return None, "too large for this machine's memory"


def to_rows(results: list[_Result], emotions: Sequence[str] = EMOTIONS) -> pd.DataFrame:
    names = [result.picture.name for result in results]
    faces = to_frame([result.faces for result in results], names, emotions=emotions)
    faces = faces.drop(columns=_TIME_COLUMNS)
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
