"""Recognised faces as a tidy table: the columns of `to_frame`, which other tables begin with."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from ..emotions import EMOTIONS
from ..files import printable
from .recognizer import FaceEmotion

NAME_TYPES = {"top": "str", "label": "str"}


def place_types(emotions: Sequence[str]) -> dict[str, str]:
    """Return the types of the columns up to the probabilities of these emotions."""
    return {
        "source": "str",
        "frame": "int64",
        "time_s": "float64",
        "face_id": "int64",
        **dict.fromkeys(("x", "y", "w", "h"), "int64"),
        **{f"p_{name}": "float64" for name in emotions},
    }


class FrameLike(Protocol):
    """What the table needs of a `VideoFrame`."""

    index: int
    time_s: float


def to_frame(
    faces: Iterable[FaceEmotion] | Iterable[Iterable[FaceEmotion]],
    source: str | Path | Iterable[str | Path] | None = None,
    *,
    frames: Iterable[FrameLike] | None = None,
    emotions: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Put recognised faces into a tidy table, one row a face.

    Parameters
    ----------
    faces : iterable of FaceEmotion, or iterable of such iterables
        What `recognize` returns for one picture, or `recognize_batch` for several.
    source : str or Path, or an iterable of them, optional
        The picture's name, or the pictures' names in the same order. Without it, their numbers
        from 0. With `frames`, the one name of the video, by default "video".
    frames : iterable of VideoFrame, optional
        The frames of the video that the pictures are, in the same order.
    emotions : sequence of str, optional
        The recognizer's `emotions`, for the columns of a table without any face; by default ours.
        Faces bring their own.

    Returns
    -------
    pandas.DataFrame
        Columns source; frame and time_s, in seconds (0 for a still picture); face_id, from 0 in
        each picture unless they are `TrackedFace` records, which have their own; x, y, w, h in
        px; p_angry to p_neutral, or those of the recognizer's other emotions, 0-1; top; label,
        which is top or "unsure". The columns and their types are the same without any face.

    Raises
    ------
    ValueError
        If there are more or fewer sources or frames than pictures, or the faces are of recognizers
        with different emotions.
    TypeError
        If `faces` is or holds something other than faces, `frames` something other than frames,
        or `source` is not one name although there are `frames`.

    Examples
    --------
    >>> faces = fer.EmotionRecognizer.load().recognize("docs/faces/happy-collins.jpg")
    >>> fer.to_frame(faces, source="collins")[["source", "face_id", "top"]].values.tolist()
    [['collins', 0, 'happy']]
    """
    pictures = _pictures_of(faces)
    if frames is not None:
        origins = _origins_in_video(source, frames, len(pictures))
    else:
        names = _names_of(source, len(pictures)) if pictures else []
        origins = [(name, 0, 0.0) for name in names]
    rows = [
        _to_row(face, origin, face_id)
        for picture, origin in zip(pictures, origins, strict=True)
        for face_id, face in enumerate(picture)
    ]
    types = place_types(_emotions_of(pictures, emotions)) | NAME_TYPES
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _emotions_of(
    pictures: list[list[FaceEmotion]], emotions: Sequence[str] | None
) -> tuple[str, ...]:
    told = {tuple(face.emotions) for picture in pictures for face in picture}
    if len(told) > 1:
        each = "; ".join(", ".join(names) for names in sorted(told))
        raise ValueError(f"faces must all be of one recognizer, they have the emotions {each}.")
    return told.pop() if told else tuple(emotions or EMOTIONS)


def _pictures_of(faces: object) -> list[list[FaceEmotion]]:
    items = _listed(faces)
    one_picture = any(isinstance(item, FaceEmotion) for item in items)
    return [items] if one_picture else [_listed(item) for item in items]


def _listed(faces: object) -> list:
    if not isinstance(faces, Iterable) or isinstance(faces, str | Mapping):
        raise TypeError(
            f"faces must be a list of FaceEmotion, or a list of such lists, got "
            f"{type(faces).__name__}; pass what recognize or recognize_batch returned."
        )
    return list(faces)


def _origins_in_video(
    source: object, frames: Iterable[FrameLike], pictures: int
) -> list[tuple[str, int, float]]:
    name = "video" if source is None else source
    if not isinstance(name, str | Path):
        raise TypeError(f"with frames, source must be one name, got {type(name).__name__}.")
    frames = list(frames) if isinstance(frames, Iterable) else [frames]
    for frame in frames:
        if not (hasattr(frame, "index") and hasattr(frame, "time_s")):
            raise TypeError(
                f"frames must hold frames as read_video gives them, got {type(frame).__name__}."
            )
    if len(frames) != pictures:
        raise ValueError(
            f"frames must hold each picture's frame: got {len(frames)} for {pictures} pictures."
        )
    return [(printable(str(name)), frame.index, frame.time_s) for frame in frames]


def _names_of(source: object, pictures: int) -> list[str]:
    if source is None:
        return [str(number) for number in range(pictures)]
    names = [source] if isinstance(source, str | Path) else source
    if not isinstance(names, Iterable):
        raise TypeError(f"source must be a name or a list of them, got {type(source).__name__}.")
    names = list(names)
    if len(names) != pictures:
        raise ValueError(
            f"source must name each picture once: got {len(names)} for {pictures} pictures."
        )
    return [printable(str(name)) for name in names]  # else the CSV might be impossible to write


def _to_row(face: FaceEmotion, origin: tuple[str, int, float], face_id: int) -> tuple:
    if not isinstance(face, FaceEmotion):
        raise TypeError(
            f"faces must hold FaceEmotion records, got {type(face).__name__}; pass what "
            "recognize or recognize_batch returned."
        )
    face_id = getattr(face, "face_id", face_id)
    return (*origin, face_id, *face.box, *face.emotions.values(), face.top, face.label)
