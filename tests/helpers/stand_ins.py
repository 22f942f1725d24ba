"""Stand-ins for the networks and the detector, where a test is about something else."""

from collections.abc import Sequence

import numpy as np

from fer_utils.emotions import EMOTIONS
from fer_utils.faces.boxes import KEYPOINTS, FaceBox
from fer_utils.recognition.recognizer import EmotionRecognizer


class BrightnessClassifier:
    """Takes bright crops for happy and dark ones for sad."""

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        probabilities = np.full((len(images), len(EMOTIONS)), 0.02, np.float32)
        happy = np.clip(images.mean(axis=(1, 2)) / 255, 0, 1) * 0.9
        probabilities[:, EMOTIONS.index("happy")] = happy
        probabilities[:, EMOTIONS.index("sad")] = 0.9 - happy
        return probabilities / probabilities.sum(axis=1, keepdims=True)


class OneFaceDetector:
    """Sees one face, in the middle of every picture."""

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        height, width = image.shape[:2]
        return [face_at(width // 4, height // 4, min(width, height) // 2)]

    def follow(self, image: np.ndarray, faces: Sequence[FaceBox]) -> list[FaceBox]:
        return self.detect(image) if faces else []


def face_at(x: int, y: int, side: int) -> FaceBox:
    """Return a face whose key points lie in its box as they do in most faces."""
    places = ((0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.5, 0.75), (0.05, 0.45), (0.95, 0.45))
    points = {
        name: (x + a * side, y + b * side) for name, (a, b) in zip(KEYPOINTS, places, strict=True)
    }
    return FaceBox((x, y, side, side), 0.9, points)


def quick_recognizer(
    detector: object | None = None, *, min_confidence: float = 0.0
) -> EmotionRecognizer:
    """Return a recognizer of these stand-ins; a real detector may take the place of one."""
    return EmotionRecognizer(
        BrightnessClassifier(), detector or OneFaceDetector(), min_confidence=min_confidence
    )
