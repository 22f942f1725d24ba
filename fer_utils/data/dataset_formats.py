"""Readers for the shapes in which FER2013 and its kin are passed around.

Each reader yields one :class:`~fer_utils.data.parsing.Record` per picture.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from ..files import PICTURE_SUFFIXES, first_few, shortened
from .archive import Source
from .csv_dialects import columns_of, csv_names, read_chunks, tables_with
from .labels import Labels
from .parsing import (
    ReadingLog,
    Record,
    check_parts,
    decode_picture,
    parse_pixels,
    parse_usage,
    part_of,
    part_of_csv,
)

_PIXEL_COLUMNS = ("emotion", "pixels")
_LIST_COLUMNS = ("image_id", "emotion")

Parts = dict[str, tuple[np.ndarray, np.ndarray]]
Reader = Callable[[Source, Labels, ReadingLog, bool], Iterator[Record]]

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


def read_source(path: Path, labels: Labels, skip_bad: bool, progress: bool) -> Reading:
    """Read a data set of any known shape.

    Parameters
    ----------
    path : Path
        Folder, zip archive or CSV.
    labels : Labels
        What its labels stand for.
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
        If nothing stands at `path`.
    ValueError
        If the shape is unknown, or an entry bad and not to be skipped.
    """
    log = ReadingLog(skip_bad)
    with Source(path) as source:
        reader = _choose_reader(source, labels)
        parts = _collect(reader(source, labels, log, progress))
    return Reading(parts, log.messages(), in_rows=reader is _read_pixel_csv)


def _collect(records: Iterator[Record]) -> Parts:
    images: dict[str, list[np.ndarray]] = defaultdict(list)
    labels: dict[str, list[int]] = defaultdict(list)
    for part, label, image in records:
        images[part].append(image)
        labels[part].append(label)
    return {part: (np.stack(images[part]), np.array(labels[part], np.int64)) for part in images}


def _choose_reader(source: Source, labels: Labels) -> Reader:
    """Tell the shape by the names of the pictures' folders and the columns of the CSV files."""
    folders = {folder.name for folder in _with_parents(_folders(_pictures(source)))}
    if any(map(labels.is_name, folders)):
        return _read_emotion_folders
    if tables_with(source, *_PIXEL_COLUMNS):
        return _read_pixel_csv
    if tables_with(source, *_LIST_COLUMNS):
        return _read_listed_pictures
    # Numbers come last: they may just as well count off the pictures that a CSV lists.
    if any(map(labels.is_number, folders)):
        return _read_emotion_folders
    raise ValueError(_unknown_shape(source))


def _unknown_shape(source: Source) -> str:
    csvs = csv_names(source)
    columns = [f"{csv} ({_listed(columns_of(source, csv)) or 'none'})" for csv in csvs]
    seen = f"the columns of {first_few(columns)}" if columns else first_few(source.names)
    return (
        f"{source.path} holds no data set of a known shape, but {seen or 'nothing'}. Expected a "
        "CSV with the columns emotion, pixels and Usage; or pictures and a CSV with the columns "
        "image_id and emotion; or pictures in folders such as train/happy, whose names, if they "
        "are none of FER2013's emotions, label_order=('calm', ...) lists (on the command line "
        "--label-order calm ...)."
    )


def _listed(columns: Iterable[str]) -> str:
    """Name some columns; where a file is no table, its first line may be anything."""
    return first_few([shortened(column) for column in columns], 6)


def _read_emotion_folders(
    source: Source, labels: Labels, log: ReadingLog, progress: bool
) -> Iterator[Record]:
    pictures = _pictures_by_emotion(source, labels, log)
    parts = _parts_by_folder(source, pictures, log)
    emotions = {name: PurePosixPath(name).parent.name for name in pictures}
    _settle_numbers(source, labels, emotions.values(), log)
    for name in tqdm(pictures, desc="Reading pictures", disable=not progress):
        try:
            image = decode_picture(source.read(name))
        except ValueError as error:
            log.report_bad(f"{source.path}, {name}", error)
            continue
        yield Record(parts[name] or "train", labels.parse(emotions[name]), image)


def _settle_numbers(
    source: Source,
    labels: Labels,
    texts: Iterable[str],
    log: ReadingLog,
    *,
    is_fer2013: bool = False,
) -> None:
    try:
        assumed = labels.settle_numbers(texts, is_fer2013=is_fer2013)
    except ValueError as error:  # no bad entry: none may be read before the order is known
        raise ValueError(f"{source.path}: {error}") from None
    log.notes += [assumed] if assumed else []


def _parts_by_folder(source: Source, pictures: list[str], log: ReadingLog) -> dict[str, str | None]:
    parts = {name: part_of(name) for name in pictures}
    check_parts(source.path, parts)
    above = sorted({str(folder.parent) for folder in _folders(pictures)})
    if not any(parts.values()) and len(above) > 1:
        log.notes.append(
            f"No folder names a part, so the pictures of all are training: {first_few(above)}."
        )
    return parts


