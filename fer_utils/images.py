"""Pictures in: a path, a PIL image or an array becomes RGB uint8; every odd format ends here."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

ImageSource: TypeAlias = str | Path | Image.Image | np.ndarray

_SHAPES = "(h, w), (h, w, 1), (h, w, 3) or (h, w, 4)"


def load_image(source: ImageSource) -> np.ndarray:
    """Read a picture in any common form as RGB.

    Files and PIL images are turned as their EXIF orientation says, transparent parts are laid
    on white, 16-bit grey is scaled to 8 bits, and of an animated file the first frame is taken.

    Parameters
    ----------
    source : str, Path, PIL.Image.Image or numpy.ndarray
        A file that Pillow can read, a PIL image, or an array of shape (h, w), (h, w, 1),
        (h, w, 3) or (h, w, 4): grey, RGB or RGBA. The array's dtype says its range: bool;
        uint8, or another integer type with values 0-255; uint16 with 0-65535; float with 0-1.
        A uint16 array without a value above 255 comes out nearly black, with a UserWarning.

    Returns
    -------
    numpy.ndarray
        uint8, shape (h, w, 3), RGB. It may share its memory with `source`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no picture, damaged or too large to open safely; or the array has another
        shape, is empty, or holds values outside its range, NaN included.
    TypeError
        `source` is none of the above.
    """
    if isinstance(source, str | Path):
        return _load_file(Path(os.path.expanduser(source)))
    if isinstance(source, Image.Image):
        with _naming_the_source("the PIL image"):
            return _pil_to_rgb(ImageOps.exif_transpose(source))
    if isinstance(source, np.ndarray):
        _warn_of_8_bits_in_16(source)
        return _array_to_rgb(source)
    raise TypeError(
        "source must be a path, a PIL image or a numpy array, "
        f"got {type(source).__name__}; open bytes with PIL.Image.open(io.BytesIO(data))"
    )


def to_gray(image: np.ndarray) -> np.ndarray:
    """Turn an RGB picture grey by ITU-R 601-2 luma: 0.299 R + 0.587 G + 0.114 B.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape (h, w, 3), as `load_image` returns it.

    Returns
    -------
    numpy.ndarray
        uint8, shape (h, w). A picture that was grey keeps its values exactly.

    Raises
    ------
    ValueError
        `image` has another shape or dtype.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image must be uint8 of shape (h, w, 3), got {image.dtype} of shape {image.shape}; "
            "pass it through load_image first"
        )
    return np.array(Image.fromarray(image).convert("L"))


def _warn_of_8_bits_in_16(pixels: np.ndarray) -> None:
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2 and 0 < pixels.max(initial=0) < 256:
        warnings.warn(
            "source: a uint16 array is read as 0 to 65535, but its largest value is "
            f"{pixels.max()}: the picture comes out nearly black. If its values are 0 to 255, "
            "pass source.astype(np.uint8)",
            stacklevel=3,
        )


def _load_file(path: Path) -> np.ndarray:
    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {str(path)!r}; check the path")
    if path.is_dir():
        raise ValueError(f"source must be a picture's file, {str(path)!r} is a folder")
    with _naming_the_source(repr(str(path))), Image.open(path) as image:
        return _pil_to_rgb(ImageOps.exif_transpose(image))


@contextmanager
def _naming_the_source(name: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        # On damaged bytes Pillow's decoders raise nearly anything: OSError, SyntaxError,
        # struct.error, EOFError, IndexError, DecompressionBombError...
        raise ValueError(
            f"source: {name} cannot be read as a picture ({str(error) or type(error).__name__}); "
            "check that it is a complete image file, such as JPEG or PNG"
        ) from error


def _pil_to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        return _array_to_rgb(np.asarray(image))
    if image.mode.startswith("I"):
        return _array_to_rgb(_as_uint16(np.asarray(image)))
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return _array_to_rgb(np.array(image.convert("RGB")))


def _as_uint16(pixels: np.ndarray) -> np.ndarray:
    """Pillow holds 16-bit grey in several modes, the 32-bit mode "I" among them."""
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(
            "32-bit grey must have values 0-65535, "
            f"got {pixels.min()} to {pixels.max()}; scale the picture first"
        )
    return pixels.astype(np.uint16)


def _on_white(image: Image.Image) -> np.ndarray:
    white = Image.new("RGBA", image.size, "white")
    return np.array(Image.alpha_composite(white, image).convert("RGB"))


def _array_to_rgb(pixels: np.ndarray) -> np.ndarray:
    channels = 1 if pixels.ndim == 2 else pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in (1, 3, 4) or pixels.size == 0:
        raise ValueError(f"an array must have shape {_SHAPES} and pixels, got shape {pixels.shape}")
    pixels = _to_uint8(pixels.reshape(*pixels.shape[:2], channels))
    if channels == 4:
        return _on_white(Image.fromarray(pixels))
    return pixels if channels == 3 else np.repeat(pixels, 3, axis=2)


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"an array must hold numbers or bool, got dtype {pixels.dtype}")
    largest = _largest_value(pixels.dtype)
    low, high = pixels.min(), pixels.max()
    # Written so that NaN, which compares false with everything, is refused as well.
    if not (low >= 0 and high <= largest):
        raise ValueError(
            f"an array of dtype {pixels.dtype} must have values 0 to {largest}, "
            f"got {low} to {high}; scale it, or convert 0-255 values with .astype('uint8')"
        )
    return np.rint(pixels * (255.0 / largest)).astype(np.uint8)


def _largest_value(dtype: np.dtype) -> int:
    if dtype.kind in "bf":
        return 1
    return 65535 if dtype.kind == "u" and dtype.itemsize == 2 else 255
