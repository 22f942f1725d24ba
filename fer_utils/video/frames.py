"""One frame of a video, and which of its frames are taken."""

import math
import os
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from ..argument_checks import checked_number

_TIME_TOLERANCE_S = 1e-6


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame of a video.

    Parameters
    ----------
    index : int
        Its number in the video, from 0.
    time_s : float
        When it is shown, in seconds from the video's start; later than the frame before.
    image : numpy.ndarray
        uint8, shape (h, w, 3), RGB, turned upright as the video's metadata says.

    Examples
    --------
    >>> frame = fer.VideoFrame(0, 0.0, np.zeros((2, 4, 3), np.uint8))
    >>> frame.image.shape
    (2, 4, 3)
    """

    index: int
    time_s: float
    image: np.ndarray


class Sampler:
    """Takes the first frame of each period.

    Parameters
    ----------
    every_s : float
        The period in seconds; 0 takes every frame.

    Raises
    ------
    TypeError, ValueError
        If `every_s` is no number, or negative or not finite.

    Examples
    --------
    >>> sampler = Sampler(0.5)
    >>> [sampler.takes(time_s) for time_s in (0.0, 0.4, 0.6, 0.9, 1.0)]
    [True, False, True, False, True]
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = checked_number("every_s", every_s, least=0, below=math.inf)
        self._due_s = -math.inf

    def takes(self, time_s: float) -> bool:
        """Tell whether the next frame, shown at `time_s`, is taken."""
        if time_s < self._due_s - _TIME_TOLERANCE_S:
            return False
        if self._every_s:
            periods = math.floor((time_s + _TIME_TOLERANCE_S) / self._every_s)
            self._due_s = self._every_s * (periods + 1)
        return True


def progress_bar(name: str, total: int | None, shown: bool) -> tqdm:
    """Return a bar that counts the frames of a video of this name."""
    name = os.path.basename(name)
    return tqdm(total=total, desc=f"Reading {name}", unit="frame", disable=not shown)
