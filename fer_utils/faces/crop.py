"""A face cut out of its picture, upright, the way FER2013's pictures stand."""

import math

import numpy as np
from PIL import Image

from ..argument_checks import checked_whole_number
from ..images import ImageSource, load_image, to_gray
from .boxes import KEYPOINTS, FaceBox

# How FER2013's frame is placed on a face: its centre and its side, each a sum of the key points
# with these weights (see `_frame_in_picture`). tests/benchmarks/bench_crop.py prints them.
_FRAME_WEIGHTS = {
    "right_eye": (-0.330 - 0.292j, 5.645 - 0.913j),
    "left_eye": (-0.330 + 0.292j, -5.645 - 0.913j),
    "nose_tip": (0.662 + 0.000j, 0.000 + 1.527j),
    "mouth_center": (0.180 + 0.000j, 0.000 - 0.754j),
    "right_ear": (0.409 + 0.344j, -4.177 + 0.526j),
    "left_ear": (0.409 - 0.344j, 4.177 + 0.526j),
}


def crop_face(image: ImageSource, face: FaceBox, size: int = 48) -> np.ndarray:
    """Cut out a face upright, in grey, framed as FER2013 frames its faces.

    The frame is turned, scaled and moved so that the eyes, the mouth and the other key points
    come to lie as nearly as can be where they lie on average in FER2013, by generalised least
    squares (Aitken, "On least squares and linear combination of observations", 1936): points
    that vary less within FER2013, or together, are trusted accordingly. Every pixel of the crop
    averages the part of the picture it covers.
    Where the frame leaves the picture, the picture's border is repeated: an even background
    as in FER2013, without the hard edge that black would draw beside the face.

    Parameters
    ----------
    image : str, Path, bytes, PIL.Image.Image or numpy.ndarray
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
    FileNotFoundError
        As `load_image` raises it.
    TypeError
        As `load_image` raises it, or if `face` is no FaceBox, or `size` no whole number.
    ValueError
        As `load_image` raises it, or if `face` lies outside the picture, its key points
        coincide, or `size` is below 1.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> face = fer.FaceDetector().detect(astronaut())[0]
    >>> crop = fer.crop_face(astronaut(), face)
    >>> crop.shape, crop.dtype
    ((48, 48), dtype('uint8'))
    """
    size = checked_whole_number("size", size, least=1, hint=" px")
    if not hasattr(face, "box"):
        raise TypeError(
            f"face must be a FaceBox, as FaceDetector.detect finds it, got {type(face).__name__}."
        )
    pixels = load_image(image)
    _check_inside(face, pixels)
    origin, side = _frame_in_picture(face)
    cut, corner = _cut_around(pixels, origin, side)
    # Less a rounding error, which must not double the work.
    oversampling = max(1, math.ceil(abs(side) / size - 1e-6))
    return _resample(cut, origin - corner, side, size, oversampling)


def crop_whole(image: ImageSource, size: int = 48) -> np.ndarray:
    """Return a picture that is a face and nothing else, in grey, as a crop of `crop_face`.

    A picture of that size keeps its pixels. Others are scaled, their pixels averaged where it
    shrinks; one that is not square keeps its shape, and its border is repeated on the shorter
    sides.

    Parameters
    ----------
    image : str, Path, bytes, PIL.Image.Image or numpy.ndarray
        Any picture that `load_image` takes: a face cut out by a tracker, or one of FER2013.
    size : int
        Side of the crop in px.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size).

    Raises
    ------
    FileNotFoundError
        As `load_image` raises it.
    TypeError
        As `load_image` raises it, or if `size` is no whole number.
    ValueError
        As `load_image` raises it, or if all pixels are the same, or `size` is below 1.

    Examples
    --------
    >>> face = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48) * 28
    >>> crop_whole(face).shape, crop_whole(face[:, :30], size=64).shape
    ((48, 48), (64, 64))
    """
    size = checked_whole_number("size", size, least=1, hint=" px")
    gray = to_gray(load_image(image))
    if gray.min() == gray.max():
        raise ValueError("image shows no face: all its pixels are the same.")
    height, width = gray.shape
    longer = max(height, width)
    fitted = (max(1, round(width * size / longer)), max(1, round(height * size / longer)))
    scaled = np.array(Image.fromarray(gray).resize(fitted, Image.Resampling.BICUBIC))
    margins = [((size - side) // 2, -((side - size) // 2)) for side in scaled.shape]
    return np.pad(scaled, margins, mode="edge")


def _check_inside(face: FaceBox, pixels: np.ndarray) -> None:
    x, y, w, h = face.box
    height, width = pixels.shape[:2]
    if x < 0 or y < 0 or x + w > width or y + h > height:
        raise ValueError(
            f"face must lie inside the picture of {width}x{height} px, its box is {face.box}; "
            "pass the picture in which it was found."
        )


def _frame_in_picture(face: FaceBox) -> tuple[complex, complex]:
    """Place FER2013's frame on a face: the picture's point of frame point z is origin + side * z.

    Points are complex numbers, x + iy: one factor then turns and scales at once.
    """
    points = np.array([complex(*face.keypoints[name]) for name in KEYPOINTS])
    weights = np.array([_FRAME_WEIGHTS[name] for name in KEYPOINTS])
    middle = points.mean()
    # From the middle, so that the weights' rounding does not grow with the place in the picture.
    center, side = (points - middle) @ weights
    if not abs(side) >= 1:
        raise ValueError("face cannot be framed: its key points are within about one pixel.")
    return complex(middle + center - side * (0.5 + 0.5j)), complex(side)


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
