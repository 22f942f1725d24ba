import io
import socket
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fer_utils.video.reader import read_video
from tests.helpers.clips import write_clip as write_sounding_clip

COLORS = ((220, 30, 30), (30, 200, 60), (40, 60, 220), (230, 220, 40))  # one a frame, in turn
UP, DOWN = (240, 240, 240), (20, 20, 20)


def picture(number: int) -> np.ndarray:
    image = np.empty((48, 64, 3), np.uint8)
    image[:] = COLORS[number % len(COLORS)]
    return image


def write_clip(path: Path, images, times_ms=None, codec="libx264", rotation_deg=0) -> Path:
    times_ms = times_ms or [100 * number for number in range(len(images))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for image, time_ms in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", [picture(number) for number in range(10)])


def test_frames_come_in_order_as_rgb_with_their_times(clip):
    for source in (clip, str(clip)):
        frames = list(read_video(source))
        assert [frame.index for frame in frames] == list(range(10))
        assert [frame.time_s for frame in frames] == pytest.approx(np.arange(10) / 10)
        for frame in frames:
            assert (frame.image.dtype, frame.image.shape) == (np.uint8, (48, 64, 3))
            np.testing.assert_allclose(frame.image, picture(frame.index), atol=12)


def test_a_path_may_begin_at_home(clip, monkeypatch):
    monkeypatch.setenv("HOME", str(clip.parent))
    assert len(list(read_video("~/clip.mp4"))) == 10


def test_a_variable_frame_rate_keeps_the_files_own_times(tmp_path):
    times_ms = [0, 40, 80, 500, 520, 1500]
    clip = write_clip(tmp_path / "clip.mp4", [picture(n) for n in range(6)], times_ms)
    assert [frame.time_s for frame in read_video(clip)] == pytest.approx(np.divide(times_ms, 1000))


def test_every_s_takes_the_first_frame_of_each_period(tmp_path):
    times_ms = [0, 100, 290, 300, 310, 900, 950, 1100, 1200]
    clip = write_clip(tmp_path / "clip.mp4", [picture(n) for n in range(9)], times_ms)
    frames = list(read_video(clip, every_s=0.3))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.3, 0.9, 1.2])
    assert [frame.index for frame in frames] == [0, 3, 5, 8]
    np.testing.assert_allclose(frames[1].image, picture(3), atol=12)


@pytest.mark.parametrize(
    ("rotation_deg", "brightest"),
    [(90, np.s_[:, :20]), (-90, np.s_[:, -20:]), (180, np.s_[-20:])],
    ids=["left", "right", "upside down"],
)
def test_a_turned_video_is_shown_as_players_do(tmp_path, rotation_deg, brightest):
    image = np.full((48, 64, 3), DOWN, np.uint8)
    image[:24] = UP
    # PyAV counts the angle counter-clockwise: at 90 degrees the upper half is shown at the left.
    clip = write_clip(tmp_path / "clip.mp4", [image] * 2, rotation_deg=rotation_deg)
    for frame in read_video(clip):
        assert frame.image.shape == ((48, 64, 3) if rotation_deg == 180 else (64, 48, 3))
        assert frame.image.flags.c_contiguous
        assert frame.image[brightest].min() > 200
        assert frame.image.mean() == pytest.approx(130, abs=5)


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.avi", "mpeg4"), ("clip.ts", "libx264"), ("clip.webm", "libvpx")]
)
def test_other_formats_start_at_zero_too(tmp_path, name, codec):
    images = [picture(number) for number in range(5)]
    frames = list(read_video(write_clip(tmp_path / name, images, codec=codec)))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(5) / 10, abs=1e-3)


def test_frames_are_read_one_at_a_time(clip):
    frames = read_video(clip)
    assert next(frames).index == 0
    frames.close()  # and the file with it
    clip.unlink()


def test_the_progress_bar_counts_all_frames(clip, capsys):
    list(read_video(clip))
    assert capsys.readouterr().err == ""
    list(read_video(clip, progress=True))
    assert "Reading clip.mp4: 100%" in capsys.readouterr().err


def test_a_video_cut_off_says_after_how_many_frames(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), np.uint8)
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, width=64, height=48, pix_fmt="yuv420p")
        for image in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    frames, seen = read_video(path), []
    with pytest.raises(ValueError, match=r"is damaged after \d+ frames.*complete copy") as caught:
        seen.extend(frame.time_s for frame in frames)
    assert 0 < len(seen) < len(noise)
    assert f"damaged after {len(seen)} frames" in str(caught.value)
    assert seen == pytest.approx(np.arange(len(seen)) / 10)


