from fractions import Fraction

import av
import numpy as np
import pytest
from IPython.display import Video
from skimage.data import astronaut

from fer_utils.video.reader import read_video
from fer_utils.video.writer import VideoWriter, write_video
from tests.helpers.chromium import PATIENCE_MS, chromium

PORTRAIT = astronaut()[:256]


def pan(frames: int, height: int = 120, width: int = 160):
    """A camera that moves over a portrait."""
    for number in range(frames):
        yield PORTRAIT[:height, 4 * number : 4 * number + width]


def test_what_was_written_is_read_back(tmp_path):
    path = tmp_path / "clip.mp4"
    assert write_video(pan(12), str(path), fps=12.5) == path
    frames = list(read_video(path))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(12) / 12.5)
    for frame, image in zip(frames, pan(12), strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 6
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert write_video(pan(2), "~/clip.mp4", fps=10) == tmp_path / "clip.mp4"
    assert (tmp_path / "clip.mp4").is_file()


def test_it_is_what_browsers_play(tmp_path):
    path = write_video(pan(3), tmp_path / "clip.mp4", fps=30000 / 1001)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate.limit_denominator(1001) * 1001 == 30000
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("size", [(64, 64), (720, 1280)], ids=["small", "HD"])
def test_colors_stay(tmp_path, size):
    colors = np.array([[213, 94, 0], [0, 158, 115], [204, 121, 167], [255, 255, 255]], np.uint8)
    image = np.repeat(np.broadcast_to(colors, (size[0], 4, 3)), size[1] // 4, axis=1)
    (frame,) = read_video(write_video([image], tmp_path / "clip.mp4", fps=10))
    middles = frame.image[size[0] // 2, size[1] // 8 :: size[1] // 4]
    np.testing.assert_allclose(middles, colors, atol=6)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 64), (64, 33), (121, 161)])
def test_an_odd_size_grows_by_a_copy_of_its_border(tmp_path, height, width):
    path = write_video(pan(3, height, width), tmp_path / "clip.mp4", fps=10)
    for frame, image in zip(read_video(path), pan(3, height, width), strict=True):
        assert frame.image.shape == (height + height % 2, width + width % 2, 3)
        assert np.abs(frame.image[:height, :width].astype(int) - image).mean() < 10
        if width % 2:
            last_two = frame.image[:, -2:].astype(int)
            assert np.abs(np.diff(last_two, axis=1)).mean() < 12


def test_a_video_may_replace_the_one_it_is_made_of(tmp_path):
    path = write_video(pan(5), tmp_path / "clip.mp4", fps=10)
    write_video((frame.image[:, ::-1] for frame in read_video(path)), path, fps=5)
    (first, *_, last) = read_video(path)
    assert last.time_s == pytest.approx(0.8)
    assert np.abs(first.image[:, ::-1].astype(int) - next(pan(1))).mean() < 8


def test_times_that_stand_still_or_go_back_move_on_by_a_tick(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, Fraction(10), clock=Fraction(1, 100)) as writer:
        for image, time_s in zip(pan(6), [0, 0.1, 0.1, 0.05, 0.12, 0.3], strict=True):
            writer.write(image, time_s)
    frames = list(read_video(path))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.11, 0.12, 0.13, 0.3])
    for frame, image in zip(frames, pan(6), strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 6


def broken_source():
    yield from pan(3)
    raise RuntimeError("the source broke")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"the old one")
    with pytest.raises(RuntimeError, match="the source broke"):
        write_video(broken_source(), path, fps=10)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ([], ValueError, "at least one picture, got none"),
        ([PORTRAIT, PORTRAIT[:99]], ValueError, r"frames\[1\] has \(99, 512, 3\); resize"),
        ([PORTRAIT, PORTRAIT / 255], ValueError, r"frames\[1\] must be uint8.*float64"),
        ([PORTRAIT[..., 0]], ValueError, r"frames\[0\] must be uint8 of shape \(h, w, 3\)"),
        ([PORTRAIT[:0]], ValueError, r"frames\[0\] must be .*\(0, 512, 3\)"),
        (["one.jpg"], TypeError, r"frames\[0\] must be a numpy array, got str"),
        (PORTRAIT, TypeError, "got a single one"),
        (None, TypeError, "frames must be several pictures, got NoneType"),
    ],
)
def test_wrong_frames_are_refused_and_leave_no_file(tmp_path, frames, error, message):
    with pytest.raises(error, match=message):
        write_video(frames, tmp_path / "clip.mp4", fps=10)
    assert list(tmp_path.iterdir()) == []


def test_frames_too_large_for_the_format_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sides of at most 16384 px .* got 16386x2"):
        write_video([np.zeros((2, 16386, 3), np.uint8)], tmp_path / "clip.mp4", fps=10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e-9, 1001])
def test_impossible_frame_rates_are_refused(tmp_path, fps):
    with pytest.raises(ValueError, match=r"fps must be between 0\.001 and 1000"):
        write_video(pan(1), tmp_path / "clip.mp4", fps=fps)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("gone/clip.mp4", FileNotFoundError, "no folder '.*gone'; make it"),
        ("file/clip.mp4", FileNotFoundError, "no folder '.*file'; make it"),
        ("clip.avi", ValueError, r"must end in \.mp4"),
        ("folder.mp4", ValueError, "is a folder"),
        ("x" * 250 + ".mp4", ValueError, r"cannot be written \(File name too long\)"),
    ],
)
def test_where_nothing_can_be_written_is_said(tmp_path, path, error, message):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error, match=message):
        write_video(pan(1), tmp_path / path, fps=10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": "10"}, "fps must be a number, got str"),
        ({"fps": True}, "fps must be a number, got bool"),
        ({"path": None}, "path must name the file to write, got NoneType"),
    ],
)
def test_wrong_types_are_refused(tmp_path, options, message):
    with pytest.raises(TypeError, match=message):
        write_video(pan(1), **{"path": tmp_path / "clip.mp4", "fps": 10, **options})


@pytest.mark.slow
def test_it_plays_in_a_notebooks_video_tag(tmp_path):
    path = write_video(pan(20, 121, 161), tmp_path / "clip.mp4", fps=10)
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(Video(path, embed=True, html_attributes="muted")._repr_html_())
        page.evaluate("document.querySelector('video').play()")
        played = "(video = document.querySelector('video')) && video.currentTime > 0.5"
        page.wait_for_function(played, timeout=PATIENCE_MS)
        size = page.evaluate("[video.videoWidth, video.videoHeight, video.duration]")
    assert size == [162, 122, 2]
