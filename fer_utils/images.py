"""Pictures as arrays: a path, bytes, a PIL image or an array becomes RGB uint8; odd formats too."""

import importlib
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from .files import VIDEO_SUFFIXES

# Lets Pillow open HEIC, wherever it opens a file. pi-heif only decodes; pillow-heif is larger.
for _reader in ("pi_heif", "pillow_heif"):
    with suppress(ImportError):
        importlib.import_module(_reader).register_heif_opener()
        break

ImageSource: TypeAlias = str | Path | bytes | Image.Image | np.ndarray
ColorOrder: TypeAlias = Literal["rgb", "bgr"]

_ORIENTATION = 0x0112  # EXIF's tag
_COMPLETE_FILE = "check that it is a complete image file, such as JPEG or PNG"
_SHAPES = "(h, w), (h, w, 1), (h, w, 3) or (h, w, 4)"
# Those of which a file with several pictures is an animation, or has pages: not a photo with its
# previews.
_OF_SEVERAL = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")
# What the first bytes of such files name, among the formats that they can be read as.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIC_FORMAT = "HEIF"  # as Pillow lists it
_AVIF_BRANDS = {b"avif", b"avis"}
_CV2_HINT = " as cv2.imread returns it where there is no such file or OpenCV cannot read it"
_GIVEN = "the bytes given"  # for messages, in the place of a path
_ROWS_AT_A_TIME = 64  # of which intermediate values are held, which take up to 8 times the memory


class _DetailedError(ValueError):
    """An error with more to it than its message, which comes whole out of a pool of processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default Python would call the class with the message alone.
        return _remade, (type(self), self.args, vars(self))


def _remade(kind: type[_DetailedError], args: tuple, details: dict[str, Any]) -> _DetailedError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(details)
    return error


class UnreadableImageError(_DetailedError):
    """A file or PIL image that is no picture, damaged or too large.

    Parameters
    ----------
    name : str
        The picture's name, for the message.
    problem : str
        What is wrong, in a few words; kept as `problem`.
    remedy : str
        What to do about it.
    """

    def __init__(self, name: str, problem: str, remedy: str = _COMPLETE_FILE) -> None:
        super().__init__(f"source: {name} cannot be read as a picture ({problem}); {remedy}.")
        self.problem = problem


class ValueRangeError(_DetailedError):
    """Sound pixels of unusable values.

    Parameters
    ----------
    problem, remedy : str
        What is wrong with them, and what to do about it; kept under these names.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}.")
        self.problem, self.remedy = problem, remedy


class OddPictureWarning(UserWarning):
    """A picture that can be read, though perhaps not as it was meant.

    Parameters
    ----------
    message : str
        The whole of it, with what to do in Python.
    note : str
        What is odd about the picture, in a few words; kept as `note`.
    """

    def __init__(self, message: str, note: str) -> None:
        super().__init__(message)
        self.note = note


def load_image(source: ImageSource, *, color: ColorOrder = "rgb") -> np.ndarray:
    """Read a picture in any common form as RGB.

    Files and PIL images are turned as their EXIF orientation says, transparent parts are laid
    on white, 16 bits are scaled to 8, and of a file that holds several pictures (an animation, a
    TIFF's pages) the first is taken, with a UserWarning.

    Parameters
    ----------
    source : str, Path, bytes, PIL.Image.Image or numpy.ndarray
        A file that Pillow can read, or HEIC, as phones write it, by its path or as the bytes that
        it holds; a PIL image; or an array of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4):
        grey, RGB or RGBA. The array's dtype says its range: bool; uint8, or another integer type
        with values 0-255; uint16 with 0-65535; float with 0-1.
        A uint16 array without a value above 255 comes out nearly black, with a UserWarning;
        16-bit files, and 16-bit and 32-bit grey PIL images, likewise.
    color : {"rgb", "bgr"}
        The order of an array's channels: "bgr" for what OpenCV's `imread` returns. What comes
        out is RGB in any case.

    Returns
    -------
    numpy.ndarray
        uint8, shape (h, w, 3), RGB. It may share its memory with `source`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no picture, damaged, not to be opened, or has more pixels than
        `PIL.Image.MAX_IMAGE_PIXELS` lets Pillow open; the array has another shape; any of them is
        empty, or holds values outside its range, NaN included; `color` is neither "rgb" nor "bgr",
        or "bgr" is said of anything but an array.
    TypeError
        If `source` is none of the above.

    Examples
    --------
    >>> fer.load_image(np.zeros((4, 6), np.uint8)).shape
    (4, 6, 3)
    """
    _check_color(color, source)
    if color == "rgb" and _is_rgb(source):  # such as one that was loaded before
        return source
    pixels = _read(source)
    _warn_of_8_bits_in_16(pixels, source)
    return _array_to_rgb(pixels if color == "rgb" else _reversed_channels(pixels))