def _pictures_by_emotion(source: Source, labels: Labels, log: ReadingLog) -> list[str]:
    """Name the pictures in folders of emotions, and note what is left out."""
    pictures = _pictures(source)
    emotions = _emotion_folders(source, labels)
    around = {parent for folder in emotions for parent in folder.parents}
    for unknown in sorted(_folders(pictures) - emotions - around):
        reason = f"it holds pictures but names no emotion, {labels.help}"
        if labels.is_number(unknown.name):
            reason = (
                "it holds pictures but names no emotion: beside folders with names, numbers are "
                "not read as labels. Move its pictures to where their emotion is named, or name, "
                "or number, all folders alike."
            )
        log.report_bad(f"{source.path}, the folder {str(unknown)!r}", ValueError(reason))
    loose = [name for name in pictures if PurePosixPath(name).parent in around - emotions]
    others = [n for n in source.names if PurePosixPath(n).parent in emotions and _is_other(n)]
    tables = tables_with(source, *_PIXEL_COLUMNS) + tables_with(source, *_LIST_COLUMNS)
    log.note_left_out("Pictures outside the folders of emotions", loose)
    log.note_left_out("Files of no known picture type", others)
    log.note_left_out("CSV files beside folders of emotions", tables)
    return [name for name in pictures if PurePosixPath(name).parent in emotions]


def _emotion_folders(source: Source, labels: Labels) -> set[PurePosixPath]:
    """Return the folders that are named after an emotion; where there is none, the numbered ones.

    Beside names, numbers may be anything, such as the people in the pictures.
    """
    folders = _with_parents(_folders(source.names))
    named = {folder for folder in folders if labels.is_name(folder.name)}
    emotions = named or {folder for folder in folders if labels.is_number(folder.name)}
    for folder in sorted(emotions):
        if not emotions.isdisjoint(folder.parents):
            raise ValueError(
                f"{source.path}: the folder {str(folder)!r} lies in one of another emotion, so "
                "which of the two its pictures show cannot be told. Move it out."
            )
    return emotions


def _read_pixel_csv(
    source: Source, labels: Labels, log: ReadingLog, progress: bool
) -> Iterator[Record]:
    csv = _only_pixel_csv(source)
    # With Usage it is FER2013's own form, and so its order.
    is_fer2013 = "usage" in columns_of(source, csv)
    chunks = read_chunks(source, csv, only="emotion")
    texts = {text for chunk in chunks for text in chunk["emotion"]}
    _settle_numbers(source, labels, texts, log, is_fer2013=is_fer2013)
    number = 0
    for chunk in read_chunks(source, csv, progress=progress):
        usages = chunk["usage"] if "usage" in chunk else ["Training"] * len(chunk)
        for emotion, pixels, usage in zip(chunk["emotion"], chunk["pixels"], usages, strict=True):
            number += 1
            try:
                record = Record(parse_usage(usage), labels.parse(emotion), parse_pixels(pixels))
            except ValueError as error:
                log.report_bad(f"{source.path}, {csv}, data row {number}", error)
                continue
            yield record


def _only_pixel_csv(source: Source) -> str:
    """Choose the CSV with Usage over its excerpts; of equals none can be preferred."""
    tables = tables_with(source, *_PIXEL_COLUMNS, "usage") or tables_with(source, *_PIXEL_COLUMNS)
    if len(tables) > 1:
        raise ValueError(
            f"{source.path} holds several CSV files with pixels: {first_few(tables)}. Give the "
            "path of the one to read."
        )
    columns = set(columns_of(source, tables[0]))
    # Without Usage (as in the challenge's train.csv) all is training; but a column that is
    # neither may well be a misspelt Usage, and guessing would mix the parts up.
    if not {"emotion", "pixels", "usage"} <= columns and columns != {"emotion", "pixels"}:
        raise ValueError(
            f"{source.path}: {tables[0]} has the columns {_listed(sorted(columns))}, expected "
            "emotion, pixels and Usage. Rename them in the first line."
        )
    return tables[0]


def _read_listed_pictures(
    source: Source, labels: Labels, log: ReadingLog, progress: bool
) -> Iterator[Record]:
    pictures = _pictures(source)
    if not pictures:
        raise ValueError(
            f"{source.path} lists pictures by image_id but holds none. Give the path of the folder "
            "or archive that holds both the CSV and the pictures."
        )
    by_id = _pictures_by_id(pictures)
    rows = {csv: list(_rows(source, csv)) for csv in tables_with(source, *_LIST_COLUMNS)}
    texts = [emotion for of_one in rows.values() for _, emotion in of_one]
    _settle_numbers(source, labels, texts, log)
    unlisted = set(pictures)
    parts: dict[str, str | None] = {}
    for csv, of_one in rows.items():
        for image_id, emotion in tqdm(
            of_one, desc=f"Reading pictures of {csv}", disable=not progress
        ):
            try:
                picture = _find_picture(by_id, image_id, part_of_csv(csv))
                unlisted.discard(picture)
                label, image = labels.parse(emotion), decode_picture(source.read(picture))
            except ValueError as error:
                log.report_bad(f"{source.path}, {csv}, image_id {shortened(image_id)!r}", error)
                continue
            parts[picture] = part_of_csv(csv) or part_of(picture)
            yield Record(parts[picture] or "train", label, image)
    check_parts(source.path, parts)
    log.note_left_out("Pictures that no CSV of image_id and emotion lists", sorted(unlisted))


def _rows(source: Source, csv: str) -> Iterator[tuple[str, str]]:
    """Yield image_id and emotion of each row."""
    for chunk in read_chunks(source, csv):
        yield from zip(chunk["image_id"], chunk["emotion"], strict=True)


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


def _with_parents(folders: set[PurePosixPath]) -> set[PurePosixPath]:
    return folders.union(*(folder.parents for folder in folders))


def _is_other(name: str) -> bool:
    path = PurePosixPath(name.lower())
    known = path.suffix in PICTURE_SUFFIXES | _SIDE_SUFFIXES
    return not known and path.name not in _SIDE_FILES


def _pictures(source: Source) -> list[str]:
    return [n for n in source.names if PurePosixPath(n).suffix.lower() in PICTURE_SUFFIXES]
