import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from fer_utils.video.frames import VideoFrame
from fer_utils.video.image_sequences import numbered_pictures
from fer_utils.video.reader import read_video


def grey(level: int, width: int = 8) -> np.ndarray:
    return np.full((6, width, 3), level, np.uint8)


def save_numbered(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        Image.fromarray(grey(10 * number)).save(folder / name)
    return folder


def test_numbered_pictures_are_a_video(tmp_path):
    save_numbered(tmp_path, "f008.png", "f009.png", "f010.png", "f1000.png", "f1.png", "g001.png")
    with pytest.warns(UserWarning, match="numbers are missing, from 11; the others follow"):
        frames = list(read_video(tmp_path / "f%03d.png", fps=4))
    assert [frame.time_s for frame in frames] == [0, 0.25, 0.5, 0.75]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 10, 20, 30]


def test_the_digits_count(tmp_path):
    save_numbered(tmp_path, "1.png", "2.png", "10.png", "03.png", "1x.png", "a1.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = numbered_pictures(f"{tmp_path}/%d.png")
    assert [path.name for path in found] == ["1.png", "2.png", "10.png"]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("g%03d.png", FileNotFoundError, r"no pictures have names like '.*g%03d\.png'; check"),
        ("gone/f%d.png", FileNotFoundError, "no pictures have names like"),
        ("%d/f%d_%d.png", ValueError, "source must hold one number such as %03d in its name"),
    ],
)
def test_pictures_that_are_not_there_are_named(tmp_path, name, error, message):
    save_numbered(tmp_path, "f001.png")
    with pytest.raises(error, match=message):
        read_video(tmp_path / name, fps=10)


def test_a_file_may_have_such_a_name_itself(tmp_path):
    save_numbered(tmp_path, "f%03d.png", "f001.png")
    with pytest.raises(ValueError, match="fps is about pictures that know no times"):
        read_video(tmp_path / "f%03d.png", fps=10)


def save_several(path: Path, **options) -> Path:
    first, *more = (Image.fromarray(grey(level, 16)) for level in (0, 100, 200))
    first.save(path, save_all=True, append_images=more, **options)
    return path


def levels(frames: list[VideoFrame]) -> list[int]:
    return [round(int(frame.image[3, 3, 0]), -1) for frame in frames]


@pytest.mark.parametrize("name", ["moving.webp", "moving.gif", "moving.png"])
def test_an_animated_picture_is_a_video(tmp_path, name):
    frames = list(read_video(save_several(tmp_path / name, duration=[200, 300, 400])))
    assert levels(frames) == [0, 100, 200]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.2, 0.5])


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_an_animated_avif_is_not_its_first_picture_alone(tmp_path):
    with pytest.warns(UserWarning, match="several video tracks"):
        frames = list(read_video(save_several(tmp_path / "moving.avif", duration=200)))
    assert levels(frames) == [0, 100, 200]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.2, 0.4])


def test_an_animated_webp_that_is_damaged_ends_there(tmp_path):
    path = save_several(tmp_path / "moving.webp", duration=200)
    data = bytearray(path.read_bytes())
    compressed = data.rindex(b"ANMF") + 44
    data[compressed : compressed + 6] = b"\xff" * 6
    path.write_bytes(data)
    frames = read_video(path)
    assert levels([next(frames), next(frames)]) == [0, 100]
    with pytest.raises(ValueError, match=r"moving\.webp' is damaged after 2 frames"):
        next(frames)


def test_the_pages_of_a_tiff_are_frames(tmp_path):
    path = save_several(tmp_path / "pages.tif")
    with pytest.raises(ValueError, match="fps must say how many pictures a second"):
        list(read_video(path))
    frames = list(read_video(path, fps=2))
    assert levels(frames) == [0, 100, 200]
    assert [frame.time_s for frame in frames] == [0, 0.5, 1]


def test_a_list_of_pictures_of_any_kind_is_a_video(tmp_path):
    save_numbered(tmp_path, "a.png")
    pictures = [tmp_path / "a.png", Image.fromarray(grey(100)), grey(200, 9)[..., 0]]
    frames = list(read_video(pictures, fps=10, every_s=0.2))
    assert [frame.index for frame in frames] == [0, 2]
    assert [frame.image.shape for frame in frames] == [(6, 8, 3), (6, 9, 3)]


def test_a_generator_is_taken_picture_by_picture():
    taken = []

    def pictures():
        for level in (0, 50, 100):
            taken.append(level)
            yield grey(level)

    frames = read_video(pictures(), fps=10)
    assert (next(frames).time_s, next(frames).time_s) == (0, pytest.approx(0.1))
    assert taken == [0, 50]


def test_opencvs_order_of_the_channels_can_be_told():
    blue = np.zeros((6, 8, 3), np.uint8)
    blue[..., 0] = 255
    (frame,) = read_video([blue], fps=1, color="bgr")
    assert frame.image[0, 0].tolist() == [0, 0, 255]


def test_frames_that_know_their_times_keep_them():
    given = [VideoFrame(7, 0.5, grey(1)), VideoFrame(9, 2.25, grey(2))]
    read = list(read_video(given))
    assert [(frame.index, frame.time_s) for frame in read] == [(7, 0.5), (9, 2.25)]


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        ([grey(1)], {}, ValueError, "fps must say how many pictures a second there are"),
        ([grey(1)], {"fps": 0}, ValueError, "fps must be above 0 and at most 1000, got 0"),
        ([grey(1)], {"fps": "10"}, TypeError, "fps must be a number, got str"),
        ([grey(1)], {"fps": 1, "video_track": 0}, ValueError, "video_track is about a video file"),
        ([grey(1)], {"fps": 1, "color": "grb"}, ValueError, 'color must be "rgb" or "bgr"'),
        ([], {"fps": 1}, ValueError, "source must hold at least one picture, got none"),
        (iter(()), {"fps": 1}, ValueError, "source must hold at least one picture"),
        ([grey(1), "gone.png"], {"fps": 1}, FileNotFoundError, r"source\[1\]: source: there is no"),
        ([grey(1), 7], {"fps": 1}, TypeError, r"source\[1\]: source must be a path"),
        (
            [VideoFrame(0, 0.0, grey(1))],
            {"fps": 1},
            ValueError,
            r"fps must be left out .* source\[0",
        ),
        ([VideoFrame(0, 1.0, grey(1))] * 2, {}, ValueError, r"source\[1\] must be later .* at 1 s"),
        ([VideoFrame(0, 1.0, grey(1) / 2)], {}, ValueError, r"source\[0\]: image must be uint8"),
        (grey(1), {"fps": 1}, TypeError, "got a single ndarray; give it to EmotionRecognizer"),
        (Image.fromarray(grey(1)), {}, TypeError, "or several pictures, got a single Image"),
    ],
)
def test_what_is_wrong_with_pictures_is_said(source, options, error, message):
    with pytest.raises(error, match=message):
        list(read_video(source, **options))