def load_encoded(content: bytes, name: str) -> np.ndarray:
    """Read a picture's file that lies in memory, as `load_image` reads one on disk.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str
        What messages call it.

    Returns
    -------
    numpy.ndarray
        uint8, shape (h, w, 3), RGB.

    Raises
    ------
    ValueError
        As `load_image` raises it of a file.

    Examples
    --------
    >>> picture = io.BytesIO()
    >>> Image.new("RGB", (4, 3), "white").save(picture, "PNG")
    >>> load_encoded(picture.getvalue(), "white.png").shape
    (3, 4, 3)
    """
    with _naming_the_source(repr(name)):
        pixels = _decode(io.BytesIO(content), name, len(content))
    _warn_of_8_bits_in_16(pixels, name)
    return _array_to_rgb(pixels)


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
    TypeError, ValueError
        As `check_rgb` raises them.
    """
    check_rgb(image)
    return np.array(Image.fromarray(image).convert("L"))


def check_rgb(image: object) -> None:
    """Refuse what is no RGB picture such as `load_image` returns.

    Parameters
    ----------
    image : object
        A numpy.ndarray, uint8, shape (h, w, 3), passes.

    Raises
    ------
    TypeError
        If `image` is no array.
    ValueError
        If it has another shape than (h, w, 3), another dtype than uint8, or no pixels.
    """
    if _is_rgb(image):
        return
    if image is None:
        raise TypeError(f"image must be an RGB uint8 array, got None,{_CV2_HINT}; check its path.")
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"image must be an RGB uint8 array, got {type(image).__name__}; "
            "fer_utils.load_image makes one of a path or a PIL image."
        )
    raise ValueError(
        f"image must be uint8 (h, w, 3), got {image.dtype} {image.shape}; "
        "fer_utils.load_image converts other pictures."
    )


def _is_rgb(image: object) -> bool:
    """Tell whether a picture is as `load_image` returns it already."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )


def _warn_of_8_bits_in_16(pixels: np.ndarray, source: ImageSource) -> None:
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2 and 0 < pixels.max(initial=0) < 256:
        whose = f" of {str(source)!r}" if isinstance(source, str | Path) else ""
        warnings.warn(_nearly_black(whose, str(pixels.max())), stacklevel=3)


def _nearly_black(whose: str, largest: str) -> OddPictureWarning:
    return OddPictureWarning(
        "source: 16-bit values, and 32-bit ones of a file or PIL image, are read as 0 to 65535, "
        f"but the largest value{whose} is {largest}: the picture comes out nearly black. If its "
        "values are 0 to 255, pass an array made with .astype(np.uint8).",
        f"it comes out nearly black, the largest of its 16-bit values is {largest}",
    )


def _check_color(color: object, source: object) -> None:
    if color not in ("rgb", "bgr"):
        raise ValueError(f'color must be "rgb" or "bgr", got {color!r}.')
    if color == "bgr" and isinstance(source, str | Path | bytes | Image.Image):
        kind = "a PIL image" if isinstance(source, Image.Image) else "a file"
        raise ValueError(
            f'color="bgr" tells the order of an array\'s channels, got {kind}, which knows its '
            "own; leave color out."
        )


