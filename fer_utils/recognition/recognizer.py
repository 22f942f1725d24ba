"""A picture in, its faces with their emotions out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..argument_checks import checked_flag, checked_share
from ..emotions import EMOTIONS, UNSURE
from ..faces.boxes import FaceBox
from ..faces.crop import crop_face, crop_whole
from ..faces.detector import MIN_SCORE, FaceDetector
from ..images import ColorOrder, ImageSource, load_image
from ..network.vote import Precision, SoftVote
from .drawing import describe, face_number
from .face_html import to_html

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
        How sure the detector is that this is a face, 0-1; 1 where it was not asked.
    emotions : mapping of str to float
        The probability of each emotion, 0-1; they sum to 1. Ours stand in the order of
        `EMOTIONS`.
    is_sure : bool
        Whether `label` names the emotion.
    crop : ndarray of uint8, optional
        The face cut out upright, in grey, as the networks saw it. Notebooks show it.

    Raises
    ------
    ValueError
        If `emotions` holds our names in another order, or others and too few of them.

    Examples
    --------
    >>> face = fer.EmotionRecognizer.load().recognize("docs/faces/happy-collins.jpg")[0]
    >>> face.top, face.confidence == max(face.emotions.values())
    ('happy', True)
    """

    box: tuple[int, int, int, int]
    detection_score: float
    emotions: Mapping[str, float]
    is_sure: bool = field(default=True, kw_only=True)
    crop: np.ndarray | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        names = tuple(self.emotions)
        is_other = set(names) != set(EMOTIONS) and abs(sum(self.emotions.values()) - 1) < 0.01
        if names != EMOTIONS and not is_other:
            raise ValueError(
                f"emotions must be {EMOTIONS} in this order, or others whose probabilities sum to "
                f"1, got {dict(self.emotions)}."
            )

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
        """Return ``{"box": [x, y, w, h], "emotions": {name: p}}``, as the package `fer` does."""
        return {"box": list(self.box), "emotions": dict(self.emotions)}

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    def _repr_html_(self) -> str:
        return to_html([self])


class FaceList(list[FaceEmotion]):
    """The faces of one picture: a list, which prints briefly and which notebooks show in full.

    Parameters
    ----------
    iterable : iterable of FaceEmotion, optional

    Examples
    --------
    >>> even = dict.fromkeys(EMOTIONS, 0.1)
    >>> FaceList([FaceEmotion((10, 20, 90, 90), 0.9, even | {"happy": 0.4})])
    [1: happy 40% at (10, 20), 90x90 px]
    """

    def __repr__(self) -> str:
        described = (f"{face_number(f, place)}: {describe(f)}" for place, f in enumerate(self))
        return "[" + ",\n ".join(described) + "]"

    def _repr_html_(self) -> str:
        return to_html(self)


