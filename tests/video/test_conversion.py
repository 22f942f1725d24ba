import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fer_utils.video.reader import read_video

QUARTERS = {"R": (220, 20, 20), "G": (20, 220, 20), "B": (20, 20, 220), "W": (240, 240, 240)}


def quartered() -> np.ndarray:
    """Red and green above blue and white."""
    image = np.empty((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:] = QUARTERS["R"], QUARTERS["G"]
    image[24:, :32], image[24:, 32:] = QUARTERS["B"], QUARTERS["W"]
    return image


def seen(image: np.ndarray) -> str:
    """Name the colours of the four corners, row by row."""
    corners = image[[6, 6, -6, -6], [6, -6, 6, -6]].astype(int)
    distances = {name: np.abs(corners - color).sum(axis=1) for name, color in QUARTERS.items()}
    return "".join(min(distances, key=lambda name: distances[name][n]) for n in range(4))


def write_one(path: Path, image: np.ndarray, codec: str = "libx264", **options) -> Path:
    with av.open(str(path), "w") as container:
        height, width, channels = image.shape
        stream = container.add_stream(codec, rate=10, width=width, height=height)
        stream.pix_fmt = "argb" if channels == 4 else "yuv420p"
        if "aspect" in options:
            stream.codec_context.sample_aspect_ratio = options["aspect"]
        if "turn" in options:
            degrees, flips = options["turn"]
            stream.set_display_rotation(degrees, **flips)
        frame = av.VideoFrame.from_ndarray(image, format="rgba" if channels == 4 else "rgb24")
        container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("degrees", "flips", "expected"),
    [
        (90, {}, "GWRB"),
        (180, {}, "WBGR"),
        (-90, {}, "BRWG"),
        (0, {"hflip": True}, "GRWB"),
        (0, {"vflip": True}, "BWRG"),
        (180, {"hflip": True}, "BWRG"),
        (90, {"hflip": True}, "WGBR"),
        (-90, {"hflip": True}, "RBGW"),
    ],
)
def test_a_turned_or_mirrored_video_is_shown_as_players_do(tmp_path, degrees, flips, expected):
    path = write_one(tmp_path / "clip.mp4", quartered(), turn=(degrees, flips))
    (frame,) = read_video(path)
    assert seen(frame.image) == expected
    assert frame.image.shape == ((64, 48, 3) if degrees in (90, -90) else (48, 64, 3))
    assert frame.image.flags.c_contiguous


@pytest.mark.parametrize(
    ("aspect", "width"), [(Fraction(3, 2), 96), (Fraction(1, 2), 32), (Fraction(1, 60), 64)]
)
def test_pixels_become_square_unless_their_shape_is_nonsense(tmp_path, aspect, width):
    (frame,) = read_video(write_one(tmp_path / "clip.mp4", quartered(), aspect=aspect))
    assert frame.image.shape == (48, width, 3)
    assert seen(frame.image) == "RGBW"


def test_transparent_parts_are_laid_on_white(tmp_path):
    image = np.dstack([quartered(), np.full((48, 64), 255, np.uint8)])
    image[:24, :32, 3] = 0
    (frame,) = read_video(write_one(tmp_path / "clip.mov", image, "qtrle"))
    assert frame.image[10, 10].tolist() == [255, 255, 255]
    assert frame.image[10, 50].tolist() == [*QUARTERS["G"]]


def test_of_an_interlaced_frame_the_first_field_is_shown_where_something_moved(tmp_path):
    def scene(left: int) -> np.ndarray:
        image = np.full((96, 128, 3), 40, np.uint8)
        image[:, left : left + 32] = 200
        return image

    woven = scene(32)
    woven[1::2] = scene(64)[1::2]
    path = tmp_path / "clip.mpg"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, width=128, height=96)
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        stream.options = {"flags": "+ilme+ildct"}
        container.mux(stream.encode(av.VideoFrame.from_ndarray(woven)))
        container.mux(stream.encode())
    (frame,) = read_video(path)
    inside = np.s_[8:-8]
    assert np.abs(frame.image[inside].astype(int) - scene(32)[inside]).mean() < 10
    assert np.abs(frame.image[inside].astype(int) - woven[inside]).mean() > 30


def test_a_cameras_exif_in_the_frames_does_no_harm(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    jpeg = io.BytesIO()
    Image.fromarray(quartered()).save(jpeg, "JPEG", exif=exif, quality=95)
    with av.open(str(tmp_path / "clip.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10, width=64, height=48)
        stream.pix_fmt = "yuvj420p"
        packet = av.Packet(jpeg.getvalue())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
        container.mux(packet)
    (frame,) = read_video(tmp_path / "clip.avi")
    assert seen(frame.image) == "RGBW"


@pytest.mark.parametrize(("orientation", "expected"), [(3, "WBGR"), (6, "BRWG"), (8, "GWRB")])
def test_a_picture_is_turned_as_its_exif_says(tmp_path, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(quartered()).save(tmp_path / "one.jpg", exif=exif, quality=95)
    (frame,) = read_video(tmp_path / "one.jpg")
    assert seen(frame.image) == expected
