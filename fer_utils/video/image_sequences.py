"""A video made of pictures: an iterable, numbered files, or a picture file that holds several."""

import re
import warnings
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from PIL import Image

from ..argument_checks import checked_number
from ..files import first_few
from ..images import ColorOrder, ImageSource, check_rgb, load_image
from .container import DamagedVideoError
from .frames import Sampler, VideoFrame, progress_bar

_NUMBER = re.compile(r"%(?:0(\d+))?d")
_MOST_FPS = 1000
_USUAL_RATE = Fraction(25)
_USUAL_DURATION_MS = 100  # what browsers take where a picture has none


def is_numbered(path: str | Path) -> bool:
    """Tell whether a path stands for numbered pictures, such as ``f%03d.png``."""
    return bool(_NUMBER.search(Path(path).name)) and not Path(path).exists()


def numbered_pictures(path: str | Path) -> list[Path]:
    """Return the pictures whose names fit a path such as ``f%03d.png``, by number.

    Parameters
    ----------
    path : str or Path
        ``%d`` in its name stands for a number, ``%03d`` for one of at least three digits with
        zeros in front.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If there are several numbers in the name.
    """
    path = Path(path).expanduser()
    before, *places, after = _NUMBER.split(path.name)
    if len(places) != 1:
        raise ValueError(
            f"source must hold one number such as %03d in its name, got {str(path)!r}."
        )
    digits = rf"\d{{{places[0]}}}|[1-9]\d{{{places[0]},}}" if places[0] else r"0|[1-9]\d*"
    name = re.compile(f"{re.escape(before)}({digits}){re.escape(after)}")
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    found = sorted((int(fit[1]), file) for file in files if (fit := name.fullmatch(file.name)))
    if not found:
        raise FileNotFoundError(
            f"source: no pictures have names like {str(path)!r}; check the folder, and how many "
            "digits the numbers have."
        )
    gaps = [str(one + 1) for (one, _), (next_, _) in pairwise(found) if next_ > one + 1]
    if gaps:
        warnings.warn(
            f"source: of the pictures {str(path)!r} numbers are missing, from {first_few(gaps)}; "
            "the others follow one another as if there were no gap.",
            stacklevel=2,
        )
    return [file for _, file in found]


def pictures_in(path: str | Path) -> Iterator[VideoFrame | Image.Image] | None:
    """Return the pictures of an animated WebP, and the pages of a TIFF, which know no times.

    FFmpeg reads none of the first and one of the second. None for any other file.
    """
    path = Path(path).expanduser()
    try:
        with Image.open(path, formats=("TIFF", "WEBP")) as image:
            if getattr(image, "n_frames", 1) == 1:
                return None
            return _animation(path) if image.format == "WEBP" else _pages(path)
    except Exception:  # of another format, or damaged, on which Pillow raises nearly anything
        return None


def _animation(path: Path) -> Iterator[VideoFrame]:
    time_s = 0.0
    with Image.open(path) as image:
        for number in range(image.n_frames):
            try:
                image.seek(number)
                frame = VideoFrame(number, time_s, load_image(image))
            except (EOFError, ValueError) as error:
                raise DamagedVideoError(
                    f"source: {str(path)!r} is damaged after {number} frames ({error}); "
                    "get a complete copy of it."
                ) from error
            yield frame
            time_s += (image.info.get("duration") or _USUAL_DURATION_MS) / 1000


def _pages(path: Path) -> Iterator[Image.Image]:
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield image


class PictureReader:
    """Pictures as the frames of a video.

    Parameters
    ----------
    pictures : iterable of VideoFrame, str, Path, bytes, PIL.Image.Image or numpy.ndarray
        Taken one after the other.
    name : str
        What to call them.
    every_s, fps, color
        As `read_video` takes them.
    """

    path: Path | None = None  # They are no file that could be written over.
    sound = None

    def __init__(
        self,
        pictures: Iterable[VideoFrame | ImageSource],
        name: str,
        *,
        every_s: float = 0.0,
        fps: float | None = None,
        color: ColorOrder = "rgb",
    ) -> None:
        self.name = name
        self._pictures = pictures
        self._color = color
        self._sampler = Sampler(every_s)
        self._fps = None if fps is None else checked_number("fps", fps, above=0, most=_MOST_FPS)

    @property
    def rate(self) -> Fraction:
        """About how many frames a second there are."""
        return Fraction(self._fps).limit_denominator(1001) if self._fps else _USUAL_RATE

    def read(self, *, progress: bool = False) -> Iterator[VideoFrame]:
        """Yield the frames."""
        total = len(self._pictures) if hasattr(self._pictures, "__len__") else None
        last_s = None
        with progress_bar(self.name, total, progress) as bar:
            for number, picture in enumerate(self._pictures):
                bar.update()
                time_s = self._time_s(number, picture, last_s)
                if self._sampler.takes(time_s):
                    yield self._frame(number, picture, time_s)
                last_s = time_s
        if last_s is None:
            raise ValueError("source must hold at least one picture, got none.")

    def __enter__(self) -> "PictureReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def _time_s(self, number: int, picture: object, last_s: float | None) -> float:
        if not isinstance(picture, VideoFrame):
            if self._fps is None:
                raise ValueError(
                    "fps must say how many pictures a second there are: they know no times."
                )
            return number / self._fps
        if self._fps is not None:
            raise ValueError(
                f"fps must be left out where frames know their times, as source[{number}] does."
            )
        if last_s is not None and not picture.time_s > last_s:
            raise ValueError(
                f"source[{number}] must be later than the frame before, at {last_s:g} s, got "
                f"time_s {picture.time_s}."
            )
        return picture.time_s

    def _frame(self, number: int, picture: object, time_s: float) -> VideoFrame:
        try:
            if isinstance(picture, VideoFrame):
                check_rgb(picture.image)
                return picture
            return VideoFrame(number, time_s, load_image(picture, color=self._color))
        except (OSError, TypeError, ValueError) as error:
            error.args = (f"source[{number}]: {error}",)
            raise
