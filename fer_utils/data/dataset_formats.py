"""Readers for the shapes in which FER2013 and its kin are passed around.

Each reader yields one :class:`~fer_utils.data.parsing.Record` per picture.
"""

import csv as csv_format
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from ..files import first_few
from .archive import READ_ERRORS, Source
from .parsing import (
    LABEL_HELP,
    ReadingLog,
    Record,
    check_parts,
    decode_picture,
    is_emotion,
    parse_label,
    parse_pixels,
    parse_usage,
    part_of,
    part_of_csv,
)

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_HEADER = 10_000
_PIXEL_COLUMNS = ("emotion", "pixels")
_LIST_COLUMNS = ("image_id", "emotion")

Parts = dict[str, tuple[np.ndarray, np.ndarray]]
Reader = Callable[[Source, ReadingLog, bool], Iterator[Record]]

_PICTURE_SUFFIXES = set(
    ".bmp .gif .jfif .jpe .jpeg .jpg .pgm .png .pnm .ppm .tif .tiff .webp".split()
)
# What may lie among pictures without being missed.
_SIDE_SUFFIXES = {".csv", ".md", ".txt"}
_SIDE_FILES = {"desktop.ini", "thumbs.db"}


class Reading(NamedTuple):
    """What was read of a data set.

    Attributes
    ----------
    parts : dict of str to (ndarray, ndarray)
        For each part that has pictures: images uint8 (n, 48, 48) and labels int64 (n,).
    notes : list of str
        What the user should be told about the reading.
    in_rows : bool
        Whether the pictures stand in the order of a CSV's rows, as other files about them do.
    """

    parts: Parts
    notes: list[str]
    in_rows: bool


def read_source(path: Path, skip_bad: bool, progress: bool) -> Reading:
    """Read a data set of any known shape.

    Parameters
    ----------
    path : Path
        Folder, zip archive or CSV.
    skip_bad : bool
        Leave out bad entries and name them in the messages, rather than stop at the first.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Reading

    Raises
    ------
    FileNotFoundError
        If nothing stands at ``path``.
    ValueError
        If the shape is unknown, or an entry bad and not to be skipped.
    """
    log = ReadingLog(skip_bad)
    with Source(path) as source:
        reader = _choose_reader(source)
        parts = _collect(reader(source, log, progress))
    return Reading(parts, log.messages(), in_rows=reader is _read_pixel_csv)


def _collect(records: Iterator[Record]) -> Parts:
    images: dict[str, list[np.ndarray]] = defaultdict(list)
    labels: dict[str, list[int]] = defaultdict(list)
    for part, label, image in records:
        images[part].append(image)
        labels[part].append(label)
    return {part: (np.stack(images[part]), np.array(labels[part], np.int64)) for part in images}


def _choose_reader(source: Source) -> Reader:
    """Tell the shape by the names of the pictures' folders and the columns of the CSV files."""
    emotions = {f.name for f in _folders(_pictures(source)) if is_emotion(f.name)}
    # Numbers may just as well count off the pictures that a CSV lists.
    if any(not name.isdecimal() for name in emotions):
        return _read_emotion_folders
    if _tables(source, *_PIXEL_COLUMNS):
        return _read_pixel_csv
    if _tables(source, *_LIST_COLUMNS):
        return _read_listed_pictures
    if emotions:
        return _read_emotion_folders
    raise ValueError(_unknown_shape(source))


def _unknown_shape(source: Source) -> str:
    columns = [f"{csv} ({', '.join(_columns(source, csv)) or 'none'})" for csv in _csvs(source)]
    seen = f"the columns of {first_few(columns)}" if columns else first_few(source.names)
    return (
        f"{source.path} holds no data set of a known shape, but {seen or 'nothing'}. Expected a "
        "CSV with the columns emotion, pixels and Usage; or pictures and a CSV with the columns "
        "image_id and emotion; or pictures in folders such as train/happy."
    )


