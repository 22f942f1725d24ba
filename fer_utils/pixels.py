"""Pixels: arrays of any shape, dtype and order of channels become RGB uint8."""

import numpy as np
from PIL import Image

_SHAPES = "(h, w), (h, w, 1), (h, w, 3) or (h, w, 4)"
_ROWS_AT_A_TIME = 64  # of which intermediate values are held, which take up to 8 times the memory


class ValueRangeError(ValueError):
    """Sound pixels of unusable values.

    Parameters
    ----------
    problem, remedy : str
        What is wrong with them, and what to do about it; kept under these names.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy = problem, remedy


def array_to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Turn an array as `load_image` describes it into RGB uint8 (h, w, 3).

    Raises
    ------
    ValueError
        It has another shape, is empty or holds no numbers; `ValueRangeError` where they are
        outside the range of their dtype.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in (1, 3, 4) or pixels.size == 0:
        raise ValueError(
            f"an array must have shape {_SHAPES} and pixels, got shape {pixels.shape}"
            + _hint_at_shape(pixels.shape)
        )
    pixels = _to_uint8(pixels.reshape(*pixels.shape[:2], channels))
    if channels == 4:
        return on_white(Image.fromarray(pixels))
    return pixels if channels == 3 else np.repeat(pixels, 3, axis=2)


def reversed_channels(pixels: np.ndarray) -> np.ndarray:
    """Turn BGR into RGB and BGRA into RGBA; other shapes stay as they are."""
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        return pixels
    reversed_ = pixels.copy()
    reversed_[..., 0], reversed_[..., 2] = pixels[..., 2], pixels[..., 0]
    return reversed_


def as_uint16(pixels: np.ndarray) -> np.ndarray:
    """Turn 16-bit grey, which Pillow holds in several modes, one of 32 bits, into uint16.

    Raises
    ------
    ValueRangeError
        A value is outside 0-65535.
    """
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueRangeError(
            f"32-bit grey must have values 0-65535, got {pixels.min()} to {pixels.max()}",
            "scale the picture first",
        )
    return pixels.astype(np.uint16)


def on_white(image: Image.Image) -> np.ndarray:
    """Lay an RGBA picture on white and return it as RGB uint8."""
    white = Image.new("RGBA", image.size, "white")
    return np.array(Image.alpha_composite(white, image).convert("RGB"))


def _hint_at_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return "; pass one picture at a time, or several to recognize_batch"
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "; if its channels come first, pass source.transpose(1, 2, 0)"
    return ""


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"an array must hold numbers or bool, got dtype {pixels.dtype}")
    largest = _largest_value(pixels.dtype)
    low, high = pixels.min(), pixels.max()
    if np.isnan(low):
        raise ValueRangeError(
            f"an array of dtype {pixels.dtype} must have values 0 to {largest}, got NaN among them",
            "replace them first, for example with np.nan_to_num",
        )
    if not (low >= 0 and high <= largest):
        raise ValueRangeError(
            f"an array of dtype {pixels.dtype} must have values 0 to {largest}, "
            f"got {low} to {high}",
            "scale it, or convert 0-255 values with .astype('uint8')",
        )
    scaled = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), _ROWS_AT_A_TIME):
        rows = slice(top, top + _ROWS_AT_A_TIME)
        scaled[rows] = np.rint(pixels[rows] * (255.0 / largest))
    return scaled


def _largest_value(dtype: np.dtype) -> int:
    if dtype.kind in "bf":
        return 1
    return 65535 if dtype.kind == "u" and dtype.itemsize == 2 else 255
