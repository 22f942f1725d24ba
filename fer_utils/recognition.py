"""A picture in, its faces with their emotions out; and the same as a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from .emotions import EMOTIONS
from .faces import MIN_CONFIDENCE, FaceBox, FaceDetector, crop_face
from .images import ImageSource, load_image
from .vote import SoftVote

if TYPE_CHECKING:
    from .video_reader import VideoFrame  # It brings FFmpeg along.

_COLUMN_TYPES = {
    "source": "str",
    "frame": "int64",
    "time_s": "float64",
    "face_id": "int64",
    **dict.fromkeys(("x", "y", "w", "h"), "int64"),
    **{f"p_{name}": "float64" for name in EMOTIONS},
    "top": "str",
}


@dataclass(frozen=True)
class FaceEmotion:
    """A face and the emotion it shows.

    Parameters
    ----------
    box : tuple of int
        (x, y, width, height) in px, inside the picture.
    detection_score : float
        The detector's confidence that this is a face, 0-1.
    emotions : mapping of str to float
        The probability of each emotion, 0-1, in the order of `EMOTIONS`; they sum to 1.

    Raises
    ------
    ValueError
        `emotions` holds other names, or the same in another order.
    """

    box: tuple[int, int, int, int]
    detection_score: float
    emotions: Mapping[str, float]

    def __post_init__(self) -> None:
        if tuple(self.emotions) != EMOTIONS:
            raise ValueError(f"emotions must be {EMOTIONS} in this order, got {[*self.emotions]}")

    @property
    def top(self) -> str:
        """The most probable emotion."""
        return max(self.emotions, key=self.emotions.__getitem__)

    @property
    def confidence(self) -> float:
        """The most probable emotion's probability, 0-1."""
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

    Raises
    ------
    TypeError
        `classifier` or `detector` cannot do that.
    """

    def __init__(self, classifier: SoftVote, detector: FaceDetector) -> None:
        if not hasattr(classifier, "predict_proba"):
            raise TypeError(
                f"classifier must be a SoftVote, got {type(classifier).__name__}; "
                "let a single network vote alone with SoftVote([model])"
            )
        if not hasattr(detector, "detect"):
            raise TypeError(f"detector must be a FaceDetector, got {type(detector).__name__}")
        self.classifier = classifier
        self.detector = detector

    @classmethod
    def load(
        cls, models: Sequence[str | Path] | None = None, *, min_confidence: float = MIN_CONFIDENCE
    ) -> "EmotionRecognizer":
        """Load the shipped networks, or your own, and the shipped face detector.

        Parameters
        ----------
        models : sequence of str or Path, optional
            Weights files that `train` wrote; their networks vote with equal weight. Without it,
            the vote in `saved_models`.
        min_confidence : float
            As `FaceDetector` takes it.

        Raises
        ------
        FileNotFoundError, ValueError
            As `SoftVote.load`, `SoftVote.from_weights` and `FaceDetector` raise them.
        ImportError
            As `FaceDetector` raises it.
        """
        classifier = SoftVote.load() if models is None else SoftVote.from_weights(models)
        return cls(classifier, FaceDetector(min_confidence))

    def recognize(self, image: ImageSource) -> list[FaceEmotion]:
        """Find the faces in one picture and tell their emotions.

        Parameters
        ----------
        image : str, Path, PIL.Image.Image or numpy.ndarray
            Any picture that `load_image` takes.

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
        return self.recognize_batch([image])[0]

    def recognize_batch(self, images: Iterable[ImageSource]) -> list[list[FaceEmotion]]:
        """Find the faces in several pictures and tell all their emotions in one go.

        Parameters
        ----------
        images : iterable of str, Path, PIL.Image.Image or numpy.ndarray
            Any pictures that `load_image` takes, read one after the other.

        Returns
        -------
        list of list of FaceEmotion
            For each picture what `recognize` returns.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_image` raises them.
        TypeError
            `images` is a single picture, or one of them is no picture.
        """
        _refuse_single_picture(images)
        boxes_of_images: list[list[FaceBox]] = []
        crops: list[np.ndarray] = []
        for image in images:
            pixels = load_image(image)
            boxes_of_images.append(self.detector.detect(pixels))
            crops += [crop_face(pixels, box) for box in boxes_of_images[-1]]
        rows = iter(self.classifier.predict_proba(np.stack(crops)) if crops else ())
        return [[_to_emotion(box, next(rows)) for box in boxes] for boxes in boxes_of_images]


