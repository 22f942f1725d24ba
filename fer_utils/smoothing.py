"""One face's probabilities over time, steadied; times in seconds, so any frame rate will do."""

import math

import numpy as np


class EmotionSmoother:
    """Smooths the probabilities of one face and names the emotion it shows.

    Parameters
    ----------
    smoothing_s : float
        Time constant of the exponential smoothing, in seconds: after this time, a change has
        come through to 63%. 0 leaves the probabilities as they are.
    label_margin, label_hold_s : float
        The label changes once another emotion's smoothed probability has been the highest, and
        ahead of the label's by the margin (0-1), for this many seconds.
    """

    def __init__(self, smoothing_s: float, label_margin: float, label_hold_s: float) -> None:
        self._smoothing_s = smoothing_s
        self._label_margin = label_margin
        self._label_hold_s = label_hold_s
        self._smoothed: np.ndarray | None = None
        self._time_s = 0.0
        self._label = 0
        self._rival: int | None = None
        self._rival_since_s = 0.0

    def update(self, probabilities: np.ndarray, time_s: float) -> tuple[np.ndarray, int]:
        """Return the smoothed probabilities at this time, and the label's index among them."""
        if self._smoothed is None:
            self._smoothed = np.array(probabilities, dtype=float)
            self._label = int(self._smoothed.argmax())
        else:
            self._smoothed = self._smoothed + self._share(time_s) * (probabilities - self._smoothed)
            self._reconsider(time_s)
        self._time_s = time_s
        return self._smoothed, self._label

    def _share(self, time_s: float) -> float:
        if not self._smoothing_s:
            return 1.0
        return -math.expm1((self._time_s - time_s) / self._smoothing_s)

    def _reconsider(self, time_s: float) -> None:
        rival = int(self._smoothed.argmax())
        lead = self._smoothed[rival] - self._smoothed[self._label]
        if rival == self._label or lead < self._label_margin:
            self._rival = None
            return
        if rival != self._rival:
            self._rival, self._rival_since_s = rival, time_s
        if time_s - self._rival_since_s >= self._label_hold_s:
            self._label, self._rival = rival, None