class EmotionRecognizer:
    """Finds the faces in pictures and tells the emotion each of them shows.

    It may be used in several threads, and in forked processes. Pickled, as pools of other
    processes do, it is what it was made from, a few hundred bytes, and is made anew there, which
    takes a moment: make one for each process, not one for each picture.

    Parameters
    ----------
    classifier : SoftVote
        Tells emotions from uint8 faces of shape (n, side, side); faces are cut out at its
        `input_size`, (48, 48) if it has none.
    detector : FaceDetector
        Finds the faces.
    min_confidence : float
        An emotion is only named when its probability (`FaceEmotion.confidence`) is at least
        this, from 0 to 1; else `label` is "unsure", and `top` the most probable one all the
        same. With 0 the label is always `top`. Kept as `min_confidence`.

    Attributes
    ----------
    face_px : int
        Side in px at which faces are cut out for `classifier`.

    Raises
    ------
    TypeError
        If `classifier` or `detector` cannot do that, or `min_confidence` is no number.
    ValueError
        If `min_confidence` is outside 0-1, or `classifier` takes no square pictures.

    Examples
    --------
    >>> recognizer = fer.EmotionRecognizer.load()
    >>> [face.top for face in recognizer.recognize("docs/faces/happy-collins.jpg")]
    ['happy']
    """

    def __init__(
        self, classifier: SoftVote, detector: FaceDetector, *, min_confidence: float = 0.0
    ) -> None:
        if not hasattr(classifier, "predict_proba"):
            raise TypeError(
                f"classifier must be a SoftVote, got {type(classifier).__name__}; "
                "let a single network vote alone with SoftVote([model])."
            )
        if not hasattr(detector, "detect"):
            raise TypeError(
                f"detector must be a FaceDetector, got {type(detector).__name__}; make one with "
                "FaceDetector(), also where only faces cut out already are recognised."
            )
        self.face_px = _side_of_faces(classifier)
        self.classifier = classifier
        self.detector = detector
        self.min_confidence = checked_share("min_confidence", min_confidence)

    @property
    def emotions(self) -> tuple[str, ...]:
        """The names of the emotions that the classifier tells apart."""
        return getattr(self.classifier, "emotions", EMOTIONS)

    @classmethod
    def load(
        cls,
        models: Sequence[str | Path] | None = None,
        *,
        min_confidence: float = 0.0,
        min_detection_score: float = MIN_SCORE,
        thorough: bool = False,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> "EmotionRecognizer":
        """Load the shipped networks, or your own, and the shipped face detector.

        Parameters
        ----------
        models : sequence of str or Path, optional
            Weights files that `train` wrote; their networks vote with equal weight. Without it,
            the vote in ``saved_models``. Whole networks of others go to `SoftVote`, and that to
            `EmotionRecognizer`.
        min_confidence : float
            The least probability, from 0 to 1, at which an emotion is named; below it, `label`
            is "unsure". With 0 every face's emotion is named.
        min_detection_score : float
            Faces with a lower `detection_score` than this, from 0 to 1, are left out; the
            `min_score` of `FaceDetector`.
        thorough : bool
            As `FaceDetector` takes it.
        precision : {"float", "int8"}, optional
            As `SoftVote.load` takes it; weights files of your own are computed in "float".
        threads : int, optional
            How many cores to keep busy: fewer where others need them too, or where several
            processes recognise side by side. By default all that the process may use. Each network
            has one thread at least.

        Raises
        ------
        FileNotFoundError, ValueError
            As `SoftVote.load`, `SoftVote.from_weights` and `FaceDetector` raise them, or
            `min_confidence` or `min_detection_score` is outside 0-1, `threads` below 1, or
            `precision` "int8" beside `models`.
        TypeError
            If one of the first two is no number, `threads` no whole number, or `thorough` neither
            True nor False.
        ImportError
            As `SoftVote.load` and `FaceDetector` raise it.
        """
        min_confidence = checked_share("min_confidence", min_confidence)
        min_score = checked_share("min_detection_score", min_detection_score)
        if models is None:
            classifier = SoftVote.load(precision=precision, threads=threads)
        elif precision not in (None, "float"):
            raise ValueError(
                f"precision must be 'float' for weights files of your own, got {precision!r}; a "
                "vote file can name an int8 copy of its networks: EmotionRecognizer("
                "SoftVote.load('mine/vote.json'), FaceDetector())."
            )
        else:
            classifier = SoftVote.from_weights(models, threads=threads)
        detector = FaceDetector(min_score, thorough=thorough, threads=threads)
        return cls(classifier, detector, min_confidence=min_confidence)

    def recognize(
        self, image: ImageSource, *, color: ColorOrder = "rgb", detect: bool = True
    ) -> FaceList:
        """Find the faces in one picture and tell their emotions.

        Parameters
        ----------
        image : str, Path, bytes, PIL.Image.Image or numpy.ndarray
            Any picture that `load_image` takes.
        color : {"rgb", "bgr"}
            The order of an array's channels, as `load_image` takes it.
        detect : bool
            Whether to look for faces. False says that the picture is a face already cut out, as
            those of FER2013 and of face trackers are: all of it is classified, whatever it shows.
            The detector, made for faces with some of the head around them, misses many of those.

        Returns
        -------
        FaceList
            A list of `FaceEmotion`, from left to right; empty when there is no face. Without
            `detect` it is one face, whose box is the whole picture; none where all pixels are the
            same.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_image` raises them.
        TypeError
            If `image` is no picture, or `detect` neither True nor False; for several pictures, use
            `recognize_batch`.

        Examples
        --------
        >>> from matplotlib.cbook import get_sample_data
        >>> portrait = load_image(get_sample_data("grace_hopper.jpg", asfileobj=False))
        >>> recognizer = EmotionRecognizer.load()
        >>> [face.box for face in recognizer.recognize(portrait[120:340, 150:370], detect=False)]
        [(0, 0, 220, 220)]
        """
        if isinstance(image, list | tuple):
            raise TypeError(
                f"image must be one picture, got a {type(image).__name__}; "
                "pass several to recognize_batch."
            )
        checked_flag("detect", detect)
        return self._recognize_some([load_image(image, color=color)], detect)[0]

    def recognize_batch(
        self, images: Iterable[ImageSource], *, color: ColorOrder = "rgb", detect: bool = True
    ) -> list[FaceList]:
        """Find the faces in several pictures and tell their emotions, up to 64 faces at a time.

        A generator of any length will do: of the pictures, one is held at a time.

        Parameters
        ----------
        images : iterable of str, Path, bytes, PIL.Image.Image or numpy.ndarray
            Any pictures that `load_image` takes, read one after the other.
        color : {"rgb", "bgr"}
            The order of the arrays' channels, as `load_image` takes it.
        detect : bool
            Whether to look for faces, as `recognize` takes it.

        Returns
        -------
        list of FaceList
            For each picture what `recognize` returns.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_image` raises them, with the picture's index; `recognize_folder` goes on
            instead.
        TypeError
            If `images` is a single picture or cannot be iterated, one of them is no picture, or
            `detect` is neither True nor False.
        """
        checked_flag("detect", detect)
        _refuse_single_picture(images)
        pictures = _load_each(images, color)
        faces: list[FaceList] = []
        while some := self._recognize_some(islice(pictures, BATCH_SIZE), detect):
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
                    crops.append(crop_face(pixels, box, self.face_px))
                    boxes_of_pictures[-1].append(box)
        seen = zip(crops, self._classify(crops), strict=True)
        return [
            [(box, self._to_emotion(box.box, box.score, *next(seen))) for box in boxes]
            for boxes in boxes_of_pictures
        ]

    def _recognize_some(self, pictures: Iterable[np.ndarray], detect: bool) -> list[FaceList]:
        if not detect:
            return self._recognize_whole(pictures)
        found = self.recognize_found((pixels, self.detector.detect(pixels)) for pixels in pictures)
        return [FaceList(face for _, face in faces) for faces in found]

    def _recognize_whole(self, pictures: Iterable[np.ndarray]) -> list[FaceList]:
        boxes_of_pictures: list[list[tuple[int, int, int, int]]] = []
        crops: list[np.ndarray] = []
        for pixels in pictures:
            boxes_of_pictures.append([])
            with suppress(ValueError):  # a picture of one colour
                crops.append(crop_whole(pixels, self.face_px))
                boxes_of_pictures[-1].append((0, 0, *pixels.shape[1::-1]))
        seen = zip(crops, self._classify(crops), strict=True)
        return [
            FaceList(self._to_emotion(box, 1.0, *next(seen)) for box in boxes)
            for boxes in boxes_of_pictures
        ]

    def _classify(self, crops: list[np.ndarray]) -> Iterator[np.ndarray]:
        for start in range(0, len(crops), BATCH_SIZE):
            yield from self.classifier.predict_proba(np.stack(crops[start : start + BATCH_SIZE]))

    def _to_emotion(
        self,
        box: tuple[int, int, int, int],
        score: float,
        crop: np.ndarray,
        probabilities: np.ndarray,
    ) -> FaceEmotion:
        emotions = dict(zip(self.emotions, map(float, probabilities), strict=True))
        return FaceEmotion(
            box=box,
            detection_score=score,
            emotions=emotions,
            is_sure=max(emotions.values()) >= self.min_confidence,
            crop=crop,
        )


def _side_of_faces(classifier: object) -> int:
    """Return the side in px of the faces that a classifier takes."""
    height, width = getattr(classifier, "input_size", (48, 48))
    if height != width:
        raise ValueError(
            f"classifier must take square pictures, as faces are cut out, got {height}x{width} px "
            "(height x width); let its networks begin with keras.layers.Resizing."
        )
    return height


def _refuse_single_picture(images: object) -> None:
    single = isinstance(images, str | Path | Image.Image)
    if single or (isinstance(images, np.ndarray) and images.ndim <= 3):
        raise TypeError(
            f"images must be several pictures, got a single {type(images).__name__}; "
            "pass one to recognize, or write [image]."
        )
    if not isinstance(images, Iterable):
        raise TypeError(f"images must be several pictures, got {type(images).__name__}.")


def _load_each(images: Iterable[ImageSource], color: ColorOrder) -> Iterator[np.ndarray]:
    """Load the pictures one after the other; an error says which of them it is about."""
    for number, image in enumerate(images):
        try:
            yield load_image(image, color=color)
        except (OSError, TypeError, ValueError) as error:
            error.args = (f"images[{number}]: {error}",)
            raise
