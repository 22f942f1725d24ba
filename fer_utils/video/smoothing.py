"""One face's probabilities over time, steadied; times in seconds, so any frame rate will do.

Ours, not supervision's smoother: that averages boxes over a number of frames and knows no
probabilities, nor a label that holds until another one has led for a while.
"""

import math
from typing import Generic, NamedTuple, TypeVar

import numpy as np

SMOOTHING_S = 0.5  # how long the emotions of a video are smoothed, where nobody says

T = TypeVar("T")


class Steadied(NamedTuple):
    """What a face has shown up to now."""

    probabilities: np.ndarray  # smoothed
    top: int  # the steady emotion's index among them
    is_sure: bool  # whether it is to be named


class EmotionSmoother:
    """Smooths the probabilities of one face, and tells steadily which emotion it shows.

    The emotion, and whether it is named, are settled by the first probabilities and then change
    independently, each only once the other choice has held good without a break for
    `label_hold_s`:

    - another emotion, when its smoothed probability is the highest, and ahead of the current
      one's by `label_margin`;
    - from named to unsure, when the smoothed probability is below `min_confidence`; back to
      named, when it is above that by `label_margin`, or by half of what lacks to 1 if that is
      less. It is the probability of the emotion that leads as above: an emotion that gives way
      to a clear one does not become unsure in between.

    Probabilities that come `label_hold_s` or longer after the last ones count at once: nobody can
    tell how long they have held good.

    Parameters
    ----------
    smoothing_s : float
        Time constant of the exponential smoothing, in seconds: after this time, a change has
        come through to 63%. 0 leaves the probabilities as they are.
    label_margin, label_hold_s : float
        The margin, 0-1, and the time in seconds.
    min_confidence : float
        The least probability at which an emotion is named, 0-1.
    """

    def __init__(
        self,
        smoothing_s: float,
        label_margin: float,
        label_hold_s: float,
        min_confidence: float = 0.0,
    ) -> None:
        self._smoothing_s = smoothing_s
        self._label_margin = label_margin
        self._label_hold_s = label_hold_s
        self._min_confidence = min_confidence
        self._smoothed: np.ndarray | None = None
        self._time_s = 0.0

    def update(self, probabilities: np.ndarray, time_s: float) -> Steadied:
        """Take the probabilities at this time."""
        if self._smoothed is None:
            self._begin(probabilities, time_s)
        else:
            self._smoothed = self._smoothed + self._share(time_s) * (probabilities - self._smoothed)
            leader = self._leader()
            self._top.update(leader, time_s)
            self._is_sure.update(bool(self._smoothed[leader] >= self._bar()), time_s)
        self._time_s = time_s
        return Steadied(self._smoothed, self._top.value, self._is_sure.value)

    def _begin(self, probabilities: np.ndarray, time_s: float) -> None:
        self._smoothed = np.array(probabilities, dtype=float)
        top = int(self._smoothed.argmax())
        is_sure = bool(self._smoothed[top] >= self._min_confidence)
        self._top = _Held(top, self._label_hold_s, time_s)
        self._is_sure = _Held(is_sure, self._label_hold_s, time_s)

    def _share(self, time_s: float) -> float:
        if not self._smoothing_s:
            return 1.0
        return -math.expm1((self._time_s - time_s) / self._smoothing_s)

    def _leader(self) -> int:
        top, rival = self._top.value, int(self._smoothed.argmax())
        lead = self._smoothed[rival] - self._smoothed[top]
        return rival if lead >= self._label_margin else top

    def _bar(self) -> float:
        """Return the probability from which on an emotion is, or stays, named."""
        if self._is_sure.value:
            return self._min_confidence
        return self._min_confidence + min(self._label_margin, (1 - self._min_confidence) / 2)


class _Held(Generic[T]):
    """A value that changes only once another one has been proposed for a while."""

    def __init__(self, value: T, hold_s: float, time_s: float) -> None:
        self.value = value
        self._hold_s = hold_s
        self._rival = value
        self._since_s = self._time_s = time_s

    def update(self, proposed: T, time_s: float) -> None:
        if proposed != self._rival:
            self._rival, self._since_s = proposed, time_s
        if time_s - min(self._since_s, self._time_s) >= self._hold_s:
            self.value = self._rival
        self._time_s = time_s
