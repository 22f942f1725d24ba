"""Videos in: any file that FFmpeg reads becomes upright RGB frames, each with its time."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import BinaryIO, TypeAlias

import av
import numpy as np
from tqdm.auto import tqdm

VideoSource: TypeAlias = str | Path | BinaryIO

_TIME_TOLERANCE_S = 1e-6
# These formats tell how long they are; of the others FFmpeg only estimates it.
_TELL_DURATION = ("matroska", "mp4")
# A file that ends earlier than it says by more than this is cut off.
_MISSING_S = 0.5
_USUAL_RATE = Fraction(25)


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
    """

    index: int
    time_s: float
    image: np.ndarray


class DamagedVideoError(ValueError):
    """A video cannot be read beyond some frame; those before it were."""


def read_video(
    source: VideoSource, *, every_s: float = 0.0, progress: bool = False
) -> Iterator[VideoFrame]:
    """Read the frames of a video, one after the other, each with its own time.

    Only a few frames are held in memory at a time. The times are those in the file, so that a
    variable frame rate is honoured. All frames have the first one's size, with square pixels.

    Parameters
    ----------
    source : str, Path or binary file object
        A video that FFmpeg can read. A file object is read from its start and stays open.
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
    return _frames_of(VideoReader(source, every_s=every_s, sound=False), progress)


def _frames_of(reader: "VideoReader", progress: bool) -> Iterator[VideoFrame]:
    with reader:
        yield from reader.read(progress=progress)


class VideoReader:
    """An open video, with its sound if there is one and it is asked for.

    Parameters and errors are those of `read_video`.
    """

    def __init__(self, source: VideoSource, *, every_s: float = 0.0, sound: bool = True) -> None:
        if not isinstance(every_s, Real):
            raise TypeError(f"every_s must be a number of seconds, got {type(every_s).__name__}")
        if not 0 <= every_s < math.inf:
            raise ValueError(f"every_s must be 0 or more seconds, got {every_s}")
        self._every_s = float(every_s)
        file = _checked_source(source)
        self.path = file if isinstance(file, Path) else _path_of(file)
        self.name = str(file if isinstance(file, Path) else getattr(file, "name", "video"))
        self._container = _open(file, self.name)
        self._stream = self._container.streams.video[0]
        self.sound = _sound_of(self._container) if sound else None
        self._decoded = 0
        self._last_time_s = -math.inf
        self._size: tuple[int, int] | None = None

    @property
    def rate(self) -> Fraction:
        """About how many frames a second the video has."""
        return self._stream.average_rate or _USUAL_RATE

    def read(self, *, progress: bool = False) -> Iterator[VideoFrame | av.Packet]:
        """Yield the frames, and between them the sound's packets, timed from the video's start.

        The packets can be decoded as long as the video is open.
        """
        due_s = -math.inf
        with self._progress_bar(progress) as bar:
            for item in self._decode():
                if isinstance(item, av.Packet):
                    yield item
                    continue
                index, time_s = self._decoded, self._time_s(item)
                self._decoded += 1
                bar.update()
                if time_s >= due_s - _TIME_TOLERANCE_S:
                    yield VideoFrame(index, time_s, self._to_upright_rgb(item))
                    due_s = _next_due_s(time_s, self._every_s)
        if not self._decoded:
            raise ValueError(f"source: {self.name!r} has no frames; check that it is complete")

    def close(self) -> None:
        """Close the video; a file object that was given stays open."""
        self._container.close()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _progress_bar(self, shown: bool) -> tqdm:
        name = os.path.basename(self.name)
        total = self._expected_frames()
        return tqdm(total=total, desc=f"Reading {name}", unit="frame", disable=not shown)

    def _expected_frames(self) -> int | None:
        stream, duration = self._stream, self._container.duration
        if stream.frames or not (duration and stream.average_rate):
            return stream.frames or None
        return round(duration / av.time_base * stream.average_rate)

    def _decode(self) -> Iterator[av.VideoFrame | av.Packet]:
        sound_index = self.sound.index if self.sound else None
        cut_off, end_s = False, 0.0
        try:
            for packet in self._container.demux():  # all streams: the longest tells the end
                end_s = max(end_s, _end_s(packet))
                # FFmpeg marks what is left of a packet where a file is cut off.
                cut_off = packet.is_corrupt if packet.size else cut_off
                if packet.stream_index == self._stream.index:
                    yield from packet.decode()
                elif packet.stream_index != sound_index:
                    continue
                elif packet.pts is not None and packet.dts is not None:
                    yield self._from_start(packet)
        except av.FFmpegError as error:
            # The decoder looks ahead: these come before the damage.
            yield from self._stream.decode(None)
            raise self._damage(error.strerror) from error
        if cut_off or end_s < self._promised_s - _MISSING_S:
            raise self._damage("cut off")

    @property
    def _promised_s(self) -> float:
        """When the video ends by its own account; 0 where FFmpeg would only estimate it.

        FFmpeg often takes a file that is cut off for one that ends there.
        """
        format_name = self._container.format.name
        if format_name == "avi":  # FFmpeg shortens the duration to what is there, not the ticks
            return float(self._stream.frames * self._stream.time_base)
        told = any(name in format_name for name in _TELL_DURATION)
        return (self._container.duration or 0) / av.time_base if told else 0.0

    def _damage(self, reason: str) -> DamagedVideoError:
        return DamagedVideoError(
            f"source: {self.name!r} is damaged after {self._decoded} frames ({reason}); "
            "get a complete copy of it"
        )

    def _from_start(self, packet: av.Packet) -> av.Packet:
        start = round(self._start_s / packet.time_base)
        packet.pts, packet.dts = packet.pts - start, packet.dts - start
        return packet

    @property
    def _start_s(self) -> Fraction:
        return Fraction(self._container.start_time or 0, av.time_base)

    def _time_s(self, frame: av.VideoFrame) -> float:
        if frame.pts is None:
            time_s = self._decoded / float(self.rate)
        else:
            time_s = float(frame.pts * self._stream.time_base - self._start_s)
        if time_s <= self._last_time_s:  # clips joined carelessly jump back
            time_s = self._last_time_s + 1 / float(self.rate)
        self._last_time_s = time_s
        return time_s

    def _to_upright_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        if self._size is None:
            pixel_aspect = self._stream.sample_aspect_ratio or 1
            self._size = (max(1, round(frame.width * pixel_aspect)), frame.height)
        width, height = self._size
        image = frame.to_ndarray(format="rgb24", width=width, height=height)
        quarter_turns = round(frame.rotation / 90)  # counter-clockwise, as np.rot90 counts them
        return np.ascontiguousarray(np.rot90(image, quarter_turns))


def _checked_source(source: object) -> Path | BinaryIO:
    if isinstance(source, str | Path):
        return _checked_path(source)
    if not callable(getattr(source, "read", None)):
        raise TypeError(
            "source must be a video's path or a file object opened in binary mode, "
            f"got {type(source).__name__}"
        )
    if getattr(source, "closed", False):
        raise ValueError("source is a file object that is closed; open it again")
    if source.read(0) != b"":
        raise TypeError("source must be opened in binary mode: open(path, 'rb')")
    if hasattr(source, "seekable") and source.seekable():
        source.seek(0)
    return source


def _path_of(file: BinaryIO) -> Path | None:
    """Return the path of an open file; None for what lies in memory, or has no path."""
    name = getattr(file, "name", None)
    return Path(name).resolve() if isinstance(name, str) and os.path.exists(name) else None


def _checked_path(source: str | Path) -> Path:
    # An absolute path is never taken for an address.
    path = Path(os.path.expanduser(source)).resolve()
    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {str(source)!r}; check the path")
    if path.is_dir():
        raise ValueError(f"source must be a video file, {str(source)!r} is a folder")
    return path


def _open(file: Path | BinaryIO, name: str) -> av.container.InputContainer:
    no_video = (
        f"source: {name!r} cannot be read as a video; check that it is a complete video "
        "file, such as MP4, MOV, AVI or WebM"
    )
    try:
        container = av.open(str(file) if isinstance(file, Path) else file)
    except av.FFmpegError as error:
        raise ValueError(f"{no_video} ({error.strerror})") from error
    # FFmpeg also draws plain text as a picture of a terminal.
    if not container.streams.video or container.format.name == "tty":
        container.close()
        raise ValueError(no_video)
    return container


def _sound_of(container: av.container.InputContainer) -> av.AudioStream | None:
    streams = [stream for stream in container.streams.audio if stream.codec_context]
    return streams[0] if streams else None


def _end_s(packet: av.Packet) -> float:
    if packet.pts is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _next_due_s(time_s: float, every_s: float) -> float:
    if not every_s:
        return -math.inf
    return every_s * (math.floor((time_s + _TIME_TOLERANCE_S) / every_s) + 1)
