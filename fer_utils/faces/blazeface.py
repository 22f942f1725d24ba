"""MediaPipe's detector: its file, the libraries it needs, and its end."""

import atexit
import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..files import SAVED_MODELS

DETECTOR_FILE = SAVED_MODELS / "face_detector" / "face_detection_short_range.tflite"
DETECTOR_SHA256 = "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"

_PIP_REMEDY = "pip install mediapipe==0.10.32"
_APT_REMEDY = "apt-get install libegl1 libgles2 libgl1 libglib2.0-0"

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
        The file is missing.
    ValueError
        The file is not the one that was shipped.
    """
    remedy = "fetch saved_models/face_detector from the repository again"
    if not DETECTOR_FILE.is_file():
        raise FileNotFoundError(
            f"there is no face detector's file {str(DETECTOR_FILE)!r}; {remedy}"
        )
    content = DETECTOR_FILE.read_bytes()
    if hashlib.sha256(content).hexdigest() != DETECTOR_SHA256:
        raise ValueError(
            f"the face detector's file {str(DETECTOR_FILE)!r} was changed or damaged: "
            f"its SHA-256 is not {DETECTOR_SHA256}; {remedy}"
        )
    return content


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Keep MediaPipe from importing TensorFlow, which takes seconds.

    It asks only for a decorator of TensorFlow's documentation tools and does without where they
    are missing; None in `sys.modules` stands for missing.
    """
    asked_for = "tensorflow.tools.docs"
    if asked_for in sys.modules:
        yield
        return
    sys.modules[asked_for] = None
    try:
        yield
    finally:
        del sys.modules[asked_for]


def create_detector(model: bytes, min_score: float) -> Any:
    """Make MediaPipe's own detector from the bytes of its file.

    Raises
    ------
    ImportError
        MediaPipe, or a system library that it needs, is not installed.
    """
    try:
        with _without_tensorflow():
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
    _open_detectors.add(detector)
    return detector


def close_detector(detector: Any) -> None:
    """Free the memory of a detector that `create_detector` made. Nothing else frees it."""
    detector.close()
    _open_detectors.discard(detector)
