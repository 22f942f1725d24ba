"""Frames and sound out of what FFmpeg reads: files of every format, cameras, addresses."""

import os
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from ..argument_checks import checked_whole_number
from ..processes import keep_in_children
from .completeness import is_complete
from .conversion import Matrix, display_matrix, to_upright_rgb
from .frames import Sampler, VideoFrame, progress_bar
from .opening import no_video, open_source, reason_of

# These formats tell how long they are; of the others FFmpeg only estimates it.
_TELL_DURATION = ("asf", "flv", "matroska", "mp4", "mxf")
# A file that ends earlier than it says by more than this is cut off.
_MISSING_S = 0.5
_USUAL_RATE = Fraction(25)
# Times that go back by more than the first begin anew, and so do those that leap by more than the
# others: in streams, which may be joined; and in any file.
_BACK_S, _STREAM_LEAP_S, _LEAP_S = 0.5, 10.0, 86_400.0
_STILL = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails


class DamagedVideoError(ValueError):
    """A part of a video is missing, or it broke off; what there is was read."""


class ContainerReader:
    """An open video, with its sound if there is one and it is asked for.

    Parameters and errors are those of `read_video`; `sound` says whether the sound is read.
    """

    def __init__(
        self,
        source: str | Path | int | BinaryIO,
        *,
        every_s: float = 0.0,
        video_track: int | None = None,
        sound: bool = False,
    ) -> None:
        self._sampler = Sampler(every_s)
        self._opened = open_source(source)
        self.name, self.path = self._opened.name, self._opened.path
        self._container = self._opened.container
        self._process = os.getpid()
        keep_in_children(self, self._container)
        try:
            self._stream = _video_stream(self._container, video_track, self.name)
        except BaseException:
            self._container.close()
            raise
        self.sound = _sound_stream(self._container, self._stream) if sound else None
        may_leap = bool(self._container.format.flags & av.format.Flags.ts_discont.value)
        self._clock, self._sound_clock = (_Clock(may_leap) for _ in range(2))
        start = self._container.start_time
        self._start_s = None if start is None else Fraction(start, av.time_base)
        self._decoded = 0
        self._last_time_s = 0.0
        self._is_faulty = self._has_warned = False
        self._rotation: int | None = None
        self._matrix: Matrix | None = None

    @property
    def rate(self) -> Fraction:
        """About how many frames a second the video has."""
        return self._stream.average_rate or _USUAL_RATE

    def read(self, *, progress: bool = False) -> Iterator[VideoFrame | av.Packet]:
        """Yield the frames, and between them the sound's packets, timed from the video's start.

        The packets can be decoded as long as the video is open.
        """
        self._refuse_in_a_child()
        with progress_bar(self.name, self._expected_frames(), progress) as bar:
            for item in self._decode():
                if isinstance(item, av.Packet):
                    yield item
                else:
                    index, time_s = self._decoded, self._time_s(item)
                    self._decoded += 1
                    bar.update()
                    if self._sampler.takes(time_s):
                        yield VideoFrame(index, time_s, self._to_upright_rgb(item))
                self._refuse_in_a_child()
        if not self._decoded:
            raise ValueError(f"source: {self.name!r} has no frames; check that it is complete.")

    def close(self) -> None:
        """Close the video; a file object that was given stays open."""
        if self._process == os.getpid():  # elsewhere it would wait for the decoder's threads
            self._container.close()

    def __enter__(self) -> "ContainerReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_in_a_child(self) -> None:
        if self._process != os.getpid():
            raise ValueError(
                f"source: {self.name!r} was opened before this process was forked, and its "
                "decoder did not come along; open it again here."
            )

    def _to_upright_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, display_matrix(frame)
        return to_upright_rgb(frame, self._stream.sample_aspect_ratio, self._matrix)

    def _expected_frames(self) -> int | None:
        stream, duration = self._stream, self._container.duration
        if stream.frames or not (duration and stream.average_rate):
            return stream.frames or None
        return round(duration / av.time_base * stream.average_rate)

    def _decode(self) -> Iterator[av.VideoFrame | av.Packet]:
        sound_index = self.sound.index if self.sound else None
        end_s, reason = 0.0, "it ends there, or has a gap before"
        try:
            for packet in self._container.demux():  # all streams: the longest tells the end
                end_s = max(end_s, _end_s(packet))
                # Of the last packets, which are empty, only `stream` is right.
                if packet.stream.index == self._stream.index:
                    yield from self._frames_in(packet)
                elif packet.stream.index == sound_index:
                    yield from self._timed(packet)
        except av.FFmpegError as error:
            self._is_faulty, reason = True, reason_of(error)
            yield from self._frames_in(None)
        if self._is_faulty or end_s < self._promised_s - _MISSING_S or not self._is_complete():
            raise DamagedVideoError(self._what_is_missing(reason))

    def _what_is_missing(self, reason: str) -> str:
        if self._opened.file is None:
            return (
                f"source: {self.name!r} broke off after {self._decoded} frames ({reason}); check "
                "the connection, and open it again."
            )
        return (
            f"source: {self.name!r} is damaged after {self._decoded} frames ({reason}); "
            "get a complete copy of it."
        )

    def _frames_in(self, packet: av.Packet | None) -> Iterator[av.VideoFrame]:
        """Decode a packet; None brings what the decoder still holds, as the last packets do."""
        try:
            frames = self._stream.decode(packet)
        except av.FFmpegError:
            self._is_faulty = True
            return
        has_data = packet is not None and packet.size > 0
        is_faulty = (has_data and packet.is_corrupt) or any(frame.is_corrupt for frame in frames)
        if has_data or is_faulty:
            self._judge(is_faulty)
        yield from frames

    def _judge(self, is_faulty: bool) -> None:
        """Warn of a fault once something sound comes after it: else, the video ends there."""
        is_live = self._opened.file is None
        # Who begins to listen seldom does so where a picture is complete.
        is_hole = self._is_faulty and not is_faulty and (self._decoded or not is_live)
        if is_hole and not self._has_warned:
            self._has_warned = True
            what = "lost data" if is_live else "is damaged, or joined,"
            remedy = "check the connection" if is_live else "get a complete copy"
            warnings.warn(
                f"source: {self.name!r} {what} near frame {self._decoded}: frames may be missing "
                f"or look wrong, perhaps elsewhere, too; {remedy}.",
                stacklevel=2,
            )
        self._is_faulty = is_faulty

    def _is_complete(self) -> bool:
        file = self._opened.file
        if isinstance(file, Path):
            if not file.is_file():  # a pipe, which cannot be read again
                return True
            with file.open("rb") as again:
                return is_complete(again, self._container.format.name)
        if file is None or not (hasattr(file, "seekable") and file.seekable()):
            return True
        return is_complete(file, self._container.format.name)

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

    def _timed(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Give a packet of the sound its time from the video's start; drop it if it has none."""
        if packet.pts is None or packet.dts is None:
            return
        step_s = float((packet.duration or 0) * packet.time_base)
        shift_s = self._sound_clock.shift_s(self._since_start_s(packet.dts, packet), step_s)
        shift = round((shift_s - (self._start_s or 0)) / packet.time_base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        yield packet

    def _time_s(self, frame: av.VideoFrame) -> float:
        step_s = 1 / float(self.rate)
        if frame.pts is None:
            time_s = self._last_time_s + step_s if self._decoded else 0.0
        else:
            time_s = self._since_start_s(frame.pts, self._stream)
            time_s += self._clock.shift_s(time_s, step_s)
        if self._decoded and time_s <= self._last_time_s:
            time_s = self._last_time_s + step_s
        self._last_time_s = time_s
        return time_s

    def _since_start_s(self, ticks: int, timed: av.Packet | av.VideoStream) -> float:
        time_s = ticks * timed.time_base
        if self._start_s is None:  # of a camera, for example
            self._start_s = time_s
        return float(time_s - self._start_s)


class _Clock:
    """Makes the times of a stream go on where they begin anew, as in clips joined to one.

    Parameters
    ----------
    may_leap : bool
        Whether they may, by the stream's format, also begin anew at a later time.
    """

    def __init__(self, may_leap: bool) -> None:
        self._leap_s = _STREAM_LEAP_S if may_leap else _LEAP_S
        self._shift_s = 0.0
        self._last_s: float | None = None

    def shift_s(self, time_s: float, step_s: float) -> float:
        """Return what to add to the next time; it begins anew one step after the last."""
        if self._last_s is not None:
            gap_s = time_s + self._shift_s - self._last_s
            if not -_BACK_S <= gap_s <= self._leap_s:
                self._shift_s += step_s - gap_s
        self._last_s = time_s + self._shift_s
        return self._shift_s


def _video_stream(
    container: av.container.InputContainer, number: int | None, name: str
) -> av.VideoStream:
    """Return the stream of this number, or else the largest that moves."""
    streams = container.streams.video
    if not streams or container.format.name == "tty":  # FFmpeg draws plain text as a terminal.
        raise no_video(name, "it holds no pictures")
    if number is not None:
        number = checked_whole_number("video_track", number, least=0, most=len(streams) - 1)
        moving = [streams[number]]
    else:
        moving = [stream for stream in streams if not stream.disposition & _STILL]
    if not moving:
        raise no_video(name, "it holds only a cover picture")
    decoded = [stream for stream in moving if stream.codec_context]
    if not decoded:
        raise no_video(name, "its pictures are in a format that FFmpeg cannot decode")
    # Animated AVIF has a picture of the same size, still, before the track that moves.
    largest = max(decoded, key=lambda stream: (stream.frames != 1, _pixels(stream)))
    if len(decoded) > 1:
        sizes = ", ".join(f"{streams.index(s)} of {s.width}x{s.height} px" for s in decoded)
        warnings.warn(
            f"source: {name!r} has several video tracks ({sizes}); the largest, "
            f"{streams.index(largest)}, is read. Choose with video_track.",
            stacklevel=2,
        )
    return largest


def _pixels(stream: av.VideoStream) -> int:
    return stream.width * stream.height


def _sound_stream(
    container: av.container.InputContainer, video: av.VideoStream
) -> av.AudioStream | None:
    """Return the sound that players would choose."""
    stream = container.streams.best("audio", related=video)
    return stream if stream and stream.codec_context else None


def _end_s(packet: av.Packet) -> float:
    if packet.pts is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)
