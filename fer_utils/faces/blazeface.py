"""MediaPipe's BlazeFace: its file, the libraries it needs, several of it at work, and its end."""

import atexit
import hashlib
import importlib
import importlib.metadata
import os
import re
import sys
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np

from ..files import SAVED_MODELS
from ..processes import stop_if_too_late
from ..quiet import quiet
from .boxes import KEYPOINTS, FaceBox
from .views import VIEW_PX, View

DETECTOR_FILE = SAVED_MODELS / "face_detector" / "face_detection_short_range.tflite"
DETECTOR_SHA256 = "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"

_PIP_REMEDY = "pip install mediapipe==0.10.32"
_APT_REMEDY = "apt-get install libegl1 libgles2 libgl1 libglib2.0-0"
_FOR_DRAWING_AND_SOUND = ("cv2", "matplotlib.pyplot", "sounddevice")
_OF_TENSORFLOW = "tensorflow.tools.docs"
# Few enough to be made quickly.
_MOST_DETECTORS = 4

# It keeps them from garbage collection, which ends their worker threads before their `__del__`
# waits for them, without end.
_open_detectors: set[Any] = set()


@atexit.register
def _close_all() -> None:
    """Close what its owner left open: MediaPipe's own `__del__` fails noisily at exit.

    It is registered before mediapipe is imported, so it runs after mediapipe's own exit handler,
    when closing no longer asks for the worker thread, which has ended by then.
    """
    for detector in list(_open_detectors):
        with suppress(RuntimeError):
            detector.close()


def metrics_warning() -> str | None:
    """Say what to do if the installed MediaPipe would send usage metrics; None if it does not."""
    try:
        version = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError:
        return None
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < (0, 10, 35):
        return None
    return (
        f"mediapipe {version} reports its use to a server over the network, as every version "
        f"from 0.10.35 on does; to keep all on this machine: {_PIP_REMEDY}"
    )


def read_detector_file() -> bytes:
    """Read the face detector's file and compare its checksum.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If the file is not the one that was shipped.
    """
    remedy = "install fer_utils anew, or fetch saved_models/face_detector from the repository"
    if not DETECTOR_FILE.is_file():
        raise FileNotFoundError(
            f"there is no face detector's file {str(DETECTOR_FILE)!r}; {remedy}."
        )
    content = DETECTOR_FILE.read_bytes()
    if hashlib.sha256(content).hexdigest() != DETECTOR_SHA256:
        raise ValueError(
            f"the face detector's file {str(DETECTOR_FILE)!r} was changed or damaged: "
            f"its SHA-256 is not {DETECTOR_SHA256}; {remedy}."
        )
    return content