def _read_emotion_folders(source: Source, log: ReadingLog, progress: bool) -> Iterator[Record]:
    pictures = _pictures_by_emotion(source, log)
    parts = _parts_by_folder(source, pictures, log)
    for name in tqdm(pictures, desc="Reading pictures", disable=not progress):
        try:
            image = decode_picture(source.read(name))
        except ValueError as error:
            log.report_bad(f"{source.path}, {name}", error)
            continue
        yield Record(parts[name] or "train", parse_label(PurePosixPath(name).parent.name), image)


def _parts_by_folder(source: Source, pictures: list[str], log: ReadingLog) -> dict[str, str | None]:
    parts = {name: part_of(name) for name in pictures}
    check_parts(source.path, parts)
    above = sorted({str(folder.parent) for folder in _folders(pictures)})
    if not any(parts.values()) and len(above) > 1:
        log.notes.append(
            f"No folder names a part, so the pictures of all are training: {first_few(above)}."
        )
    return parts


def _pictures_by_emotion(source: Source, log: ReadingLog) -> list[str]:
    """Name the pictures in folders of emotions, and note what is left out."""
    pictures = _pictures(source)
    emotions = {folder for folder in _folders(source.names) if is_emotion(folder.name)}
    around = {parent for folder in emotions for parent in folder.parents}
    unknown = sorted(_folders(pictures) - emotions - around)
    if unknown:
        raise ValueError(
            f"{source.path}: the folder {str(unknown[0])!r} holds pictures but names no emotion, "
            f"{LABEL_HELP} Rename the folder or take it out."
        )
    loose = [name for name in pictures if PurePosixPath(name).parent not in emotions]
    others = [n for n in source.names if PurePosixPath(n).parent in emotions and _is_other(n)]
    tables = _tables(source, *_PIXEL_COLUMNS) + _tables(source, *_LIST_COLUMNS)
    log.note_left_out("Pictures outside the folders of emotions", loose)
    log.note_left_out("Files of no known picture type", others)
    log.note_left_out("CSV files beside folders of emotions", tables)
    return [name for name in pictures if PurePosixPath(name).parent in emotions]


def _read_pixel_csv(source: Source, log: ReadingLog, progress: bool) -> Iterator[Record]:
    csv = _only_pixel_csv(source)
    number = 0
    for chunk in _chunks(source, csv, progress):
        usages = chunk["usage"] if "usage" in chunk else ["Training"] * len(chunk)
        for emotion, pixels, usage in zip(chunk["emotion"], chunk["pixels"], usages, strict=True):
            number += 1
            try:
                record = Record(parse_usage(usage), parse_label(emotion), parse_pixels(pixels))
            except ValueError as error:
                log.report_bad(f"{source.path}, {csv}, data row {number}", error)
                continue
            yield record


def _only_pixel_csv(source: Source) -> str:
    """Choose the CSV with Usage over its excerpts; of equals none can be preferred."""
    tables = _tables(source, *_PIXEL_COLUMNS, "usage") or _tables(source, *_PIXEL_COLUMNS)
    if len(tables) > 1:
        raise ValueError(
            f"{source.path} holds several CSV files with pixels: {first_few(tables)}. Give the "
            "path of the one to read."
        )
    columns = set(_columns(source, tables[0]))
    # Without Usage (as in the challenge's train.csv) all is training; but a column that is
    # neither may well be a misspelt Usage, and guessing would mix the parts up.
    if not {"emotion", "pixels", "usage"} <= columns and columns != {"emotion", "pixels"}:
        raise ValueError(
            f"{source.path}: {tables[0]} has the columns {', '.join(sorted(columns))}, expected "
            "emotion, pixels and Usage. Rename them in the first line."
        )
    return tables[0]


