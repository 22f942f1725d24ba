"""Faces: found by MediaPipe on this machine, and cut out the way FER2013's pictures stand."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .detector import create_detector, metrics_warning, read_detector_file
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

# Lower scores make faces of the cat and the flower among the photographs that scikit-image and
# scikit-learn ship.
MIN_CONFIDENCE = 0.6
# The longer side of what the detector is shown: its network's input. Pillow averages the pixels
# when it shrinks, MediaPipe skips some and misses more of the small faces.
_LOOK_PX = 128
# The side of a face's own window in the second look, as a multiple of its box.
_WINDOW_TO_BOX = 2.4


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


class FaceDetector:
    """Finds faces with MediaPipe's short-range BlazeFace; opens no network connection.

    It looks twice: at the whole picture, then at each face's own surroundings. BlazeFace sees
    128x128 px only, so the second look places the eyes and the mouth of a small face more
    precisely. Made for faces within about two metres of the camera: small ones in a
    large picture are missed. Close it with `close()`, or use it in a `with` statement.

    Parameters
    ----------
    min_confidence : float
        Faces with a lower score than this, from 0 to 1, are left out.

    Raises
    ------
    ValueError
        `min_confidence` is outside 0-1, or the detector's file is not the one that was shipped.
    FileNotFoundError
        The detector's file is missing.
    ImportError
        MediaPipe, or a system library that it needs, is not installed.
    """

    def __init__(self, min_confidence: float = MIN_CONFIDENCE) -> None:
        if not (isinstance(min_confidence, int | float) and 0 <= min_confidence <= 1):
            raise ValueError(
                f"min_confidence must be a number between 0 and 1, got {min_confidence!r}"
            )
        if warning := metrics_warning():
            warnings.warn(warning, stacklevel=2)
        self._detector = create_detector(read_detector_file(), min_confidence)

    def detect(self, image: ImageSource) -> list[FaceBox]:
        """Find the faces in a picture.

        Parameters
        ----------
        image : str, Path, PIL.Image.Image or numpy.ndarray
            Any picture that `load_image` takes.

        Returns
        -------
        list of FaceBox
            From left to right, then from top to bottom; empty when there is no face.

        Raises
        ------
        FileNotFoundError, TypeError
            As `load_image` raises them.
        ValueError
            As `load_image` raises it, or the detector is closed.
        """
        if self._detector is None:
            raise ValueError("this FaceDetector is closed; make a new one with FaceDetector()")
        picture = Image.fromarray(load_image(image))
        first = self._look(picture, (0, 0, *picture.size))
        faces = [self._look_closer(picture, face) for face in first]
        return sorted(faces, key=lambda face: face.box)

    def _look(self, picture: Image.Image, window: tuple[int, int, int, int]) -> list[FaceBox]:
        """Find the faces in a window (left, top, right, bottom) of a picture."""
        import mediapipe

        size = np.subtract(window[2:], window[:2])
        look_size = np.ceil(size * min(1, _LOOK_PX / size.max())).astype(int)
        look = picture.resize(
            tuple(look_size), Image.Resampling.BILINEAR, box=window, reducing_gap=2.0
        )
        found = self._detector.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, np.array(look)))
        scale = size / look_size
        faces = [
            _to_face_box(detection, look_size, scale, window[:2], picture.size)
            for detection in found.detections
        ]
        return [face for face in faces if face]

    def _look_closer(self, picture: Image.Image, face: FaceBox) -> FaceBox:
        """Find a face again in a window of its own, where its points are seen more sharply."""
        x, y, w, h = face.box
        reach = _WINDOW_TO_BOX * max(w, h) / 2
        center = np.array([x + w / 2, y + h / 2])
        corners = np.rint([center - reach, center + reach]).clip(0, picture.size)
        again = self._look(picture, tuple(corners.astype(int).ravel().tolist()))
        best = max(again, key=lambda other: _overlap(face, other), default=face)
        return best if _overlap(face, best) > 0.5 else face

    def close(self) -> None:
        """Free the detector's memory. Closing twice does no harm."""
        if self._detector is not None:
            self._detector.close()
            self._detector = None

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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


def _to_face_box(
    detection: Any, look_size: np.ndarray, scale: np.ndarray, offset: Any, picture_size: Any
) -> FaceBox | None:
    """Bring a detection into the picture's px and clip it; None if its box is all outside."""
    box = detection.bounding_box
    upper_left = np.array([box.origin_x, box.origin_y])
    lower_right = upper_left + np.array([box.width, box.height])
    corners = np.array([upper_left, lower_right]) * scale + offset
    (left, top), (right, bottom) = np.rint(corners.clip(0, picture_size)).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    shares = np.array([(point.x, point.y) for point in detection.keypoints])
    points = map(tuple, (shares * look_size * scale + offset).tolist())
    return FaceBox(
        box=(left, top, right - left, bottom - top),
        score=float(detection.categories[0].score),
        keypoints=dict(zip(KEYPOINTS, points, strict=True)),
    )


def _overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union of two boxes, 0-1."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one.box, other.box
    width = min(x1 + w1, x2 + w2) - max(x1, x2)
    height = min(y1 + h1, y2 + h2) - max(y1, y2)
    shared = max(width, 0) * max(height, 0)
    return shared / (w1 * h1 + w2 * h2 - shared)


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
