"""Where a face lies in a picture, by its box and key points, and which boxes are of one face."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# In the order in which MediaPipe's BlazeFace returns them; right and left are the person's own.
KEYPOINTS = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear")


@dataclass(frozen=True)
class FaceBox:
    """A face found in a picture.

    Parameters
    ----------
    box : tuple of int
        (x, y, width, height) in px, inside the picture.
    score : float
        How sure the detector is, 0-1.
    keypoints : mapping of str to (float, float)
        (x, y) in px, measured from the picture's upper left corner, of each name in `KEYPOINTS`.
        Points of a face that the border cuts may lie outside the picture.

    Raises
    ------
    ValueError
        If the box has no area, or a key point is missing.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> face = fer.FaceDetector().detect(astronaut())[0]
    >>> len(face.box), sorted(face.keypoints)[:2]
    (4, ['left_ear', 'left_eye'])
    """

    box: tuple[int, int, int, int]
    score: float
    keypoints: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        if len(self.box) != 4 or min(self.box[2:]) <= 0:
            raise ValueError(
                f"box must be (x, y, width, height) in px with a positive size, got {self.box}."
            )
        missing = [name for name in KEYPOINTS if name not in self.keypoints]
        if missing:
            raise ValueError(f"keypoints must hold each name in KEYPOINTS, {missing} is missing.")


def overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union of two boxes, 0-1."""
    shared, one_area, other_area = _areas(one, other)
    return shared / (one_area + other_area - shared)


def is_same_face(one: FaceBox, other: FaceBox) -> bool:
    """Tell whether two boxes are of one face: they overlap, or one lies mostly in the other.

    The latter is how a part of a face lies in the whole one.
    """
    shared, one_area, other_area = _areas(one, other)
    return overlap(one, other) > 0.3 or shared > 0.6 * min(one_area, other_area)


def merge_faces(faces: Iterable[FaceBox]) -> list[FaceBox]:
    """Leave one box a face, the one with the highest score.

    Parameters
    ----------
    faces : iterable of FaceBox
        Faces found in the same picture, some of them several times.

    Returns
    -------
    list of FaceBox
        From the highest score to the lowest; no two for which `is_same_face` holds.
    """
    kept: list[FaceBox] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(is_same_face(face, other) for other in kept):
            kept.append(face)
    return kept


def _areas(one: FaceBox, other: FaceBox) -> tuple[int, int, int]:
    """Areas in px: what two boxes share, and each of them."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one.box, other.box
    width = min(x1 + w1, x2 + w2) - max(x1, x2)
    height = min(y1 + h1, y2 + h2) - max(y1, y2)
    return max(width, 0) * max(height, 0), w1 * h1, w2 * h2