def _read(source: ImageSource) -> np.ndarray:
    """Return an array as it is, and any other picture as RGB uint8 or grey uint16."""
    if isinstance(source, str) and "://" in source and not os.path.exists(source):
        raise FileNotFoundError(
            f"source: {source!r} is an address, and nothing is downloaded unasked; save the "
            "picture, and name its file."
        )
    if isinstance(source, str | Path):
        return _load_file(Path(os.path.expanduser(source)))
    if isinstance(source, bytes):
        with _naming_the_source(repr(_GIVEN)):
            return _decode(io.BytesIO(source), _GIVEN, len(source))
    if isinstance(source, Image.Image):
        if 0 in source.size:
            problem = f"it has no pixels, its size is {source.width} x {source.height}"
            raise UnreadableImageError("the PIL image", problem, "check where it was cut or scaled")
        with _naming_the_source("the PIL image"):
            return _pil_pixels(_upright(source))
    if isinstance(source, np.ndarray):
        return source
    if source is None:
        raise TypeError(
            "source must be a path, bytes, a PIL image or a numpy array, got None,"
            f"{_CV2_HINT}; check its path, or pass the path here instead."
        )
    raise TypeError(
        "source must be a path, bytes, a PIL image or a numpy array, "
        f"got {type(source).__name__}; of an open file, pass file.read()."
    )


def _load_file(path: Path) -> np.ndarray:
    with _naming_the_source(repr(str(path))):
        return _decode(path, str(path), _size_of_file(path))


def _decode(file: Path | io.BytesIO, name: str, size_bytes: int) -> np.ndarray:
    if size_bytes == 0:
        raise UnreadableImageError(repr(name), "the file is empty")
    try:
        with Image.open(file) as image:
            _warn_of_several(image, name)
            has_16_bits = any(";16" in str(tile.args) for tile in image.tile)
            pixels = _pil_pixels(_upright(image))
    except UnidentifiedImageError:
        if missing := what_is_missing(file):
            raise UnreadableImageError(repr(name), missing, "then start anew") from None
        if name.lower().endswith(VIDEO_SUFFIXES):
            remedy = "videos go to recognize_video"
            raise UnreadableImageError(repr(name), "it is named as a video", remedy) from None
        raise
    # Of colours with 16 bits Pillow keeps the upper 8.
    if has_16_bits and pixels.dtype == np.uint8 and not pixels.any():
        warnings.warn(_nearly_black(f" of {name!r}", "below 256"), stacklevel=5)
    return pixels


def _warn_of_several(image: Image.Image, name: str) -> None:
    number = 1
    with suppress(Exception):  # Damage behind the first picture is no reason to refuse it.
        number = getattr(image, "n_frames", 1) if image.format in _OF_SEVERAL else 1
    if number > 1:
        warning = OddPictureWarning(
            f"source: {name!r} holds {number} pictures, of which the first is taken. For all of "
            f"them: recognize_video({name!r}{', fps=1' * (image.format == 'TIFF')}).",
            f"it holds {number} pictures, of which the first is taken",
        )
        warnings.warn(warning, stacklevel=6)


def _size_of_file(path: Path) -> int:
    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {str(path)!r}; check the path.")
    # A pipe would never end, a device is no picture.
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        remedy = "name a picture's file"
        raise UnreadableImageError(repr(str(path)), f"it is {kind}", remedy)
    return path.stat().st_size


def optional_formats() -> list[str]:
    """Name what can be opened of the formats that another package or another Pillow brings."""
    there = {"AVIF": features.check("avif"), _HEIC_FORMAT: _HEIC_FORMAT in Image.OPEN}
    return [name for name, is_there in there.items() if is_there]