def _read_listed_pictures(source: Source, log: ReadingLog, progress: bool) -> Iterator[Record]:
    pictures = _pictures(source)
    if not pictures:
        raise ValueError(
            f"{source.path} lists pictures by image_id but holds none. Give the path of the folder "
            "or archive that holds both the CSV and the pictures."
        )
    by_id = _pictures_by_id(pictures)
    unlisted = set(pictures)
    parts: dict[str, str | None] = {}
    for csv in _tables(source, *_LIST_COLUMNS):
        for image_id, emotion in _rows(source, csv, progress):
            try:
                picture = _find_picture(by_id, image_id, part_of_csv(csv))
                unlisted.discard(picture)
                label, image = parse_label(emotion), decode_picture(source.read(picture))
            except ValueError as error:
                log.report_bad(f"{source.path}, {csv}, image_id {image_id!r}", error)
                continue
            parts[picture] = part_of_csv(csv) or part_of(picture)
            yield Record(parts[picture] or "train", label, image)
    check_parts(source.path, parts)
    log.note_left_out("Pictures that no CSV of image_id and emotion lists", sorted(unlisted))


def _rows(source: Source, csv: str, progress: bool) -> Iterator[tuple[str, str]]:
    """Yield image_id and emotion of each row."""
    rows: list[tuple[str, str]] = []
    for chunk in _chunks(source, csv, progress=False):
        rows += zip(chunk["image_id"], chunk["emotion"], strict=True)
    yield from tqdm(rows, desc=f"Reading pictures of {csv}", disable=not progress)


def _pictures_by_id(pictures: list[str]) -> dict[str, list[str]]:
    """Index pictures by every ending of their paths, with the extension and without."""
    by_id: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        *folders, name = picture.split("/")
        for file in (name, PurePosixPath(name).stem):
            for start in range(len(folders) + 1):
                by_id["/".join([*folders[start:], file])].append(picture)
    return by_id


def _find_picture(by_id: dict[str, list[str]], image_id: str, part: str | None) -> str:
    found = by_id.get(image_id.strip(), [])
    if len(found) > 1:
        found = [picture for picture in found if part_of(picture) == part] or found
    if not found:
        raise ValueError("no picture of that name, with or without an extension.")
    if len(found) > 1:
        raise ValueError(f"several pictures of that name: {first_few(found)}.")
    return found[0]


def _folders(names: list[str]) -> set[PurePosixPath]:
    return {PurePosixPath(name).parent for name in names}


def _is_other(name: str) -> bool:
    path = PurePosixPath(name.lower())
    known = path.suffix in _PICTURE_SUFFIXES | _SIDE_SUFFIXES
    return not known and path.name not in _SIDE_FILES


def _pictures(source: Source) -> list[str]:
    return [n for n in source.names if PurePosixPath(n).suffix.lower() in _PICTURE_SUFFIXES]


def _csvs(source: Source) -> list[str]:
    return [name for name in source.names if name.lower().endswith(".csv")]


def _tables(source: Source, *columns: str) -> list[str]:
    """Name the CSV files that have these columns, except a competition's sample of an answer."""
    return [
        csv
        for csv in _csvs(source)
        if "submission" not in csv.lower() and set(columns) <= set(_columns(source, csv))
    ]


def _columns(source: Source, csv: str) -> list[str]:
    """Read the first line only: an unrelated CSV may be empty or of any encoding."""
    try:
        with source.open(csv) as file:
            head = file.read(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    except READ_ERRORS as error:
        raise _unreadable(source, csv, error) from error
    lines = csv_format.reader(head.lstrip().splitlines()[:1])
    return [name.strip().lower() for name in next(lines, [])]


def _chunks(source: Source, csv: str, progress: bool) -> Iterator["pd.DataFrame"]:
    """Read a CSV as text, 1000 rows at a time, with stripped lower-case column names."""
    import pandas as pd

    bar = {"total": source.size(csv), "desc": f"Reading {csv}", "disable": not progress}
    try:
        with source.open(csv) as file, tqdm.wrapattr(file, "read", **bar) as stream:
            for chunk in pd.read_csv(stream, dtype=str, na_filter=False, chunksize=1000):
                yield chunk.rename(columns=lambda name: name.strip().lower())
    # pandas' own errors about a file's contents are kinds of ValueError.
    except (ValueError, *READ_ERRORS) as error:
        raise _unreadable(source, csv, error) from error


def _unreadable(source: Source, csv: str, error: Exception) -> ValueError:
    return ValueError(f"{source.path}: {csv} is not a readable CSV ({error}). Get the file again.")
