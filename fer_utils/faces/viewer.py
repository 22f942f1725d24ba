"""Several views of a picture, each looked at by a MediaPipe detector of its own."""

import os
import weakref
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np

from .blazeface import close_detector, create_detector
from .boxes import KEYPOINTS, FaceBox
from .views import View

# Few enough to be made quickly.
_MOST_DETECTORS = 4


class Viewer:
    """Looks at views with several detectors at once, so that no core is idle.

    Parameters
    ----------
    model : bytes
        The detector's file, as `read_detector_file` returns it.
    min_score : float
        Faces with a lower score than this, from 0 to 1, are left out.

    Raises
    ------
    ImportError
        MediaPipe, or a system library that it needs, is not installed.
    """

    def __init__(self, model: bytes, min_score: float) -> None:
        # One more than cores: each waits now and then for another of MediaPipe's threads.
        count = min(1 + (os.cpu_count() or 1), _MOST_DETECTORS)
        detectors = [create_detector(model, min_score) for _ in range(count)]
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for detector in detectors:
            self._idle.put(detector)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="face_detector")
        # Also when nobody calls `close`.
        self._release = weakref.finalize(self, _release, self._threads, detectors)
        self._release.atexit = False  # blazeface closes what is open then

    def look(
        self, views: Iterable[View], picture_size: tuple[int, int]
    ) -> list[tuple[View, list[FaceBox]]]:
        """Find the faces in each view, in px of the picture of `picture_size` (width, height).

        A generator lets the detectors look at the first views while it makes the others.
        """
        sights = [(view, self._threads.submit(self._detect, view)) for view in views]
        return [
            (view, _to_face_boxes(sight.result(), view, picture_size)) for view, sight in sights
        ]

    def close(self) -> None:
        """Free the detectors' memory. Closing twice does no harm."""
        self._release()

    def _detect(self, view: View) -> list[Any]:
        """Let the next idle detector look: none of them can do two things at once."""
        import mediapipe

        detector = self._idle.get()
        try:
            image = mediapipe.Image(mediapipe.ImageFormat.SRGB, view.pixels)
            return detector.detect(image).detections
        finally:
            self._idle.put(detector)


def _release(threads: ThreadPoolExecutor, detectors: Iterable[Any]) -> None:
    threads.shutdown()
    for detector in detectors:
        close_detector(detector)


def _to_face_boxes(
    detections: Iterable[Any], view: View, picture_size: tuple[int, int]
) -> list[FaceBox]:
    faces = (_to_face_box(detection, view, picture_size) for detection in detections)
    return [face for face in faces if face]


def _to_face_box(detection: Any, view: View, picture_size: tuple[int, int]) -> FaceBox | None:
    """Bring a detection into the picture's px and clip it; None if its box is all outside."""
    box = detection.bounding_box
    x, y = box.origin_x, box.origin_y
    corners = view.to_picture(np.array([(x, y), (x + box.width, y + box.height)]))
    (left, top), (right, bottom) = np.rint(corners.clip(0, picture_size)).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    shares = np.array([(point.x, point.y) for point in detection.keypoints])
    points = view.to_picture(shares * view.pixels.shape[1::-1])
    return FaceBox(
        box=(left, top, right - left, bottom - top),
        score=float(detection.categories[0].score),
        keypoints=dict(zip(KEYPOINTS, map(tuple, points.tolist()), strict=True)),
    )