def what_is_missing(file: Path | io.BytesIO) -> str:
    """Say what would read a file whose bytes are of no format that Pillow knows; "" if unknown."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            start = opened.read(64)
    else:
        start = file.getvalue()[:64]
    if start[4:8] != b"ftyp":
        return ""
    # ISO/IEC 14496-12: the box's size, "ftyp", the brand, a version, more brands.
    end = int.from_bytes(start[:4])
    brands = {start[i : i + 4] for i in range(8, min(end, len(start)), 4)}
    if brands & _AVIF_BRANDS and "AVIF" not in optional_formats():
        return 'it is AVIF, for which Pillow is too old: pip install "pillow>=11.3"'
    if brands & _HEIC_BRANDS and _HEIC_FORMAT not in optional_formats():
        return "it is HEIC, for which a package is missing: pip install pi-heif"
    return ""


@contextmanager
def _naming_the_source(name: str) -> Iterator[None]:
    try:
        yield
    except (MemoryError, FileNotFoundError, UnreadableImageError):
        raise
    except Exception as error:
        raise UnreadableImageError(name, *_problem_and_remedy(error)) from error


def _problem_and_remedy(error: Exception) -> tuple[str, str]:
    if isinstance(error, UnidentifiedImageError):
        return "its bytes are of no known format", _COMPLETE_FILE
    if isinstance(error, Image.DecompressionBombError):
        remedy = "make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
        return str(error).partition(",")[0], remedy
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, "check that the file may be read"
    if isinstance(error, ValueRangeError):
        return error.problem, error.remedy
    # On damaged bytes Pillow's decoders raise nearly anything: OSError, SyntaxError,
    # struct.error, EOFError, IndexError...
    return str(error) or type(error).__name__, _COMPLETE_FILE


def _upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says; one that stands upright is not copied."""
    image.load()  # which already turns some formats
    return ImageOps.exif_transpose(image) if _orientation(image) != 1 else image


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # Damaged EXIF data are no reason to refuse sound pixels.
        return image.getexif().get(_ORIENTATION, 1)
    return 1


def _pil_pixels(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        return _array_to_rgb(np.asarray(image))
    if image.mode.startswith("I"):
        return _as_uint16(np.asarray(image))
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    # `convert` would copy what is RGB already.
    return _array_to_rgb(np.array(image if image.mode == "RGB" else image.convert("RGB")))


def _array_to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Turn an array as `load_image` describes it into RGB uint8 (h, w, 3).

    Raises
    ------
    ValueError
        If it has another shape, is empty or holds no numbers; `ValueRangeError` where they are
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
        return _on_white(Image.fromarray(pixels))
    return pixels if channels == 3 else np.repeat(pixels, 3, axis=2)


def _reversed_channels(pixels: np.ndarray) -> np.ndarray:
    """Turn BGR into RGB and BGRA into RGBA; other shapes stay as they are."""
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        return pixels
    reversed_ = pixels.copy()
    reversed_[..., 0], reversed_[..., 2] = pixels[..., 2], pixels[..., 0]
    return reversed_


def _as_uint16(pixels: np.ndarray) -> np.ndarray:
    """Turn 16-bit grey, which Pillow holds in several modes, one of 32 bits, into uint16.

    Raises
    ------
    ValueRangeError
        If a value is outside 0-65535.
    """
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueRangeError(
            f"32-bit grey must have values 0-65535, got {pixels.min()} to {pixels.max()}",
            "scale the picture first",
        )
    return pixels.astype(np.uint16)


def _on_white(image: Image.Image) -> np.ndarray:
    """Lay an RGBA picture on white and return it as RGB uint8."""
    white = Image.new("RGBA", image.size, "white")
    return np.array(Image.alpha_composite(white, image).convert("RGB"))


def _hint_at_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return "; pass one picture at a time, or several to recognize_batch."
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "; if its channels come first, pass source.transpose(1, 2, 0)."
    return "."


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"an array must hold numbers or bool, got dtype {pixels.dtype}.")
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
