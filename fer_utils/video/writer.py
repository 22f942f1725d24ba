"""Videos out: frames and sound become an MP4 that browsers play, and so notebooks.

Ours, not supervision's or OpenCV's: those write neither sound nor frames at uneven times.
"""

import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from PIL import Image

from ..argument_checks import checked_number
from ..files import checked_target, part_path, unwritable_as_value_error

_MIN_FPS, _MAX_FPS = 0.001, 1000
_MAX_SIDE_PX = 16384  # of x264
_BT709 = 1  # The colours of HD video, as ITU-T H.273 numbers them.
# MPEG's clock: the usual frame rates, 30000/1001 among them, have whole periods in it.
_CLOCK = Fraction(1, 90_000)
# How many frames and packets of sound may wait for the encoder.
_MOST_PENDING = 8
# What may stand in an MP4 and is played by browsers.
_COPIED_CODECS = frozenset({"aac", "flac", "mp3", "opus"})
_AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


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
        If the folder of `path` does not exist.
    ValueError
        If there are no frames, one has another size, shape or dtype, `path` cannot be written or
        does not end in ``.mp4``, or `fps` is out of range.
    TypeError
        If `frames`, `path` or `fps` is of another type.

    Examples
    --------
    >>> import tempfile
    >>> frames = [np.full((64, 64, 3), grey, np.uint8) for grey in (0, 100, 200)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fer.write_video(frames, f"{folder}/clip.mp4", fps=10).name
    'clip.mp4'
    """
    target, rate = checked_target("path", path, ".mp4"), _checked_rate(fps)
    if isinstance(frames, np.ndarray) and frames.ndim < 4:
        raise TypeError("frames must be several pictures, got a single one; write [image].")
    if not isinstance(frames, Iterable):
        raise TypeError(f"frames must be several pictures, got {type(frames).__name__}.")
    number = -1
    with VideoWriter(target, rate, clock=1 / rate) as writer:
        for number, frame in enumerate(_same_sized(frames)):
            writer.write(frame, number / rate)
        if number < 0:
            raise ValueError("frames must hold at least one picture, got none.")
    return target


class VideoWriter:
    """An MP4 that takes frames with their times, and sound; it encodes on a thread of its own.

    In a ``with`` statement the file gets its own name at the end; after an error inside, nothing
    is left of it. `finish` and `discard` do the same by hand.

    Parameters
    ----------
    path : Path
        As `fer_utils.files.checked_target` returns it.
    rate : Fraction
        About how many frames a second will come; their times say when exactly.
    sound : av.AudioStream, optional
        The stream from which the sound's packets will come.
    clock : Fraction
        The unit of time, in seconds; the frames' times are rounded to it.
    comment : str
        What the file's metadata says of it.

    Raises
    ------
    ValueError
        If `path` cannot be written; `write`, `write_sound` and `finish` raise it too.
    """

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        *,
        sound: av.AudioStream | None = None,
        clock: Fraction = _CLOCK,
        comment: str = "",
    ) -> None:
        self._path = path
        self._part = part_path(path)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="video-writer")
        self._pending: deque[Future] = deque()
        self._early_sound: list[tuple[av.Packet, list[av.AudioFrame]]] = []
        self._clock = clock
        self._last_tick = -1
        with self._saying_unwritable():
            # With "faststart" the index stands in front: playing starts before all is loaded.
            options = {"movflags": "+faststart"}
            self._part.touch()  # FFmpeg itself would begin, and fail, only with the first frame.
            self._container = av.open(str(self._part), "w", format="mp4", options=options)
        self._container.metadata["comment"] = comment
        self._stream = _add_stream(self._container, rate, clock)
        self._sound = _SoundTrack(self._container, sound) if sound else None

    def write(self, image: np.ndarray, time_s: float | Fraction) -> None:
        """Add a frame, uint8 RGB, of the first one's size, shown from `time_s` on."""
        image = _even(image)
        if self._last_tick < 0:
            self._begin(*image.shape[:2])
        self._last_tick = max(round(time_s / self._clock), self._last_tick + 1)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = self._last_tick, self._clock
        self._later(self._encode, frame)

    def write_sound(self, packet: av.Packet) -> None:
        """Add a packet of the sound, timed from the video's start."""
        frames = self._sound.decode(packet)
        if frames is None:
            return
        if self._last_tick < 0:
            self._early_sound.append((packet, frames))
        else:
            self._later(self._sound.write, packet, frames)

    def finish(self) -> None:
        """Complete the file and give it its name; nothing is left of it if that fails."""
        try:
            self._later(self._flush)
            while self._pending:
                self._await_oldest()
            self._close()
            with self._saying_unwritable():
                os.replace(self._part, self._path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave nothing of the file."""
        with suppress(ValueError):
            self._close()
        with suppress(OSError):
            self._part.unlink()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard() if kind else self.finish()

    def _begin(self, height: int, width: int) -> None:
        if max(height, width) > _MAX_SIDE_PX:
            raise ValueError(
                f"frames must have sides of at most {_MAX_SIDE_PX} px to be written as H.264, got "
                f"{width}x{height}; make them smaller first."
            )
        # Nothing can be written before the frames' size is known.
        self._stream.height, self._stream.width = height, width
        while self._early_sound:
            self._later(self._sound.write, *self._early_sound.pop(0))

    def _later(self, task: Callable[..., None], *arguments: Any) -> None:
        if len(self._pending) >= _MOST_PENDING:
            self._await_oldest()
        self._pending.append(self._worker.submit(task, *arguments))

    def _await_oldest(self) -> None:
        with self._saying_unwritable():
            self._pending.popleft().result()

    def _encode(self, frame: av.VideoFrame) -> None:
        yuv = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        self._container.mux(self._stream.encode(yuv))

    def _flush(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._sound:
            self._sound.finish()

    def _close(self) -> None:
        self._worker.shutdown(cancel_futures=True)
        with self._saying_unwritable():
            self._container.close()

    def _saying_unwritable(self) -> AbstractContextManager[None]:
        return unwritable_as_value_error(self._path, also=av.FFmpegError)


class _SoundTrack:
    """The sound in an MP4: copied as it is where browsers can play that, else encoded as AAC.

    Packets that are damaged, or go back in time, are left out. Where the sound takes on another
    rate or layout, it is converted; what is only copied ends there, with a warning.

    Parameters
    ----------
    container : av.container.OutputContainer
        The MP4, before anything was written to it.
    source : av.AudioStream
        The stream from which the packets will come.
    """

    def __init__(self, container: av.container.OutputContainer, source: av.AudioStream) -> None:
        self._container = container
        self._copied = source.codec_context.name.removesuffix("float") in _COPIED_CODECS
        self._last_dts = -math.inf
        self._kind: tuple[int, str] | None = None
        self._has_changed = False
        self._resampler: av.AudioResampler | None = None
        self._next_sample = -math.inf
        if self._copied:
            self._stream = container.add_stream_from_template(source)
        else:
            self._stream = container.add_stream("aac", rate=_nearest_rate(source.sample_rate))
            self._stream.layout = "mono" if source.channels == 1 else "stereo"

    def decode(self, packet: av.Packet) -> list[av.AudioFrame] | None:
        """Return what a packet holds; None if it is to be left out.

        Call it on the thread that decodes the video: PyAV mixes up the frames of two threads.
        """
        if packet.dts <= self._last_dts:
            return None
        self._last_dts = packet.dts
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return None  # a browser would stop here
        return None if self._copied and self._changes(frames) else frames

    def write(self, packet: av.Packet, frames: list[av.AudioFrame]) -> None:
        """Take over a packet of the source, timed from the video's start, and what it holds."""
        if self._copied:
            packet.stream = self._stream
            self._container.mux(packet)
        else:
            for frame in frames:
                self._encode(frame)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if not self._copied:
            self._end_resampling()
            self._container.mux(self._stream.encode(None))

    def _changes(self, frames: list[av.AudioFrame]) -> bool:
        """Tell whether a browser, which knows the first frame's kind, would play these wrongly."""
        for frame in frames:
            self._kind = self._kind or _kind_of(frame)
            if _kind_of(frame) != self._kind and not self._has_changed:
                self._has_changed = True
                warnings.warn(
                    f"the sound changes from {self._kind[0]} Hz, {self._kind[1]}, to "
                    f"{frame.sample_rate} Hz, {frame.layout.name}; from there on it is left out.",
                    stacklevel=2,
                )
        return any(_kind_of(frame) != self._kind for frame in frames)

    def _encode(self, frame: av.AudioFrame) -> None:
        kind = (*_kind_of(frame), frame.format.name)
        if kind != self._kind:
            self._end_resampling()
            encoder = self._stream.codec_context
            self._kind = kind
            self._resampler = av.AudioResampler(encoder.format, encoder.layout, encoder.sample_rate)
        self._add(self._resampler.resample(frame))

    def _end_resampling(self) -> None:
        if self._resampler:
            self._add(self._resampler.resample(None))

    def _add(self, frames: list[av.AudioFrame]) -> None:
        """Encode frames; where kinds meet, they may overlap by a little, which MP4 refuses."""
        rate = self._stream.codec_context.sample_rate
        for frame in frames:
            start = 0 if frame.pts is None else round(frame.pts * frame.time_base * rate)
            frame.pts, frame.time_base = max(start, self._next_sample), Fraction(1, rate)
            self._next_sample = frame.pts + frame.samples
            self._container.mux(self._stream.encode(frame))


def _checked_rate(fps: object) -> Fraction:
    number = checked_number("fps", fps, least=_MIN_FPS, most=_MAX_FPS, hint=" frames a second")
    # The bound of 1001 finds television's rates, such as 30000/1001.
    return Fraction(number).limit_denominator(1001)


def _same_sized(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    shape = None
    for number, frame in enumerate(frames):
        _check_frame(frame, number)
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(
                f"frames must all have one size: frames[0] has shape {shape}, frames[{number}] "
                f"has {frame.shape}; resize them first."
            )
        yield frame


def _check_frame(frame: object, number: int) -> None:
    if not isinstance(frame, np.ndarray):
        raise TypeError(
            f"frames[{number}] must be a numpy array, got {type(frame).__name__}; "
            "pass pictures through load_image first."
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError(
            f"frames[{number}] must be uint8 of shape (h, w, 3), got {frame.dtype} of shape "
            f"{frame.shape}; pass it through load_image first."
        )


def _add_stream(
    container: av.container.OutputContainer, rate: Fraction, clock: Fraction
) -> av.VideoStream:
    options = {"crf": "20", "preset": "veryfast"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.time_base = stream.codec_context.time_base = clock
    stream.pix_fmt = "yuv420p"
    stream.color_primaries = stream.color_trc = stream.colorspace = _BT709
    return stream


def letterboxed(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fit a picture into a size, in px, between black bars; one of that size stays as it is.

    Examples
    --------
    >>> letterboxed(np.full((2, 2, 3), 255, np.uint8), 2, 4)[0, :, 0].tolist()
    [0, 255, 255, 0]
    """
    if image.shape[:2] == (height, width):
        return image
    scale = min(height / image.shape[0], width / image.shape[1])
    h, w = (max(1, round(scale * side)) for side in image.shape[:2])
    top, left = (height - h) // 2, (width - w) // 2
    framed = np.zeros((height, width, 3), np.uint8)
    framed[top : top + h, left : left + w] = Image.fromarray(image).resize((w, h))
    return framed


def _even(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if height % 2 == width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _kind_of(frame: av.AudioFrame) -> tuple[int, str]:
    return frame.sample_rate, frame.layout.name


def _nearest_rate(rate: int) -> int:
    return min(_AAC_RATES, key=lambda known: abs(known - rate))
