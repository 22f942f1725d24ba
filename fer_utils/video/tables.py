"""The faces of a video as a tidy table, which grows with it."""

from array import array
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..emotions import EMOTIONS, UNSURE
from ..recognition.tables import NAME_TYPES, place_types
from .stream import TrackedFace


def _tracked_types(emotions: Sequence[str]) -> dict[str, str]:
    raw = {f"raw_{name}": "float64" for name in emotions}
    return place_types(emotions) | raw | NAME_TYPES


TRACKED_COLUMNS = tuple(_tracked_types(EMOTIONS))


class FaceTable:
    """The faces of a video as they come in, kept compactly: under 200 bytes a face and frame.

    Parameters
    ----------
    source : str
        The video's name.
    emotions : sequence of str
        Those of its faces.

    Attributes
    ----------
    columns : tuple of str
        `TRACKED_COLUMNS`, or those of other emotions.
    """

    def __init__(self, source: str, emotions: Sequence[str] = EMOTIONS) -> None:
        self._source, self._emotions = source, tuple(emotions)
        self._types = _tracked_types(emotions)
        self.columns = tuple(self._types)
        self._numbers = array("d")
        self._tops = array("b")
        self._are_sure = array("b")

    def add(self, frame: int, time_s: float, faces: Sequence[TrackedFace]) -> list[tuple]:
        """Add the faces of a frame; return their rows, values in the order of `columns`."""
        rows = []
        for face in faces:
            place = (frame, float(time_s), face.face_id, *face.box)
            numbers = (*place, *face.emotions.values(), *face.raw_emotions.values())
            self._numbers.extend(numbers)
            self._tops.append(self._emotions.index(face.top))
            self._are_sure.append(face.is_sure)
            rows.append((self._source, *numbers, face.top, face.label))
        return rows

    def to_frame(self) -> pd.DataFrame:
        """Return all rows so far as a table with these columns."""
        names = self.columns[1 : -len(NAME_TYPES)]
        numbers = np.array(self._numbers).reshape(-1, len(names))
        table = pd.DataFrame(numbers, columns=names)
        table.insert(0, "source", self._source)
        table["top"] = np.array(self._emotions)[np.array(self._tops, dtype=int)]
        table["label"] = table["top"].where(np.array(self._are_sure, dtype=bool), UNSURE)
        return table.astype(self._types)
