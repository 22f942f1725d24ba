"""From a decoded frame to an upright RGB picture with square pixels, as players show it."""

import math
from fractions import Fraction

import av
import numpy as np

from ..images import load_image
from .hdr import HLG, PQ, hdr_to_sdr

_BT2020 = 9  # primaries, as ITU-T H.273 numbers them
_MOST_ASPECT = 8  # of a pixel; what is beyond is a damaged header
_MOST_SIDE_PX = 32768
_COMB = 8  # by how much a line stands out from both its neighbours, of 255, where fields differ


Matrix = tuple[int, int, int, int]


def to_upright_rgb(
    frame: av.VideoFrame, pixel_aspect: Fraction | None, matrix: Matrix | None
) -> np.ndarray:
    """Convert a frame to RGB.

    Its light is made that of SDR where it is HDR, transparent parts are laid on white, pixels
    become square, and it is turned and mirrored. Of an interlaced one, whose two fields were taken
    one after the other, the first is shown where something moved.

    Parameters
    ----------
    frame : av.VideoFrame
        As it was decoded.
    pixel_aspect : Fraction, optional
        The width of a pixel as a share of its height.
    matrix : tuple of int, optional
        How it is turned and mirrored, as `display_matrix` returns it.

    Returns
    -------
    numpy.ndarray
        uint8, shape (h, w, 3).
    """
    size = {"width": _square_width(frame, pixel_aspect), "height": frame.height}
    if frame.color_trc in (PQ, HLG):
        wide = frame.to_ndarray(format="rgb48le", **size)
        image = hdr_to_sdr(wide, frame.color_trc, frame.color_primaries == _BT2020)
    elif any(component.is_alpha for component in frame.format.components):
        image = load_image(frame.to_ndarray(format="rgba", **size))
    else:
        image = frame.to_ndarray(format="rgb24", **size)
    if frame.interlaced_frame:
        image = _without_combs(image)
    return np.ascontiguousarray(_turned(image, matrix))


def _without_combs(image: np.ndarray) -> np.ndarray:
    """Smooth the lines of the second field where they stand out from both their neighbours."""
    lines = image.astype(np.int16)
    above, line, below = lines[:-2:2], lines[1:-1:2], lines[2::2]
    is_bright = np.minimum(line - above, line - below) > _COMB
    is_dark = np.maximum(line - above, line - below) < -_COMB
    smooth = image.copy()
    smooth[1:-1:2] = np.where(is_bright | is_dark, (above + below) // 2, line)
    return smooth


def _square_width(frame: av.VideoFrame, pixel_aspect: Fraction | None) -> int:
    aspect = pixel_aspect or 1
    width = round(frame.width * aspect)
    if not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT or not 0 < width <= _MOST_SIDE_PX:
        return frame.width
    return width


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """Return a, b, c and d of x' = a x + c y and y' = b x + d y; None if a frame stays as it is.

    Ask seldom: PyAV frees a frame late whose side data were looked at.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")  # as in FFmpeg's libavutil/display.h
    except ValueError:  # PyAV cannot list some side data, such as EXIF.
        turn = math.radians(-frame.rotation)
        a, b = round(math.cos(turn)), round(math.sin(turn))
        return a, b, -b, a
    if data is None:
        return None
    a, b, _, c, d = np.frombuffer(bytes(data), "=i4")[:5].tolist()
    return a, b, c, d


def _turned(image: np.ndarray, matrix: Matrix | None) -> np.ndarray:
    """Turn and mirror a picture, by quarter turns."""
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
