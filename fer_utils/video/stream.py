"""Faces and their emotions over time: what a video file and a webcam have in common."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..argument_checks import checked_number
from ..faces.boxes import FaceBox, merge_faces
from ..images import check_rgb
from ..recognition.recognizer import EmotionRecognizer, FaceEmotion
from .smoothing import SMOOTHING_S, EmotionSmoother
from .tracking import KEEP_S, FaceTracker

DETECT_EVERY_S = 0.5  # how often a video is searched for new faces, where nobody says


@dataclass(frozen=True, repr=False)
class TrackedFace(FaceEmotion):
    """A face in one frame of a video, and what it has shown up to there.

    Parameters
    ----------
    box, detection_score
        As in `FaceEmotion`, in this frame.
    emotions : mapping of str to float
        The probability of each emotion, smoothed over time.
    face_id : int
        The same in every frame while the face stays in view, from 0.
    raw_emotions : mapping of str to float
        The probability of each emotion in this frame alone.
    steady_top : str
        The emotion shown, which changes only when another one leads clearly and for a while;
        `top` is the same.
    is_sure : bool
        Whether `label` names it, by its smoothed probability; this, too, changes only when the
        probability has passed `EmotionRecognizer.min_confidence` for a while.
    crop
        None: a video's faces are too many to keep.

    Raises
    ------
    ValueError
        If `emotions` are not as `FaceEmotion` takes them, `raw_emotions` hold other names, or
        `steady_top` is none of them.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> stream = fer.EmotionStream(fer.EmotionRecognizer.load())
    >>> face = stream.update(astronaut(), 0.0)[0]
    >>> face.face_id, face.top
    (0, 'happy')
    """

    face_id: int
    raw_emotions: Mapping[str, float]
    steady_top: str

    def __post_init__(self) -> None:
        super().__post_init__()
        names = tuple(self.emotions)
        if tuple(self.raw_emotions) != names:
            raise ValueError(
                f"raw_emotions must be {names} in this order, got {[*self.raw_emotions]}."
            )
        if self.steady_top not in names:
            raise ValueError(f"steady_top must be one of {names}, got {self.steady_top!r}.")

    @property
    def top(self) -> str:
        """The steady emotion; the most probable one may be another for a moment."""
        return self.steady_top


class EmotionStream:
    """Follows faces from picture to picture and steadies their emotions.

    It searches the picture thoroughly only now and then, and as soon as a face is lost; in
    between it looks for the known ones close to where they should be, and for newcomers that
    are not small.

    Parameters
    ----------
    recognizer : EmotionRecognizer
        Finds and classifies the faces; its `min_confidence` says which emotions are named.
    smoothing_s : float
        Time constant of the probabilities' exponential smoothing, in seconds: after this time,
        a change has come through to 63%. 0 does not smooth.
    label_margin, label_hold_s : float
        A face's `top` changes once another emotion's smoothed probability has been the highest,
        and ahead by the margin (0-1), for this many seconds. Its label becomes "unsure" once
        that probability has been below `min_confidence` for as long, and names the emotion again
        once it has been above by the margin (but at most half-way to 1) for as long. Of pictures
        that are so far apart each counts at once.
    detect_every_s : float
        Seconds from one call of `FaceDetector.detect` to the next; with 0 it is called on every
        picture. In between, the quicker `FaceDetector.follow` is.
    keep_s : float
        How long a face that is out of sight keeps its `face_id`, in seconds.

    Raises
    ------
    ValueError
        If one of the numbers is negative or not finite.
    TypeError
        If one of them is no number, or `recognizer` is no EmotionRecognizer.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> stream = fer.EmotionStream(fer.EmotionRecognizer.load())
    >>> [stream.update(astronaut(), time_s)[0].face_id for time_s in (0.0, 0.1)]
    [0, 0]
    """

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        *,
        smoothing_s: float = SMOOTHING_S,
        label_margin: float = 0.05,
        label_hold_s: float = 0.3,
        detect_every_s: float = DETECT_EVERY_S,
        keep_s: float = KEEP_S,
    ) -> None:
        if isinstance(recognizer, type) or not hasattr(recognizer, "recognize_found"):
            raise TypeError(
                f"recognizer must be an EmotionRecognizer, got {type(recognizer).__name__}; "
                "make one with EmotionRecognizer.load()."
            )
        self._recognizer = recognizer
        self._smoothing = (
            _checked("smoothing_s", smoothing_s),
            _checked("label_margin", label_margin),
            _checked("label_hold_s", label_hold_s),
            recognizer.min_confidence,
        )
        self._detect_every_s = _checked("detect_every_s", detect_every_s)
        self._tracker = FaceTracker(_checked("keep_s", keep_s))
        self._smoothers: dict[int, EmotionSmoother] = {}
        self._detect_due_s = self._time_s = -math.inf

    @property
    def emotions(self) -> tuple[str, ...]:
        """The names of the emotions that the recognizer tells apart."""
        return self._recognizer.emotions

    def update(self, image: np.ndarray, time_s: float) -> list[TrackedFace]:
        """Find, follow and classify the faces of the next picture.

        Parameters
        ----------
        image : numpy.ndarray
            uint8, shape (h, w, 3), RGB.
        time_s : float
            When it was taken, in seconds from any start; not before the last picture.

        Returns
        -------
        list of TrackedFace
            The faces in view, by `face_id`.

        Raises
        ------
        ValueError
            If `image` has another shape or dtype, or `time_s` is before the last one.
        TypeError
            If `image` is no array.
        """
        self._check(image, time_s)
        self._time_s = time_s
        boxes = self._find(image, time_s)
        (found,) = self._recognizer.recognize_found([(image, boxes)])
        face_ids = self._tracker.update(image, [box for box, _ in found], time_s)
        self._forget()
        tracked = map(self._to_tracked, [face for _, face in found], face_ids)
        return sorted(tracked, key=lambda face: face.face_id)

    def _check(self, image: np.ndarray, time_s: float) -> None:
        check_rgb(image)
        if not self._time_s <= time_s < math.inf:
            raise ValueError(
                f"time_s must not be before the last picture's, {self._time_s:g} s, got {time_s}; "
                "begin another video with a new EmotionStream."
            )

    def _find(self, image: np.ndarray, time_s: float) -> list[FaceBox]:
        detector = self._recognizer.detector
        known = self._tracker.expected(time_s, (image.shape[1], image.shape[0]))
        faces = detector.follow(image, known)
        if time_s >= self._detect_due_s or len(faces) < self._tracker.in_view:
            self._detect_due_s = time_s + self._detect_every_s
            faces = merge_faces([*faces, *detector.detect(image)])
        return faces

    def _forget(self) -> None:
        """Drop what is known of faces that are gone, so that memory does not grow."""
        for face_id in self._smoothers.keys() - self._tracker.ids:
            del self._smoothers[face_id]

    def _to_tracked(self, face: FaceEmotion, face_id: int) -> TrackedFace:
        smoother = self._smoothers.setdefault(face_id, EmotionSmoother(*self._smoothing))
        row = np.array([*face.emotions.values()])
        smoothed, top, is_sure = smoother.update(row, self._time_s)
        return TrackedFace(
            box=face.box,
            detection_score=face.detection_score,
            emotions=dict(zip(face.emotions, smoothed.tolist(), strict=True)),
            face_id=face_id,
            raw_emotions=face.emotions,
            steady_top=[*face.emotions][top],
            is_sure=is_sure,
        )


def _checked(name: str, value: object) -> float:
    return checked_number(name, value, least=0, below=math.inf)