class _Later(ModuleType):
    """Stands in for a module until something of it is asked for, and imports it then."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked for by whoever looks through all modules
            raise AttributeError(name)
        _leave(self.__name__, self)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _only_for_detection() -> Iterator[None]:
    """Keep MediaPipe from importing what it draws and listens with, and TensorFlow.

    The former are two thirds of its own import. Of TensorFlow, which takes seconds, it asks only
    for a decorator of the documentation tools and does without where they are missing; None in
    `sys.modules` stands for missing.
    """
    later = {name: _Later(name) for name in _FOR_DRAWING_AND_SOUND}
    stand_ins = {n: m for n, m in {**later, _OF_TENSORFLOW: None}.items() if n not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            _leave(name, module)


def _leave(name: str, stand_in: ModuleType | None) -> None:
    """Let the module itself be imported, unless it has been."""
    if name in sys.modules and sys.modules[name] is stand_in:
        del sys.modules[name]


def _create_detector(model: bytes, min_score: float) -> Any:
    """Make MediaPipe's own detector from the bytes of its file.

    Raises
    ------
    ImportError
        If MediaPipe, or a system library that it needs, is not installed.
    """
    try:
        with _only_for_detection():
            from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_buffer=model),
            min_detection_confidence=min_score,
        )
        detector = vision.FaceDetector.create_from_options(options)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"MediaPipe, or a package it needs, is not installed ({error}): {_PIP_REMEDY}"
        ) from error
    except (ImportError, OSError) as error:
        raise ImportError(
            f"MediaPipe needs a system library that cannot be loaded ({error}); "
            f"on Debian and Ubuntu: {_APT_REMEDY}"
        ) from error
    except RuntimeError as error:
        stop_if_too_late(error)
        raise
    _open_detectors.add(detector)
    return detector


def _close_detector(detector: Any) -> None:
    """Free the memory of a detector that `_create_detector` made. Nothing else frees it."""
    detector.close()
    _open_detectors.discard(detector)


def _look_at(pixels: np.ndarray, detector: Any) -> list[Any]:
    import mediapipe

    return detector.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)).detections


class Viewer:
    """Looks at views with several detectors at once, so that no core is idle.

    It serves the process that made it; its threads do not come along into a forked child.

    Parameters
    ----------
    model : bytes
        The detector's file, as `read_detector_file` returns it.
    min_score : float
        Faces with a lower score than this, from 0 to 1, are left out.
    cores : int
        How many cores to keep busy.

    Raises
    ------
    ImportError
        If MediaPipe, or a system library that it needs, is not installed.
    """

    def __init__(self, model: bytes, min_score: float, cores: int) -> None:
        # One more than cores: each waits now and then for another of MediaPipe's threads.
        count = min(1 + cores, _MOST_DETECTORS)
        with quiet():
            detectors = [_create_detector(model, min_score) for _ in range(count)]
            for detector in detectors:  # it starts in threads of its own, for which a look waits
                _look_at(np.zeros((VIEW_PX, VIEW_PX, 3), np.uint8), detector)
        self.process = os.getpid()
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for detector in detectors:
            self._idle.put(detector)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="face_detector")
        # Also when nobody calls `close`.
        self._release = weakref.finalize(self, _release, self.process, self._threads, detectors)
        self._release.atexit = False  # `_close_all` closes what is open then

    def look(
        self, views: Iterable[View], picture_size: tuple[int, int]
    ) -> list[tuple[View, list[FaceBox]]]:
        """Find the faces in each view, in px of the picture of `picture_size` (width, height).

        A generator lets the detectors look at the first views while it makes the others.

        Raises
        ------
        ValueError
            If another thread has closed it, or the program is ending.
        """
        try:
            sights = [(view, self._threads.submit(self._detect, view)) for view in views]
            return [
                (view, _to_face_boxes(sight.result(), view, picture_size)) for view, sight in sights
            ]
        except RuntimeError as error:
            if not self._release.alive:
                raise ValueError(
                    "this FaceDetector was closed meanwhile; make a new one with FaceDetector()."
                ) from error
            stop_if_too_late(error)
            raise

    def close(self) -> None:
        """Free the detectors' memory. Closing twice does no harm."""
        self._release()

    def _detect(self, view: View) -> list[Any]:
        """Let the next idle detector look: none of them can do two things at once."""
        detector = self._idle.get()
        try:
            return _look_at(view.pixels, detector)
        finally:
            self._idle.put(detector)


def _release(process: int, threads: ThreadPoolExecutor, detectors: Iterable[Any]) -> None:
    if process != os.getpid():
        return  # a forked child, which would wait for threads that are not there
    threads.shutdown()
    for detector in detectors:
        _close_detector(detector)


def _to_face_boxes(
    detections: Iterable[Any], view: View, picture_size: tuple[int, int]
) -> list[FaceBox]:
    faces = []
    for detection in detections:
        found = detection.bounding_box
        box = (found.origin_x, found.origin_y, found.width, found.height)
        shares = np.array([(point.x, point.y) for point in detection.keypoints])
        points = shares * view.pixels.shape[1::-1]
        score = float(detection.categories[0].score)
        faces.append(to_face_box(box, score, points, view, picture_size))
    return [face for face in faces if face]


def to_face_box(
    box: tuple[int, int, int, int],
    score: float,
    points: np.ndarray,
    view: View,
    picture_size: tuple[int, int],
) -> FaceBox | None:
    """Bring what was found in a view into the picture's px and clip its box.

    Parameters
    ----------
    box : tuple of int
        (x, y, width, height) in px of the view.
    score : float
        0-1.
    points : ndarray, shape (6, 2)
        (x, y) of each name in `KEYPOINTS`, in px of the view.
    view : View
        Where it was found.
    picture_size : tuple of int
        (width, height) in px.

    Returns
    -------
    FaceBox or None
        None if the box lies outside the picture.
    """
    x, y, width, height = box
    corners = view.to_picture(np.array([(x, y), (x + width, y + height)]))
    (left, top), (right, bottom) = np.rint(corners.clip(0, picture_size)).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    in_picture = map(tuple, view.to_picture(points).tolist())
    return FaceBox(
        box=(left, top, right - left, bottom - top),
        score=score,
        keypoints=dict(zip(KEYPOINTS, in_picture, strict=True)),
    )
