"""Videos in: what may be the source of a video, and its frames."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from ..images import ColorOrder, ImageSource
from .container import ContainerReader
from .frames import VideoFrame
from .image_sequences import PictureReader, is_numbered, numbered_pictures, pictures_in
from .opening import checked_path, is_address

VideoSource: TypeAlias = str | Path | int | BinaryIO | Iterable[VideoFrame | ImageSource]


def read_video(
    source: VideoSource,
    *,
    every_s: float = 0.0,
    video_track: int | None = None,
    fps: float | None = None,
    color: ColorOrder = "rgb",
    progress: bool = False,
) -> Iterator[VideoFrame]:
    """Read the frames of a video, one after the other, each with its own time.

    Only a few frames are held in memory at a time. The times are those in the file, so that a
    variable frame rate is honoured. Pixels are made square, HDR (PQ and HLG) is shown as on a
    usual screen, transparent parts are laid on white, and of interlaced frames the first field is
    shown where something moved. A video may change its size as it goes, and then its frames do.

    Parameters
    ----------
    source : str, Path, int, binary file object or iterable
        A video that FFmpeg can read: its path, or a file object, which is read from its start
        and stays open. Numbered pictures: a path such as ``frames/%03d.png``. A camera of this
        machine: its number, from 0, or path, such as ``/dev/video0``. An address that begins
        with ``http://``, ``rtsp://`` or the like: this, and nothing else, makes a network
        connection, to that address. Or the frames themselves, a list or generator of them: of
        `VideoFrame`, or of whatever `load_image` takes. Animated pictures and the pages of a TIFF
        are frames, too.
    every_s : float
        Seconds from one frame to the next; 0 gives every frame. Of the frames in each period
        the first is taken.
    video_track : int, optional
        Which of a file's video tracks to read, from 0. By default the largest, a cover picture
        apart; if there are several, a warning says so.
    fps : float, optional
        How many pictures a second there are, where they know no times: above 0, at most 1000.
    color : {"rgb", "bgr"}
        The order of the channels in a list or generator of arrays; OpenCV's are "bgr".
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    iterator of VideoFrame
        In the order in which they are shown. A camera, and many an address, never ends: stop
        when you have enough.

    Raises
    ------
    FileNotFoundError
        If there is no such file or camera.
    ValueError
        If the source is no video or cannot be opened, a number is out of range, `fps` is missing,
        or `video_track`, `fps` or `color` says nothing about a source of this kind; while
        reading: the end is missing, there is a gap, or there are no frames. Of other damage a
        warning tells. A bare stream such as ``.h264`` does not say where it should end, so one
        that was cut off between two pictures ends without a word.
    TypeError
        If `source` or a number is of another type.

    Examples
    --------
    >>> import numpy as np
    >>> pictures = (np.full((48, 64, 3), grey, np.uint8) for grey in (0, 80, 160, 240))
    >>> [(frame.index, frame.time_s) for frame in read_video(pictures, fps=2, every_s=1)]
    [(0, 0.0), (2, 1.0)]
    """
    reader = open_reader(source, every_s=every_s, video_track=video_track, fps=fps, color=color)
    return _frames_of(reader, progress)


def _frames_of(reader: ContainerReader | PictureReader, progress: bool) -> Iterator[VideoFrame]:
    with reader:
        yield from reader.read(progress=progress)


def open_reader(
    source: VideoSource,
    *,
    every_s: float = 0.0,
    video_track: int | None = None,
    fps: float | None = None,
    color: ColorOrder = "rgb",
    sound: bool = False,
) -> ContainerReader | PictureReader:
    """Open any source of a video.

    Parameters and errors are those of `read_video`; `sound` says whether the sound is read, too.
    """
    pictures = _pictures(source)
    if pictures is None:
        _refuse("fps", fps, None, "pictures that know no times")
        _refuse("color", color, "rgb", "a list or generator of arrays")
        return ContainerReader(source, every_s=every_s, video_track=video_track, sound=sound)
    _refuse("video_track", video_track, None, "a video file")
    name = str(source) if isinstance(source, str | Path) else "frames"
    return PictureReader(pictures, name, every_s=every_s, fps=fps, color=color)


def _pictures(source: object) -> Iterable[VideoFrame | ImageSource] | None:
    """Return the pictures that a source consists of; None where FFmpeg is to read it."""
    if is_address(source) or isinstance(source, bytes) or hasattr(source, "read"):
        return None
    if isinstance(source, str | Path):
        if is_numbered(source):
            return numbered_pictures(source)
        return pictures_in(source) if checked_path(source).is_file() else None
    if isinstance(source, Image.Image) or (isinstance(source, np.ndarray) and source.ndim < 4):
        raise TypeError(
            f"source must be a video or several pictures, got a single {type(source).__name__}; "
            "give it to EmotionRecognizer.recognize."
        )
    return source if isinstance(source, Iterable) else None


def _refuse(argument: str, value: object, usual: object, about: str) -> None:
    if value != usual:
        raise ValueError(
            f"{argument} is about {about}, got {value!r} for another source; leave it out."
        )
