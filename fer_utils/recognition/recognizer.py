"""A picture in, its faces with their emotions out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..argument_checks import checked_share
from ..emotions import EMOTIONS, UNSURE
from ..faces.boxes import FaceBox
from ..faces.crop import crop_face
from ..faces.detector import MIN_SCORE, FaceDetector
from ..images import ColorOrder, ImageSource, load_image
from ..network.vote import SoftVote

# Pictures that share classifier calls, and faces in such a call: enough that more would not be
# quicker, few enough that their faces take next to no memory.
BATCH_SIZE = 64


@dataclass(frozen=True)
class FaceEmotion:
    """A face and the emotion it shows.

    Parameters
    ----------
    box : tuple of int
        (x, y, width, height) in px, inside the picture.
    detection_score : float
        How sure the detector is that this is a face, 0-1.
    emotions : mapping of str to float
        The probability of each emotion, 0-1, in the order of `EMOTIONS`; they sum to 1.
    is_sure : bool
        Whether `label` names the emotion.

    Raises
    ------
    ValueError
        `emotions` holds other names, or the same in another order.
    """

    box: tuple[int, int, int, int]
    detection_score: float
    emotions: Mapping[str, float]
    is_sure: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if tuple(self.emotions) != EMOTIONS:
            raise ValueError(f"emotions must be {EMOTIONS} in this order, got {[*self.emotions]}")

    @property
    def top(self) -> str:
        """The most probable emotion."""
        return max(self.emotions, key=self.emotions.__getitem__)

    @property
    def label(self) -> str:
        """What to call the face's emotion: `top`, or "unsure"."""
        return self.top if self.is_sure else UNSURE

    @property
    def confidence(self) -> float:
        """The probability of `top`, 0-1."""
        return self.emotions[self.top]

    def to_dict(self) -> dict[str, Any]:
        """Return `{"box": [x, y, w, h], "emotions": {name: p}}`, as the package `fer` does."""
        return {"box": list(self.box), "emotions": dict(self.emotions)}