@pytest.mark.parametrize(
    ("name", "video", "sound"),
    [
        ("clip.mp4", "libx264", {"sound": "aac"}),
        ("clip.mp4", "libx264", {"sound": "aac", "movflags": "faststart"}),
        ("clip.mp4", "libx264", {"sound": "aac", "movflags": "frag_keyframe+empty_moov"}),
        ("clip.mkv", "libx264", {"sound": "mp3"}),
        ("clip.avi", "mpeg4", {"sound": "mp3"}),
        ("clip.avi", "mjpeg", {}),
    ],
)
@pytest.mark.slow
def test_wherever_a_file_is_cut_off_it_is_noticed(tmp_path, name, video, sound):
    noise = np.random.default_rng(0).integers(0, 256, (75, 48, 64, 3), np.uint8)
    path, times_s = tmp_path / name, np.arange(75) / 25
    moving = {"codec": video, "size": (64, 48), "sound_s": 3}
    write_sounding_clip(path, noise, times_s, **moving, **sound)
    assert len(list(read_video(path))) == len(noise)
    data = path.read_bytes()
    for share in np.linspace(0.1, 0.6, 6):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ValueError, match=r"is damaged after|cannot be read|has no frames"):
            list(read_video(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.mp4", b"no video\n" * 100), ("notes.txt", b"no video\n" * 100), ("empty.mp4", b"")],
)
def test_what_is_no_video_is_refused_at_once(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}' cannot be read as a video .*; check"):
        read_video(path)


def test_a_playlist_may_not_lead_out_of_the_machine(tmp_path):
    path = tmp_path / "list.m3u8"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        path.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n")
        with pytest.raises(ValueError, match=r"list\.m3u8' cannot be read as a video"):
            read_video(path)
        with pytest.raises(BlockingIOError):  # nobody called
            server.accept()


def test_a_file_object_is_read_from_its_start_and_stays_open(clip):
    with clip.open("rb") as file:
        file.seek(50)
        frames = list(read_video(file))
        assert not file.closed
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(10) / 10)


def test_times_that_jump_back_go_on_all_the_same(tmp_path):
    one = write_clip(tmp_path / "one.ts", [picture(number) for number in range(5)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 2)
    with pytest.warns(UserWarning, match="is damaged, or joined, near frame"):
        times_s = [frame.time_s for frame in read_video(joined)]
    assert len(times_s) == 10
    assert (np.diff(times_s) > 0).all()


def test_pixels_that_are_not_square_become_so(tmp_path):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0))))
        container.mux(stream.encode())
    (frame,) = read_video(path)
    assert frame.image.shape == (48, 96, 3)


def test_a_sound_file_is_no_video(tmp_path):
    path = tmp_path / "tone.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(ValueError, match=r"tone\.wav' cannot be read as a video"):
        read_video(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file '.*gone\.mp4'"):
        read_video(tmp_path / "gone.mp4")
    with pytest.raises(ValueError, match="is a folder"):
        read_video(tmp_path)
    with pytest.raises(ValueError, match="is a folder"):  # before what `fps` has to do with it
        read_video(tmp_path, fps=5)


def closed_file() -> io.BytesIO:
    file = io.BytesIO()
    file.close()
    return file


class OnlyReads:
    """A file object as simple as can be."""

    def __init__(self, path: Path) -> None:
        self.read = io.BytesIO(path.read_bytes()).read


def test_a_file_object_needs_nothing_but_read(tmp_path):
    path = write_clip(tmp_path / "clip.ts", [picture(number) for number in range(10)])
    assert len(list(read_video(OnlyReads(path)))) == 10


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"source": closed_file()}, ValueError, "source is a file object that is closed; open it"),
        ({"every_s": -1}, ValueError, "every_s must be at least 0 and finite, got -1"),
        ({"every_s": float("nan")}, ValueError, "every_s must be at least 0"),
        ({"every_s": "1"}, TypeError, "every_s must be a number, got str"),
        (
            {"source": b"clip.mp4"},
            TypeError,
            "source must be a video's path, a file object .* got bytes",
        ),
    ],
)
def test_wrong_arguments_are_refused(clip, options, error, message):
    with pytest.raises(error, match=message):
        read_video(**{"source": clip, **options})
