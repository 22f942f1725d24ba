"""Videos out: frames become an MP4 that browsers play, and so notebooks."""

import itertools
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from numbers import Real
from pathlib import Path

import av
import numpy as np

_MAX_FPS = 1000
_BT709 = 1  # The colours of HD video, as ITU-T H.273 numbers them.


def write_video(frames: Iterable[np.ndarray], path: str | Path, *, fps: float) -> Path:
    """Write frames as an H.264 MP4 that plays in browsers, and so in a notebook.

    The frames are taken one after the other, so a generator of any length will do. The file
    appears under its name only when it is complete. An odd width or height grows by one pixel,
    a copy of its last, because the format knows only even ones.

    Parameters
    ----------
    frames : iterable of numpy.ndarray
        uint8, shape (h, w, 3), RGB, all of the same size.
    path : str or Path
        The file to write; its name ends in ``.mp4``. A file there is replaced.
    fps : float
        Frames per second, above 0 and at most 1000.

    Returns
    -------
    Path
        Where the video is.

    Raises
    ------
    FileNotFoundError
        The folder of `path` does not exist.
    ValueError
        There are no frames, one has another size, shape or dtype, `path` cannot be written or
        does not end in ``.mp4``, or `fps` is out of range.
    TypeError
        `frames`, `path` or `fps` is of another type.
    """
    target, rate = _checked_target(path), _checked_rate(fps)
    if isinstance(frames, np.ndarray) and frames.ndim < 4:
        raise TypeError("frames must be several pictures, got a single one; write [image]")
    temporary = target.with_name(f"{target.name}.part")
    try:
        with _unwritable_as_value_error(target):
            _encode(_same_sized(frames), temporary, rate)
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return target


def _checked_target(path: object) -> Path:
    if not isinstance(path, str | Path):
        raise TypeError(f"path must name the file to write, got {type(path).__name__}")
    target = Path(os.path.expanduser(path))
    if target.suffix.lower() != ".mp4":
        raise ValueError(f"path must end in .mp4, the format that is written, got {str(path)!r}")
    if target.is_dir():
        raise ValueError(f"path must name a file, {str(path)!r} is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"path: there is no folder {str(target.parent)!r}; make it first, or choose another"
        )
    return target


def _checked_rate(fps: object) -> Fraction:
    if not isinstance(fps, Real):
        raise TypeError(f"fps must be a number of frames per second, got {type(fps).__name__}")
    # The bound of 1001 finds television's rates, such as 30000/1001.
    rate = Fraction(float(fps)).limit_denominator(1001) if math.isfinite(fps) else 0
    if not 0 < rate <= _MAX_FPS:
        raise ValueError(f"fps must be above 0 and at most {_MAX_FPS} frames per second, got {fps}")
    return rate


def _same_sized(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    shape = None
    for number, frame in enumerate(frames):
        _check_frame(frame, number)
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(
                f"frames must all have one size: frames[0] has shape {shape}, frames[{number}] "
                f"has {frame.shape}; resize them first"
            )
        yield frame


def _check_frame(frame: object, number: int) -> None:
    if not isinstance(frame, np.ndarray):
        raise TypeError(
            f"frames[{number}] must be a numpy array, got {type(frame).__name__}; "
            "pass pictures through load_image first"
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError(
            f"frames[{number}] must be uint8 of shape (h, w, 3), got {frame.dtype} of shape "
            f"{frame.shape}; pass it through load_image first"
        )


def _encode(frames: Iterator[np.ndarray], path: Path, rate: Fraction) -> None:
    first = next(frames, None)
    if first is None:
        raise ValueError("frames must hold at least one picture, got none")
    # With "faststart" the index stands in front, so that playing starts before all is loaded.
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = _add_stream(container, _even(first), rate)
        for number, frame in enumerate(itertools.chain([first], frames)):
            container.mux(stream.encode(_to_yuv(frame, number, rate)))
        container.mux(stream.encode())


def _add_stream(
    container: av.container.OutputContainer, image: np.ndarray, rate: Fraction
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "fast"})
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.color_primaries = stream.color_trc = stream.colorspace = _BT709
    return stream


def _to_yuv(image: np.ndarray, number: int, rate: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(_even(image), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
    frame.pts, frame.time_base = number, 1 / rate
    return frame


def _even(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


@contextmanager
def _unwritable_as_value_error(path: Path) -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as error:
        raise ValueError(
            f"path: {str(path)!r} cannot be written ({error.strerror}); choose another place"
        ) from error
