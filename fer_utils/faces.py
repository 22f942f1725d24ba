"""Faces: where they lie in a picture, and cut out the way FER2013's pictures stand."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .images import ImageSource, load_image, to_gray

# In the order in which MediaPipe's BlazeFace returns them; right and left are the person's own.
KEYPOINTS = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear")

# Where these points lie in a picture of FER2013, as shares of its side: the means of what the
# detector finds in its pictures, made symmetric because the pictures have no preferred side.
_PLACE_IN_FRAME = {
    "right_eye": (0.325, 0.397),
    "left_eye": (0.675, 0.397),
    "mouth_center": (0.500, 0.771),
}


@dataclass(frozen=True)
class FaceBox:
    """A face found in a picture.

    Parameters
    ----------
    box : tuple of int
        (x, y, width, height) in px, inside the picture.
    score : float
        The detector's confidence, 0-1.
    keypoints : mapping of str to (float, float)
        (x, y) in px, measured from the picture's upper left corner, of each name in `KEYPOINTS`.
        Points of a face that the border cuts may lie outside the picture.

    Raises
    ------
    ValueError
        The box has no area, or an eye or the mouth is missing from the key points.
    """

    box: tuple[int, int, int, int]
    score: float
    keypoints: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        if len(self.box) != 4 or min(self.box[2:]) <= 0:
            raise ValueError(
                f"box must be (x, y, width, height) in px with a positive size, got {self.box}"
            )
        missing = [name for name in _PLACE_IN_FRAME if name not in self.keypoints]
        if missing:
            raise ValueError(f"keypoints must hold the eyes and the mouth, {missing} is missing")


def overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union of two boxes, 0-1."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one.box, other.box
    width = min(x1 + w1, x2 + w2) - max(x1, x2)
    height = min(y1 + h1, y2 + h2) - max(y1, y2)
    shared = max(width, 0) * max(height, 0)
    return shared / (w1 * h1 + w2 * h2 - shared)


def crop_face(image: ImageSource, face: FaceBox, size: int = 48) -> np.ndarray:
    """Cut out a face upright, in grey, framed as FER2013 frames its faces.

    The frame is turned, scaled and moved so that, by least squares, the eyes and the mouth
    come to lie where they lie on average in FER2013 (Umeyama, "Least-squares estimation of
    transformation parameters between two point patterns", 1991; in the plane it reduces to one
    complex division). Every pixel of the crop averages the part of the picture it covers.
    Where the frame leaves the picture, the picture's border is repeated: an even background
    as in FER2013, without the hard edge that black would draw beside the face.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image or numpy.ndarray
        The picture in which `face` was found.
    face : FaceBox
        A face from `FaceDetector.detect`.
    size : int
        Side of the crop in px.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size).

    Raises
    ------
    FileNotFoundError, TypeError
        As `load_image` raises them.
    ValueError
        As `load_image` raises it; `face` lies outside the picture, its eyes and mouth
        coincide, or `size` is no whole number above 0.
    """
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"size must be a whole number of px, at least 1, got {size!r}")
    pixels = load_image(image)
    _check_inside(face, pixels)
    origin, side = _frame_in_picture(face)
    cut, corner = _cut_around(pixels, origin, side)
    # Less a rounding error, which must not double the work.
    oversampling = max(1, math.ceil(abs(side) / size - 1e-6))
    return _resample(cut, origin - corner, side, size, oversampling)


def _check_inside(face: FaceBox, pixels: np.ndarray) -> None:
    x, y, w, h = face.box
    height, width = pixels.shape[:2]
    if x < 0 or y < 0 or x + w > width or y + h > height:
        raise ValueError(
            f"face must lie inside the picture of {width}x{height} px, its box is {face.box}; "
            "pass the picture in which it was found"
        )


def _frame_in_picture(face: FaceBox) -> tuple[complex, complex]:
    """Place FER2013's frame on a face: the picture's point of frame point z is origin + side * z.

    Points are complex numbers, x + iy: one factor then turns and scales at once.
    """
    in_frame = np.array([complex(x, y) for x, y in _PLACE_IN_FRAME.values()])
    in_picture = np.array([complex(*face.keypoints[name]) for name in _PLACE_IN_FRAME])
    frame_offsets = in_frame - in_frame.mean()
    side = np.vdot(frame_offsets, in_picture) / np.vdot(frame_offsets, frame_offsets)
    if not abs(side) >= 1:
        raise ValueError("face cannot be framed: its eyes and mouth are within one pixel")
    return complex(in_picture.mean() - side * in_frame.mean()), complex(side)


def _cut_around(pixels: np.ndarray, origin: complex, side: complex) -> tuple[np.ndarray, complex]:
    """Cut the frame's bounding box out of a picture, borders repeated; also its upper left."""
    corners = origin + side * np.array([0, 1, 1j, 1 + 1j])
    margin_px = 2  # what bicubic interpolation looks at beyond the frame
    left, top = (math.floor(part.min()) - margin_px for part in (corners.real, corners.imag))
    right, bottom = (math.ceil(part.max()) + margin_px for part in (corners.real, corners.imag))
    rows = np.arange(top, bottom).clip(0, pixels.shape[0] - 1)
    columns = np.arange(left, right).clip(0, pixels.shape[1] - 1)
    return to_gray(pixels[np.ix_(rows, columns)]), complex(left, top)


def _resample(
    gray: np.ndarray, origin: complex, side: complex, size: int, oversampling: int
) -> np.ndarray:
    """Sample the frame on a grid as fine as the picture's, then average it down."""
    fine_size = size * oversampling
    step = side / fine_size
    coefficients = (step.real, -step.imag, origin.real, step.imag, step.real, origin.imag)
    # Where several samples are averaged, the quicker interpolation looks the same.
    kind = Image.Resampling.BICUBIC if oversampling == 1 else Image.Resampling.BILINEAR
    fine = Image.fromarray(gray).transform(
        (fine_size, fine_size), Image.Transform.AFFINE, coefficients, kind
    )
    return np.array(fine.reduce(oversampling))
