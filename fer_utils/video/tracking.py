"""Which face is whose from frame to frame: motion and colours keep people apart.

Ours, not ByteTrack or norfair: those count in even frames, but a webcam's pictures come at uneven
times, and where people cross, their colours tell more than their places.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..faces.boxes import FaceBox
from .assignment import cheapest_pairs

KEEP_S = 2.0  # how long a face that is out of sight keeps its number, where nobody says

# How far a face may turn up from where it is expected, in widths of it: at once, and for each
# second out of sight. Someone who walks past a camera makes about nine widths a second.
_REACH, _REACH_PER_S, _MOST_REACH = 0.75, 5.0, 3.0
# A pair's cost is its distance as a share of the reach, plus the difference of their colours
# times a weight; a face that costs more than the limit with every track is a new one.
_APPEARANCE_WEIGHT, _COST_LIMIT = 2.0, 1.3
_VELOCITY_MEMORY_S, _APPEARANCE_MEMORY_S, _WIDTH_MEMORY_S = 0.3, 1.0, 1.0
# Of a face whose middle is closer to another's than this, in widths, neither colours, size nor
# motion can be trusted: it may be half hidden.
_TOUCHING = 1.2
# Nor when its width is no longer what it was, give or take this share: something may hide it.
_SAME_WIDTH = 0.15
_BINS, _SAMPLES = 6, 24
# Colours are seen relative to the picture's mean, which becomes this share of the full scale.
_MIDDLE, _LIGHT_SAMPLES = 0.45, 48


@dataclass
class _Track:
    face_id: int
    face: FaceBox
    time_s: float
    width_px: float
    appearance: np.ndarray
    velocity: np.ndarray  # px/s


class FaceTracker:
    """Gives every face a number that stays the same while the face stays in view.

    A face is expected to move on at constant velocity. The pairing of faces with expectations
    costs as little as possible in all, where distance and a difference in colours cost.

    Parameters
    ----------
    keep_s : float
        How long a face that is out of sight keeps its number, in seconds.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._tracks: list[_Track] = []
        self._time_s = -math.inf
        self._next_id = 0

    @property
    def ids(self) -> set[int]:
        """The numbers of the faces in view, or out of sight for no longer than `keep_s`."""
        return {track.face_id for track in self._tracks}

    @property
    def in_view(self) -> int:
        """How many faces the last frame showed."""
        return sum(track.time_s == self._time_s for track in self._tracks)

    def expected(self, time_s: float, size: tuple[int, int]) -> list[FaceBox]:
        """Tell where the known faces should be now, in a picture of `size` (width, height) px."""
        moved = (_moved(t.face, t.velocity * (time_s - t.time_s), size) for t in self._tracks)
        return [face for face in moved if face]

    def update(self, image: np.ndarray, faces: Sequence[FaceBox], time_s: float) -> list[int]:
        """Return the number of each face of a frame.

        Parameters
        ----------
        image : numpy.ndarray
            uint8, shape (h, w, 3), RGB: the frame in which `faces` were found.
        faces : sequence of FaceBox
            No face twice.
        time_s : float
            The frame's time; not before the last one's.
        """
        self._time_s = time_s
        self._tracks = [t for t in self._tracks if time_s - t.time_s <= self._keep_s]
        light = _light(image)
        appearances = [color_histogram(image, face, light) for face in faces]
        known = dict(self._pairs(faces, appearances, time_s))
        alone = _alone(faces, [known[n].width_px if n in known else 0 for n in range(len(faces))])
        for number, (face, appearance) in enumerate(zip(faces, appearances, strict=True)):
            if number in known:
                _advance(known[number], face, appearance, time_s, alone[number])
            else:
                known[number] = self._new_track(face, appearance, time_s)
        return [known[number].face_id for number in range(len(faces))]

    def _pairs(
        self, faces: Sequence[FaceBox], appearances: Sequence[np.ndarray], time_s: float
    ) -> list[tuple[int, _Track]]:
        if not (self._tracks and faces):
            return []
        costs = [
            [_cost(t, face, look, time_s) for face, look in zip(faces, appearances, strict=True)]
            for t in self._tracks
        ]
        # At the limit a pair costs no more than leaving both alone.
        costs = np.minimum(costs, _COST_LIMIT)
        return [
            (column, self._tracks[row])
            for row, column in cheapest_pairs(costs)
            if costs[row, column] < _COST_LIMIT
        ]

    def _new_track(self, face: FaceBox, appearance: np.ndarray, time_s: float) -> _Track:
        track = _Track(self._next_id, face, time_s, _width(face), appearance, np.zeros(2))
        self._tracks.append(track)
        self._next_id += 1
        return track


