"""The face detector: looks at a picture with MediaPipe and returns the faces found."""

import warnings
from typing import Any

import numpy as np
from PIL import Image

from .faces import KEYPOINTS, FaceBox, overlap
from .images import ImageSource, load_image
from .mediapipe_detector import create_detector, metrics_warning, read_detector_file

# Lower scores make faces of the cat and the flower among the photographs that scikit-image and
# scikit-learn ship.
MIN_CONFIDENCE = 0.6
# The longer side of what the detector is shown: its network's input. Pillow averages the pixels
# when it shrinks, MediaPipe skips some and misses more of the small faces.
_LOOK_PX = 128
# The side of a face's own window in the second look, as a multiple of its box.
_WINDOW_TO_BOX = 2.4


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
        best = max(again, key=lambda other: overlap(face, other), default=face)
        return best if overlap(face, best) > 0.5 else face

    def close(self) -> None:
        """Free the detector's memory. Closing twice does no harm."""
        if self._detector is not None:
            self._detector.close()
            self._detector = None

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
