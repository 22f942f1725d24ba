"""Recognizers for tests of `bulk`: quick ones, and some that end their process at a picture."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_utils.faces.boxes import FaceBox
from fer_utils.recognition.recognizer import EmotionRecognizer
from tests.helpers.stand_ins import OneFaceDetector, quick_recognizer

DEADLY_WIDTH = 13


class FragileDetector(OneFaceDetector):
    """Ends its process, as a crash in a decoder does, when a picture has DEADLY_WIDTH."""

    def __init__(self, once: Path | None, pause_s: float) -> None:
        self._once, self._pause_s = once, pause_s

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        time.sleep(self._pause_s)
        if image.shape[1] == DEADLY_WIDTH and not (self._once and self._once.exists()):
            if self._once:
                self._once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(image)


def load(once: str | None = None, pause_s: float = 0.0, **_: object) -> EmotionRecognizer:
    """Return a quick recognizer; with `once`, a file, its process only ends until that exists."""
    return quick_recognizer(FragileDetector(Path(once) if once else None, pause_s))


def fail(models: Sequence[str] = (), **_: object) -> EmotionRecognizer:
    raise ValueError("no such network")
