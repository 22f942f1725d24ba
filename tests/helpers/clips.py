"""Clips for the tests, made of the public-domain portraits: a face that moves, two that cross."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from tests.helpers.portraits import ASTRONAUT, HOPPER

HEAD_PX = 220
_BACKGROUND = (120, 130, 125)


def _head(portrait: np.ndarray, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a head, without what is around it, as an RGBA cut-out of HEAD_PX."""
    head = Image.fromarray(portrait).crop(box).resize((HEAD_PX, HEAD_PX)).convert("RGBA")
    mask = Image.new("L", head.size, 0)
    oval = (0.12 * HEAD_PX, 0, 0.88 * HEAD_PX, 1.2 * HEAD_PX)
    ImageDraw.Draw(mask).ellipse(oval, fill=255)
    head.putalpha(mask)
    return head


COLLINS_HEAD = _head(ASTRONAUT, (100, 0, 356, 256))
HOPPER_HEAD = _head(HOPPER, (110, 80, 410, 380))


def scene(*placed: tuple[Image.Image, float], size: tuple[int, int] = (640, 300)) -> np.ndarray:
    """Put heads, each with its left edge in px, before a wall; later ones stand in front."""
    picture = Image.new("RGB", size, _BACKGROUND)
    for head, left in placed:
        picture.paste(head, (round(left), (size[1] - HEAD_PX) // 2), head)
    return np.asarray(picture)


def crossing(
    speed_px_s: float, fps: float, *, front: str = "collins", width: int = 640
) -> Iterator[tuple[float, np.ndarray, float, float]]:
    """Let the two heads move through each other.

    Yields the time in seconds, the picture, and where the middles of Collins and of Hopper are.
    """
    way = width - HEAD_PX
    for number in range(int(way / speed_px_s * fps) + 1):
        collins = speed_px_s * number / fps
        hopper = way - collins
        placed = [(HOPPER_HEAD, hopper), (COLLINS_HEAD, collins)]
        picture = scene(*(placed if front == "collins" else placed[::-1]), size=(width, 300))
        yield number / fps, picture, collins + HEAD_PX / 2, hopper + HEAD_PX / 2


def moving_head(frames: int) -> Iterator[np.ndarray]:
    """A head that sways, 320x240."""
    for number in range(frames):
        yield scene((COLLINS_HEAD, 50 + 40 * np.sin(number / 7)), size=(320, 240))


def write_clip(
    path: Path,
    images: Iterable[np.ndarray],
    times_s: Iterable[float],
    *,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    sound: str | None = None,
    sound_s: float = 0.0,
    sound_rate: int = 44100,
    rotation_deg: int = 0,
    movflags: str = "",
) -> Path:
    """Write pictures of one size, shown at these times, with beeps at the whole seconds."""
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        stream = container.add_stream(codec, rate=25, width=size[0], height=size[1])
        stream.pix_fmt = stream_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        track = container.add_stream(sound, rate=sound_rate, layout="mono") if sound else None
        beeps = _beeps(sound_s, sound_rate) if sound else iter(())
        for image, time_s in zip(images, times_s, strict=False):
            frame = av.VideoFrame.from_ndarray(image).reformat(format=stream_format)
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
            while track and (beep := next(beeps, None)):
                container.mux(track.encode(beep))
                if beep.pts / sound_rate > time_s:
                    break
        for beep in beeps:
            container.mux(track.encode(beep))
        for one in (stream, track) if track else (stream,):
            container.mux(one.encode(None))
    return path


def write_growing_clip(path: Path, images: Iterable[np.ndarray], fps: int = 25) -> Path:
    """Write pictures of several sizes as VP8, as in a call in which a phone is turned."""
    clock = Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        stream = encoder = None
        for number, image in enumerate(images):
            height, width, _ = image.shape
            stream = stream or container.add_stream("libvpx", rate=fps, width=width, height=height)
            if encoder is None or (encoder.height, encoder.width) != (height, width):
                encoder = av.CodecContext.create("libvpx", "w")
                encoder.height, encoder.width, encoder.bit_rate = height, width, 10**7
                encoder.pix_fmt, encoder.time_base = "yuv420p", clock
                encoder.options = {"lag-in-frames": "0"}
            frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
            frame.pts, frame.time_base = round(number / fps / clock), clock
            for packet in encoder.encode(frame):
                packet.stream, packet.time_base = stream, clock
                container.mux(packet)
    return path


def _beeps(duration_s: float, rate: int) -> Iterator[av.AudioFrame]:
    """Short tones that begin at the whole seconds."""
    for start in range(0, int(duration_s * rate), rate // 10):
        time_s = np.arange(start, start + rate // 10) / rate
        tone = 0.5 * np.sin(2 * np.pi * 880 * time_s) * (time_s % 1 < 0.1)
        frame = av.AudioFrame.from_ndarray(
            (32767 * tone).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = rate, start
        yield frame
