"""The faces of a video as a tidy table, which grows with it."""

from array import array
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..emotions import EMOTIONS, UNSURE
from ..recognition.tables import NAME_TYPES, PLACE_TYPES
from .stream import TrackedFace

_TRACKED_TYPES = PLACE_TYPES | {f"raw_{name}": "float64" for name in EMOTIONS} | NAME_TYPES
TRACKED_COLUMNS = tuple(_TRACKED_TYPES)


class FaceTable:
    """The faces of a video as they come in, kept compactly: under 200 bytes a face and frame.

    Parameters
    ----------
    source : str
        The video's name.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._numbers = array("d")
        self._tops = array("b")
        self._are_sure = array("b")

    def add(self, frame: int, time_s: float, faces: Sequence[TrackedFace]) -> list[tuple]:
        """Add the faces of a frame; return their rows, values in the order of `TRACKED_COLUMNS`."""
        rows = []
        for face in faces:
            place = (frame, float(time_s), face.face_id, *face.box)
            numbers = (*place, *face.emotions.values(), *face.raw_emotions.values())
            self._numbers.extend(numbers)
            self._tops.append(EMOTIONS.index(face.top))
            self._are_sure.append(face.is_sure)
            rows.append((self._source, *numbers, face.top, face.label))
        return rows

    def to_frame(self) -> pd.DataFrame:
        """Return all rows so far as a table with the columns `TRACKED_COLUMNS`."""
        names = TRACKED_COLUMNS[1 : -len(NAME_TYPES)]
        numbers = np.array(self._numbers).reshape(-1, len(names))
        table = pd.DataFrame(numbers, columns=names)
        table.insert(0, "source", self._source)
        table["top"] = np.array(EMOTIONS)[np.array(self._tops, dtype=int)]
        table["label"] = table["top"].where(np.array(self._are_sure, dtype=bool), UNSURE)
        return table.astype(_TRACKED_TYPES)
