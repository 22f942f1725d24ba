"""Views of a picture as small as the detector's network sees them: one of the whole, or tiles.

Ours, not SAHI: that cuts slices at one scale, while here a face may be of any size, and its views
are made as the detectors get to them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

# The side of the detector's input.
VIEW_PX = 128
# Neighbouring tiles share this much, so that a face up to this size lies whole in one of them;
# larger ones do so at the next scale, where they take up half as much.
OVERLAP_PX = 40

Window = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class View:
    """A part of a picture, shrunk.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8, shape (h, w, 3), RGB, h and w at most `VIEW_PX`.
    offset : numpy.ndarray
        (x, y) of the view's upper left corner in the picture, px.
    scale : numpy.ndarray
        Px of the picture to one px of the view, along x and y.
    """

    pixels: np.ndarray
    offset: np.ndarray
    scale: np.ndarray

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Bring points (x, y), shape (n, 2), from the view's px into the picture's."""
        return points * self.scale + self.offset


def shrink(picture: Image.Image, window: Window) -> View:
    """Shrink a window (left, top, right, bottom) of an RGB picture to a view.

    Pillow averages the pixels when it shrinks, MediaPipe skips some and misses more of the small
    faces. A window that is smaller than a view keeps its size.
    """
    # A wider gap takes longer and finds the same faces; at 1.0 false faces slip in.
    size = np.subtract(window[2:], window[:2])
    view_size = np.ceil(size * min(1, VIEW_PX / size.max())).astype(int)
    pixels = picture.resize(
        tuple(view_size.tolist()), Image.Resampling.BILINEAR, box=window, reducing_gap=1.2
    )
    return View(np.array(pixels), np.array(window[:2]), size / view_size)


def window_around(box: Window, times: float, picture_size: tuple[int, int]) -> Window:
    """Return the square window (left, top, right, bottom) around a box, clipped to the picture.

    Parameters
    ----------
    box : tuple of int
        (x, y, width, height) in px, inside the picture.
    times : float
        The window's side as a multiple of the box's longer side.
    picture_size : tuple of int
        (width, height) in px.
    """
    x, y, w, h = box
    reach = times * max(w, h) / 2
    center = np.array([x + w / 2, y + h / 2])
    corners = np.rint([center - reach, center + reach]).clip(0, picture_size)
    return tuple(corners.astype(int).ravel().tolist())


def tiles(picture: Image.Image, finest: int) -> Iterator[View]:
    """Cover an RGB picture with tiles, shrunk `finest` times, then 2, 4, ... times as much.

    It ends before a tile would show all of the picture. Each is square; where the shrunk picture
    is less high or wide than that, it stands in the middle of black, as MediaPipe would set it.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB.
    finest : int
        How many px of the picture one px of the smallest tiles covers, along x and y.
    """
    scale, level = finest, picture.reduce(finest)
    while scale * VIEW_PX < max(picture.size):
        yield from _cut(np.array(level), scale)
        scale, level = 2 * scale, level.reduce(2)


def _cut(pixels: np.ndarray, scale: int) -> Iterator[View]:
    height, width = pixels.shape[:2]
    for y in starts(height):
        for x in starts(width):
            shown = pixels[y : y + VIEW_PX, x : x + VIEW_PX]
            top, left = ((VIEW_PX - side) // 2 for side in shown.shape[:2])
            tile = np.zeros((VIEW_PX, VIEW_PX, 3), np.uint8)
            tile[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
            yield View(tile, np.array([x - left, y - top]) * scale, np.array([scale, scale]))


def starts(length: int) -> list[int]:
    """Return where the tiles start along a side of `length` px: spread evenly, to both ends."""
    beyond_first = max(0, length - VIEW_PX)
    count = 1 + math.ceil(beyond_first / (VIEW_PX - OVERLAP_PX))
    return np.rint(np.linspace(0, beyond_first, count)).astype(int).tolist()