class EmotionRecognizer:
    """Finds the faces in pictures and tells the emotion each of them shows.

    Parameters
    ----------
    classifier : SoftVote
        Tells emotions from uint8 faces of shape (n, 48, 48).
    detector : FaceDetector
        Finds the faces.
    min_confidence : float
        An emotion is only named when its probability (`FaceEmotion.confidence`) is at least
        this, from 0 to 1; else `label` is "unsure", and `top` the most probable one all the
        same. With 0 the label is always `top`. Kept as `min_confidence`.

    Raises
    ------
    TypeError
        `classifier` or `detector` cannot do that, or `min_confidence` is no number.
    ValueError
        `min_confidence` is outside 0-1.
    """

    def __init__(
        self, classifier: SoftVote, detector: FaceDetector, *, min_confidence: float = 0.0
    ) -> None:
        if not hasattr(classifier, "predict_proba"):
            raise TypeError(
                f"classifier must be a SoftVote, got {type(classifier).__name__}; "
                "let a single network vote alone with SoftVote([model])"
            )
        if not hasattr(detector, "detect"):
            raise TypeError(f"detector must be a FaceDetector, got {type(detector).__name__}")
        self.classifier = classifier
        self.detector = detector
        self.min_confidence = checked_share("min_confidence", min_confidence)

    @classmethod
    def load(
        cls,
        models: Sequence[str | Path] | None = None,
        *,
        min_confidence: float = 0.0,
        min_detection_score: float = MIN_SCORE,
        thorough: bool = False,
    ) -> "EmotionRecognizer":
        """Load the shipped networks, or your own, and the shipped face detector.

        Parameters
        ----------
        models : sequence of str or Path, optional
            Weights files that `train` wrote; their networks vote with equal weight. Without it,
            the vote in `saved_models`.
        min_confidence : float
            The least probability, from 0 to 1, at which an emotion is named; below it, `label`
            is "unsure". With 0 every face's emotion is named.
        min_detection_score : float
            Faces with a lower `detection_score` than this, from 0 to 1, are left out; the
            `min_score` of `FaceDetector`.
        thorough : bool
            As `FaceDetector` takes it.

        Raises
        ------
        FileNotFoundError, ValueError
            As `SoftVote.load`, `SoftVote.from_weights` and `FaceDetector` raise them, or
            `min_confidence` or `min_detection_score` is outside 0-1.
        TypeError
            One of these two is no number, or `thorough` neither True nor False.
        ImportError
            As `FaceDetector` raises it.
        """
        min_confidence = checked_share("min_confidence", min_confidence)
        min_score = checked_share("min_detection_score", min_detection_score)
        classifier = SoftVote.load() if models is None else SoftVote.from_weights(models)
        detector = FaceDetector(min_score, thorough=thorough)
        return cls(classifier, detector, min_confidence=min_confidence)

    def recognize(self, image: ImageSource, *, color: ColorOrder = "rgb") -> list[FaceEmotion]:
        """Find the faces in one picture and tell their emotions.

        Parameters
        ----------
        image : str, Path, PIL.Image.Image or numpy.ndarray
            Any picture that `load_image` takes.
        color : {"rgb", "bgr"}
            The order of an array's channels, as `load_image` takes it.

        Returns
        -------
        list of FaceEmotion
            From left to right; empty when there is no face.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_image` raises them.
        TypeError
            `image` is no picture; for several of them, use `recognize_batch`.
        """
        if isinstance(image, list | tuple):
            raise TypeError(
                f"image must be one picture, got a {type(image).__name__}; "
                "pass several to recognize_batch"
            )
        return self._recognize_some([load_image(image, color=color)])[0]

    def recognize_batch(
        self, images: Iterable[ImageSource], *, color: ColorOrder = "rgb"
    ) -> list[list[FaceEmotion]]:
        """Find the faces in several pictures and tell their emotions, up to 64 faces at a time.

        A generator of any length will do: of the pictures, one is held at a time.

        Parameters
        ----------
        images : iterable of str, Path, PIL.Image.Image or numpy.ndarray
            Any pictures that `load_image` takes, read one after the other.
        color : {"rgb", "bgr"}
            The order of the arrays' channels, as `load_image` takes it.

        Returns
        -------
        list of list of FaceEmotion
            For each picture what `recognize` returns.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_image` raises them, with the picture's index; `recognize_folder` goes on
            instead.
        TypeError
            `images` is a single picture or cannot be iterated, or one of them is no picture.
        """
        _refuse_single_picture(images)
        pictures = _load_each(images, color)
        faces: list[list[FaceEmotion]] = []
        while some := self._recognize_some(islice(pictures, BATCH_SIZE)):
            faces += some
        return faces

    def recognize_found(
        self, pictures: Iterable[tuple[np.ndarray, Sequence[FaceBox]]]
    ) -> list[list[tuple[FaceBox, FaceEmotion]]]:
        """Tell the emotions of faces that are found already, in pictures and in video frames.

        Parameters
        ----------
        pictures : iterable of (numpy.ndarray, sequence of FaceBox)
            Pictures, uint8 (h, w, 3), RGB, each with its faces; one of them is held at a time.

        Returns
        -------
        list of list of (FaceBox, FaceEmotion)
            For each picture its faces in the same order, without those whose key points
            coincide: nobody could tell their emotion.
        """
        boxes_of_pictures: list[list[FaceBox]] = []
        crops: list[np.ndarray] = []
        for pixels, boxes in pictures:
            boxes_of_pictures.append([])
            for box in boxes:
                with suppress(ValueError):
                    crops.append(crop_face(pixels, box))
                    boxes_of_pictures[-1].append(box)
        rows = self._classify(crops)
        return [
            [(box, self._to_emotion(box, next(rows))) for box in boxes]
            for boxes in boxes_of_pictures
        ]

    def _recognize_some(self, pictures: Iterable[np.ndarray]) -> list[list[FaceEmotion]]:
        found = self.recognize_found((pixels, self.detector.detect(pixels)) for pixels in pictures)
        return [[face for _, face in faces] for faces in found]

    def _classify(self, crops: list[np.ndarray]) -> Iterator[np.ndarray]:
        for start in range(0, len(crops), BATCH_SIZE):
            yield from self.classifier.predict_proba(np.stack(crops[start : start + BATCH_SIZE]))

    def _to_emotion(self, face: FaceBox, probabilities: np.ndarray) -> FaceEmotion:
        emotions = dict(zip(EMOTIONS, map(float, probabilities), strict=True))
        return FaceEmotion(
            box=face.box,
            detection_score=face.score,
            emotions=emotions,
            is_sure=max(emotions.values()) >= self.min_confidence,
        )


def _refuse_single_picture(images: object) -> None:
    single = isinstance(images, str | Path | Image.Image)
    if single or (isinstance(images, np.ndarray) and images.ndim <= 3):
        raise TypeError(
            f"images must be several pictures, got a single {type(images).__name__}; "
            "pass one to recognize, or write [image]"
        )
    if not isinstance(images, Iterable):
        raise TypeError(f"images must be several pictures, got {type(images).__name__}")


def _load_each(images: Iterable[ImageSource], color: ColorOrder) -> Iterator[np.ndarray]:
    """Load the pictures one after the other; an error says which of them it is about."""
    for number, image in enumerate(images):
        try:
            yield load_image(image, color=color)
        except (OSError, TypeError, ValueError) as error:
            error.args = (f"images[{number}]: {error}",)
            raise
