"""Videos in: any file that FFmpeg reads becomes upright RGB frames, each with its time."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import av
import numpy as np
from tqdm.auto import tqdm

_TIME_TOLERANCE_S = 1e-6


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame of a video.

    Parameters
    ----------
    index : int
        Its number in the video, from 0.
    time_s : float
        When it is shown, in seconds from the video's start.
    image : numpy.ndarray
        uint8, shape (h, w, 3), RGB, turned upright as the video's metadata says.
    """

    index: int
    time_s: float
    image: np.ndarray


def read_video(
    source: str | Path, *, every_s: float = 0.0, progress: bool = False
) -> Iterator[VideoFrame]:
    """Read the frames of a video, one after the other, each with its own time.

    Only one frame is held in memory at a time. The times are those in the file, so that a
    variable frame rate is honoured.

    Parameters
    ----------
    source : str or Path
        A video file that FFmpeg can read.
    every_s : float
        Seconds from one frame to the next; 0 gives every frame. Of the frames in each period
        the first is taken.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    iterator of VideoFrame
        In the order in which they are shown.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no video, or `every_s` is negative or not finite; while reading: the video
        is damaged, or has no frames.
    TypeError
        `source` or `every_s` is of another type.
    """
    path = _checked_source(source)
    if not isinstance(every_s, Real):
        raise TypeError(f"every_s must be a number of seconds, got {type(every_s).__name__}")
    if not 0 <= every_s < math.inf:
        raise ValueError(f"every_s must be 0 or more seconds, got {every_s}")
    return _read(_open(path), path, every_s, progress)


def _checked_source(source: object) -> Path:
    if not isinstance(source, str | Path):
        raise TypeError(f"source must be a video's path, got {type(source).__name__}")
    # An absolute path is never taken for an address.
    path = Path(os.path.expanduser(source)).resolve()
    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {str(source)!r}; check the path")
    if path.is_dir():
        raise ValueError(f"source must be a video file, {str(source)!r} is a folder")
    return path


def _open(path: Path) -> av.container.InputContainer:
    no_video = (
        f"source: {str(path)!r} cannot be read as a video; check that it is a complete video "
        "file, such as MP4, MOV, AVI or WebM"
    )
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise ValueError(f"{no_video} ({error.strerror})") from error
    # FFmpeg also draws plain text as a picture of a terminal.
    if not container.streams.video or container.format.name == "tty":
        container.close()
        raise ValueError(no_video)
    return container


def _read(
    container: av.container.InputContainer, path: Path, every_s: float, progress: bool
) -> Iterator[VideoFrame]:
    due_s, read = 0.0, 0
    with container:
        for frame in tqdm(
            _decode(container, path),
            total=_expected_frames(container),
            desc=f"Reading {path.name}",
            unit="frame",
            disable=not progress,
        ):
            time_s = _time_s(frame, container, read)
            if time_s >= due_s - _TIME_TOLERANCE_S:
                yield VideoFrame(read, time_s, _to_upright_rgb(frame))
                due_s = _next_due_s(time_s, every_s)
            read += 1
    if not read:
        raise ValueError(f"source: {str(path)!r} has no frames; check that it is complete")


def _decode(container: av.container.InputContainer, path: Path) -> Iterator[av.VideoFrame]:
    stream = container.streams.video[0]
    decoded = 0
    try:
        for packet in container.demux(stream):
            for frame in packet.decode():
                yield frame
                decoded += 1
    except av.FFmpegError as error:
        rest = stream.decode(None)  # The decoder looks ahead: these come before the damage.
        yield from rest
        raise ValueError(
            f"source: {str(path)!r} is damaged after {decoded + len(rest)} frames "
            f"({error.strerror}); get a complete copy of it"
        ) from error


def _expected_frames(container: av.container.InputContainer) -> int | None:
    stream = container.streams.video[0]
    if stream.frames or not (container.duration and stream.average_rate):
        return stream.frames or None
    return round(container.duration / av.time_base * stream.average_rate)


def _time_s(frame: av.VideoFrame, container: av.container.InputContainer, index: int) -> float:
    stream = container.streams.video[0]
    if frame.pts is None:
        return index / float(stream.average_rate or 25)
    return float(frame.pts * stream.time_base) - (container.start_time or 0) / av.time_base


def _next_due_s(time_s: float, every_s: float) -> float:
    if not every_s:
        return 0.0
    return every_s * (math.floor((time_s + _TIME_TOLERANCE_S) / every_s) + 1)


def _to_upright_rgb(frame: av.VideoFrame) -> np.ndarray:
    quarter_turns = round(frame.rotation / 90)  # counter-clockwise, as np.rot90 counts them
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), quarter_turns))
