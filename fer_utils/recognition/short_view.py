"""A table of faces in short: who, where, which emotion, how sure; the CSV keeps every column."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..emotions import UNSURE
from ..files import printable
from ..images import ImageSource, load_image
from .face_html import image_tag

_MOST_ROWS = 50
_THUMBNAIL_PX = 64
_MARGIN = 0.15  # around a face's box, as a share of its longer side


class ShortView:
    """What `short_view` returns; it prints as a table, in notebooks with thumbnails.

    Parameters
    ----------
    table : pandas.DataFrame
        The short table, all of it; the first 50 rows are shown.
    faces : sequence of mappings
        Where the face of each of these rows is: its source, x, y, w and h. Empty for a video.
    pictures : str, Path or mapping of str to pictures
        As `short_view` takes it.

    Examples
    --------
    >>> faces = fer.EmotionRecognizer.load().recognize("docs/faces/happy-collins.jpg")
    >>> fer.short_view(fer.to_frame(faces, "collins")).table["label"].tolist()
    ['happy']
    """

    def __init__(
        self,
        table: pd.DataFrame,
        faces: Sequence[Mapping[str, Any]],
        pictures: str | Path | Mapping[str, ImageSource],
    ) -> None:
        self.table = table
        self._faces = faces
        self._pictures = pictures

    def __repr__(self) -> str:
        if self.table.empty:
            return "No face found."
        shown = self.table.head(_MOST_ROWS).astype(str).map(printable).to_string(index=False)
        return f"{shown}\n{self._rest()}".rstrip()

    def _repr_html_(self) -> str:
        if self.table.empty:
            return "<p>No face found.</p>"
        shown = self.table.head(_MOST_ROWS).astype(str)
        rows = [
            [_breakable(escape(source)), *map(escape, rest)]
            for source, *rest in shown.itertuples(index=False)
        ]
        head = list(shown.columns)
        thumbnails = [*_thumbnails(self._faces, self._pictures)]
        if any(thumbnails):
            rows = [[image, *row] for image, row in zip(thumbnails, rows, strict=True)]
            head = ["picture", *head]
        lines = [_html_row("th", head), *(_html_row("td", row) for row in rows)]
        return f"<table>{''.join(lines)}</table><p>{self._rest()}</p>"

    def _rest(self) -> str:
        more = len(self.table) - _MOST_ROWS
        return f"... and {more:,} more." if more > 0 else ""


def short_view(
    table: pd.DataFrame, *, pictures: str | Path | Mapping[str, ImageSource] = "."
) -> ShortView:
    """Show a table of faces in short: its source, number and label, and how sure it is.

    Faces are numbered from 1, as they are drawn: by one more than their `face_id`.

    Parameters
    ----------
    table : pandas.DataFrame
        As `to_frame`, `recognize_folder` and `recognize_video` return it. Of a video, each face
        has one row: the label it has most often, how often, and when it is in view.
    pictures : str, Path or mapping of str to pictures
        What the thumbnails are cut out of: the folder that the table's sources are in, or the
        pictures by source, as `load_image` takes them. Sources that are no picture there have
        none.

    Returns
    -------
    ShortView
        Shown by notebooks and by `print`; ``.table`` is the short table.

    Raises
    ------
    TypeError
        If `table` is no DataFrame.
    ValueError
        If it lacks columns.

    Examples
    --------
    >>> from fer_utils import EMOTIONS, FaceEmotion, to_frame
    >>> emotions = dict.fromkeys(EMOTIONS, 0.1) | {"happy": 0.4}
    >>> short_view(to_frame([FaceEmotion((10, 20, 90, 90), 0.9, emotions)], "a.jpg"))
    source face label share
     a.jpg    1 happy   40%
    """
    _check(table)
    if "time_s" in table and table["time_s"].nunique() > 1:
        return ShortView(_faces_of_video(table), (), pictures)
    rows = table.to_dict("records")
    return ShortView(pd.DataFrame(map(_short_row, rows)), rows[:_MOST_ROWS], pictures)


def _check(table: Any) -> None:
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"table must be a DataFrame, as to_frame returns it, got {type(table).__name__}; "
            "read a CSV file with pandas.read_csv first."
        )
    missing = [name for name in ("source", "face_id", "x", "top", "label") if name not in table]
    if missing:
        raise ValueError(f"table must have the columns of to_frame, it lacks {missing}.")


def _short_row(row: Mapping[str, Any]) -> dict[str, str]:
    if pd.isna(row["face_id"]):  # a picture of a folder that has none, or cannot be read
        return {"source": row["source"], "face": "", "label": row["status"], "share": ""}
    return {
        "source": str(row["source"]),
        "face": str(int(row["face_id"]) + 1),
        "label": _label(row),
        "share": f"{row['p_' + row['top']]:.0%}",
    }


def _label(row: Mapping[str, Any]) -> str:
    return f"{UNSURE} ({row['top']})" if row["label"] == UNSURE else row["label"]


def _faces_of_video(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (source, face_id), face in table.groupby(["source", "face_id"], sort=True):
        counts = face["label"].value_counts()
        rows.append(
            {
                "source": source,
                "face": str(face_id + 1),
                "from (s)": f"{face['time_s'].min():.1f}",
                "to (s)": f"{face['time_s'].max():.1f}",
                "mostly": counts.index[0],
                "of its frames": f"{counts.iloc[0] / len(face):.0%}",
            }
        )
    return pd.DataFrame(rows)


def _thumbnails(
    faces: Sequence[Mapping[str, Any]], pictures: str | Path | Mapping[str, ImageSource]
) -> Iterator[str]:
    """Yield each face, cut out of its picture, as HTML; "" where there is none.

    A picture is read once for all its faces, and one is held at a time.
    """
    for source, of_one in groupby(faces, key=itemgetter("source")):
        rows = [*of_one]
        without_face = all(pd.isna(face["face_id"]) for face in rows)
        pixels = None if without_face else _picture(source, pictures)
        for face in rows:
            yield "" if pixels is None or pd.isna(face["face_id"]) else _thumbnail(face, pixels)


def _picture(source: str, pictures: str | Path | Mapping[str, ImageSource]) -> np.ndarray | None:
    is_folder = isinstance(pictures, str | Path)
    try:
        return load_image(Path(pictures) / source if is_folder else pictures[source])
    except (KeyError, OSError, ValueError):
        return None


def _thumbnail(face: Mapping[str, Any], pixels: np.ndarray) -> str:
    x, y, w, h = (int(face[name]) for name in "xywh")
    half = (0.5 + _MARGIN) * max(w, h)
    middle_x, middle_y = x + w / 2, y + h / 2
    square = (middle_x - half, middle_y - half, middle_x + half, middle_y + half)
    cut = Image.fromarray(pixels).crop(tuple(map(round, square)))  # black beyond the border
    return image_tag(np.array(cut.resize((_THUMBNAIL_PX,) * 2)), "The face", _THUMBNAIL_PX)


def _breakable(path: str) -> str:
    return re.sub(r"[/\\]", r"\g<0><wbr>", path)  # else a long one pushes the rest out of sight


def _html_row(kind: str, cells: Sequence[str]) -> str:
    tags = (f'<{kind} style="text-align:left">{cell}</{kind}>' for cell in cells)
    return f"<tr>{''.join(tags)}</tr>"