def to_frame(
    faces: Iterable[FaceEmotion] | Iterable[Iterable[FaceEmotion]],
    source: str | Path | Iterable[str | Path] | None = None,
    *,
    frames: "Iterable[VideoFrame] | None" = None,
) -> pd.DataFrame:
    """Put recognised faces into a tidy table, one row a face.

    Parameters
    ----------
    faces : iterable of FaceEmotion, or iterable of such iterables
        What `recognize` returns for one picture, or `recognize_batch` for several.
    source : str or Path, or an iterable of them, optional
        The picture's name, or the pictures' names in the same order. Without it, their numbers
        from 0. With `frames`, the one name of the video, by default "video".
    frames : iterable of VideoFrame, optional
        The frames of the video that the pictures are, in the same order.

    Returns
    -------
    pandas.DataFrame
        Columns source; frame and time_s, in seconds (0 for a still picture); face_id, from 0 in
        each picture; x, y, w, h in px; p_angry to p_neutral, 0-1; top. The columns and their
        types are the same without any face.

    Raises
    ------
    ValueError
        There are more or fewer sources or frames than pictures.
    TypeError
        `faces` is or holds something other than faces, `frames` something other than frames,
        or `source` is not one name although there are `frames`.
    """
    pictures = _pictures_of(faces)
    if frames is not None:
        origins = _origins_in_video(source, frames, len(pictures))
    else:
        names = _names_of(source, len(pictures)) if pictures else []
        origins = [(name, 0, 0.0) for name in names]
    rows = [
        _to_row(face, origin, face_id)
        for picture, origin in zip(pictures, origins, strict=True)
        for face_id, face in enumerate(picture)
    ]
    return pd.DataFrame(rows, columns=list(_COLUMN_TYPES)).astype(_COLUMN_TYPES)


def _refuse_single_picture(images: object) -> None:
    single = isinstance(images, str | Path | Image.Image)
    if single or (isinstance(images, np.ndarray) and images.ndim <= 3):
        raise TypeError(
            f"images must be several pictures, got a single {type(images).__name__}; "
            "pass one to recognize, or write [image]"
        )


def _to_emotion(face: FaceBox, probabilities: np.ndarray) -> FaceEmotion:
    emotions = dict(zip(EMOTIONS, map(float, probabilities), strict=True))
    return FaceEmotion(box=face.box, detection_score=face.score, emotions=emotions)


def _pictures_of(faces: object) -> list[list[FaceEmotion]]:
    items = _listed(faces)
    one_picture = any(isinstance(item, FaceEmotion) for item in items)
    return [items] if one_picture else [_listed(item) for item in items]


def _listed(faces: object) -> list:
    if not isinstance(faces, Iterable) or isinstance(faces, str | Mapping):
        raise TypeError(
            f"faces must be a list of FaceEmotion, or a list of such lists, got "
            f"{type(faces).__name__}; pass what recognize or recognize_batch returned"
        )
    return list(faces)


def _origins_in_video(
    source: object, frames: "Iterable[VideoFrame]", pictures: int
) -> list[tuple[str, int, float]]:
    name = "video" if source is None else source
    if not isinstance(name, str | Path):
        raise TypeError(f"with frames, source must be one name, got {type(name).__name__}")
    frames = list(frames) if isinstance(frames, Iterable) else [frames]
    for frame in frames:
        if not (hasattr(frame, "index") and hasattr(frame, "time_s")):
            raise TypeError(
                f"frames must hold frames as read_video gives them, got {type(frame).__name__}"
            )
    if len(frames) != pictures:
        raise ValueError(
            f"frames must hold each picture's frame: got {len(frames)} for {pictures} pictures"
        )
    return [(str(name), frame.index, frame.time_s) for frame in frames]


def _names_of(source: object, pictures: int) -> list[str]:
    if source is None:
        return [str(number) for number in range(pictures)]
    names = [source] if isinstance(source, str | Path) else list(source)
    if len(names) != pictures:
        raise ValueError(
            f"source must name each picture once: got {len(names)} for {pictures} pictures"
        )
    return [str(name) for name in names]


def _to_row(face: FaceEmotion, origin: tuple[str, int, float], face_id: int) -> tuple:
    if not isinstance(face, FaceEmotion):
        raise TypeError(
            f"faces must hold FaceEmotion records, got {type(face).__name__}; pass what "
            "recognize or recognize_batch returned"
        )
    return (*origin, face_id, *face.box, *face.emotions.values(), face.top)