def color_histogram(image: np.ndarray, face: FaceBox, light: np.ndarray) -> np.ndarray:
    """Return the shares of the colours, relative to the light, in a face's box: they sum to 1."""
    x, y, w, h = face.box
    rows = y + np.arange(_SAMPLES) * h // _SAMPLES
    columns = x + np.arange(_SAMPLES) * w // _SAMPLES
    colors = image[rows[:, None], columns].reshape(-1, 3) / light
    bins = np.minimum(colors * _MIDDLE * _BINS, _BINS - 1).astype(int)
    counts = np.bincount(bins @ (_BINS**2, _BINS, 1), minlength=_BINS**3)
    return counts / counts.sum()


def _light(image: np.ndarray) -> np.ndarray:
    """Return the picture's mean colour: what a lamp, a fade or the exposure changes everywhere."""
    step = max(1, min(image.shape[:2]) // _LIGHT_SAMPLES)
    return np.maximum(image[::step, ::step].mean(axis=(0, 1)), 1.0)


def _hellinger(one: np.ndarray, other: np.ndarray) -> float:
    """Hellinger distance of two histograms: 0 for the same, 1 without a common bin."""
    return math.sqrt(max(0.0, 1 - float(np.sqrt(one * other).sum())))


def _center(face: FaceBox) -> np.ndarray:
    x, y, w, h = face.box
    return np.array([x + w / 2, y + h / 2])


def _width(face: FaceBox) -> float:
    return math.sqrt(face.box[2] * face.box[3])


def _alone(faces: Sequence[FaceBox], widths_px: Sequence[float]) -> list[bool]:
    """Tell of each face whether no other one is close, faces being at least so wide."""
    centers = np.array([_center(face) for face in faces]).reshape(-1, 2)
    widths = np.maximum([_width(face) for face in faces], widths_px)
    distances = np.linalg.norm(centers[:, None] - centers, axis=2)
    close = distances < _TOUCHING * (widths[:, None] + widths) / 2
    return (close.sum(axis=1) == 1).tolist()  # each is close to itself


def _cost(track: _Track, face: FaceBox, appearance: np.ndarray, time_s: float) -> float:
    unseen_s = time_s - track.time_s
    offset = _center(face) - _center(track.face) - track.velocity * unseen_s
    reach = min(_REACH + _REACH_PER_S * unseen_s, _MOST_REACH) * track.width_px
    share = math.hypot(*offset) / reach
    if share > 1:
        return math.inf
    return share + _APPEARANCE_WEIGHT * _hellinger(track.appearance, appearance)


def _advance(
    track: _Track, face: FaceBox, appearance: np.ndarray, time_s: float, alone: bool
) -> None:
    elapsed_s = time_s - track.time_s
    if alone and elapsed_s > 0:
        if abs(_width(face) / track.width_px - 1) < _SAME_WIDTH:
            velocity = (_center(face) - _center(track.face)) / elapsed_s
            track.velocity += _share(elapsed_s, _VELOCITY_MEMORY_S) * (velocity - track.velocity)
            change = appearance - track.appearance
            track.appearance = track.appearance + _share(elapsed_s, _APPEARANCE_MEMORY_S) * change
        track.width_px += _share(elapsed_s, _WIDTH_MEMORY_S) * (_width(face) - track.width_px)
    track.face, track.time_s = face, time_s


def _share(elapsed_s: float, memory_s: float) -> float:
    """Return how much of a change comes through in this time, 0-1."""
    return -math.expm1(-elapsed_s / memory_s)


def _moved(face: FaceBox, offset: np.ndarray, size: tuple[int, int]) -> FaceBox | None:
    """Move a face by px and clip its box to the picture; None if that leaves nothing of it."""
    x, y, w, h = face.box
    dx, dy = offset.tolist()
    left, right = (round(min(max(0, edge + dx), size[0])) for edge in (x, x + w))
    top, bottom = (round(min(max(0, edge + dy), size[1])) for edge in (y, y + h))
    if right <= left or bottom <= top:
        return None
    points = {name: (px + dx, py + dy) for name, (px, py) in face.keypoints.items()}
    return FaceBox((left, top, right - left, bottom - top), face.score, points)
