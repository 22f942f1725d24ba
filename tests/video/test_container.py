import io
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_utils.video.container import ContainerReader, DamagedVideoError
from fer_utils.video.reader import read_video
from tests.helpers.clips import write_clip, write_growing_clip

RED, BLUE = (200, 30, 30), (30, 40, 200)
FPS = 25


def plain(color: tuple[int, int, int], width: int, height: int) -> np.ndarray:
    image = np.empty((height, width, 3), np.uint8)
    image[:] = color
    return image


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, 48, 64, 3), np.uint8)


def write_tracks(path: Path, *images: np.ndarray, codec: str = "libx264", cover: int = -1) -> Path:
    """Write a file with a video track of three frames for each picture; one may be a cover."""
    with av.open(str(path), "w") as container:
        streams = []
        for number, image in enumerate(images):
            size = {"width": image.shape[1], "height": image.shape[0]}
            is_cover = number == cover
            stream = container.add_stream("mjpeg" if is_cover else codec, rate=FPS, **size)
            stream.pix_fmt = "yuvj420p" if is_cover else "yuv420p"
            if is_cover:
                stream.disposition = av.stream.Disposition.attached_pic.value
            streams.append(stream)
        for number, (stream, image) in enumerate(zip(streams, images, strict=True)):
            for pts in range(1 if number == cover else 3):
                frame = av.VideoFrame.from_ndarray(image).reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = pts, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


@contextmanager
def without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
def test_of_several_tracks_the_largest_is_read_and_this_is_said(tmp_path, name):
    path = write_tracks(tmp_path / name, plain(RED, 64, 36), plain(BLUE, 640, 360))
    said = r"several video tracks \(0 of 64x36 px, 1 of 640x360 px\); the largest, 1, is read"
    with pytest.warns(UserWarning, match=said):
        frames = list(read_video(path))
    assert [frame.image.shape for frame in frames] == [(360, 640, 3)] * 3
    np.testing.assert_allclose(frames[0].image[180, 320], BLUE, atol=12)


@pytest.mark.parametrize(("track", "shape"), [(0, (36, 64, 3)), (1, (360, 640, 3))])
def test_a_track_can_be_named(tmp_path, track, shape):
    path = write_tracks(tmp_path / "clip.mp4", plain(RED, 64, 36), plain(BLUE, 640, 360))
    with without_warnings():
        assert next(read_video(path, video_track=track)).image.shape == shape


@pytest.mark.parametrize(
    ("track", "error", "message"),
    [
        (1, ValueError, "video_track must be a whole number from 0 to 0, got 1"),
        (-1, ValueError, "video_track must be a whole number from 0 to 0"),
        ("first", TypeError, "video_track must be a whole number from 0 to 0, got 'first'"),
    ],
)
def test_a_track_that_is_not_there_is_refused(tmp_path, track, error, message):
    path = write_tracks(tmp_path / "clip.mp4", plain(RED, 64, 36))
    with pytest.raises(error, match=message):
        read_video(path, video_track=track)


def test_a_cover_picture_is_not_the_video_however_large(tmp_path):
    covered = (plain(RED, 640, 640), plain(BLUE, 64, 36))
    path = write_tracks(tmp_path / "clip.mp4", *covered, cover=0)
    with without_warnings():
        frames = list(read_video(path))
    assert [frame.image.shape for frame in frames] == [(36, 64, 3)] * 3
    number = [stream.codec_context.name for stream in av.open(str(path)).streams].index("mjpeg")
    (cover,) = read_video(path, video_track=number)  # where one asks for it
    assert cover.image.shape == (640, 640, 3)


def test_a_song_with_a_cover_is_no_video(tmp_path):
    path = write_tracks(tmp_path / "song.mp4", plain(RED, 64, 36), cover=0)
    with pytest.raises(ValueError, match=r"song\.mp4' cannot be .* \(it holds only a cover pic"):
        read_video(path)


def test_pictures_that_nobody_can_decode_are_called_so(tmp_path):
    path = write_tracks(tmp_path / "clip.mp4", plain(RED, 64, 36))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    with pytest.raises(ValueError, match="in a format that FFmpeg cannot decode"):
        read_video(path)


def test_each_frame_has_its_own_size(tmp_path):
    images = [plain(RED, 64, 36)] * 5 + [plain(BLUE, 36, 64)] * 5
    frames = list(read_video(write_growing_clip(tmp_path / "call.webm", images)))
    assert [frame.image.shape for frame in frames] == [(36, 64, 3)] * 5 + [(64, 36, 3)] * 5
    np.testing.assert_allclose(frames[-1].image[32, 18], BLUE, atol=12)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_is_told_to_open_the_video_again(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", noise(6), np.arange(6) / 10)
    frames = read_video(path)
    next(frames)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(300)
        try:
            next(frames)
        except ValueError as error:
            os.write(writing, str(error).encode())
        del frames  # which frees nothing that would wait
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"opened before this process was forked" in os.read(reading, 1000)
    assert [frame.index for frame in frames] == [1, 2, 3, 4, 5]


def read_all(path: Path) -> tuple[list[float], str]:
    """Return the times of all frames, and what was said about damage."""
    times_s, words = [], []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            times_s.extend(frame.time_s for frame in read_video(path))
        except DamagedVideoError as error:
            words.append(f"error: {error}")
    words += [f"warning: {warning.message}" for warning in caught]
    return times_s, " ".join(words)


LIVE = [("clip.webm", "libvpx"), ("clip.mkv", "libx264"), ("clip.ts", "libx264"), ("a.gif", "gif")]


@pytest.mark.parametrize(("name", "codec"), LIVE)
def test_a_live_recording_that_is_whole_is_called_nothing_else(tmp_path, name, codec):
    assert read_all(write_live(tmp_path / name, codec)) == (
        pytest.approx(np.arange(40) / FPS, abs=2e-3),
        "",
    )


@pytest.mark.parametrize(("name", "codec"), LIVE)
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_live_recording_that_is_cut_off_is_called_damaged(tmp_path, name, codec, share):
    path = write_live(tmp_path / name, codec)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    times_s, said = read_all(path)
    assert 40 * share - 4 < len(times_s) <= 40
    assert f"error: source: '{path}' is damaged after {len(times_s)} frames" in said


def write_live(path: Path, codec: str) -> Path:
    """Write 40 frames as they are sent live: without a length, and without an index."""
    options = {} if path.suffix in (".ts", ".gif") else {"live": "1"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=FPS, width=64, height=48)
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for image in noise(40):
            frame = av.VideoFrame.from_ndarray(image).reformat(format=stream.pix_fmt)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.mp4", "libx264"), ("a.ts", "libx264")],
)
def test_a_hole_in_the_middle_is_told(tmp_path, name, codec):
    path = write_clip(tmp_path / name, noise(40), np.arange(40) / FPS, size=(64, 48), codec=codec)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) * 5 // 8] = bytes(len(data) * 5 // 8 - len(data) // 2)
    path.write_bytes(data)
    times_s, said = read_all(path)
    assert 15 < len(times_s) < 40
    assert " is damaged" in said


def test_behind_a_hole_it_goes_on(tmp_path):
    path = write_clip(tmp_path / "a.mp4", noise(40), np.arange(40) / FPS, size=(64, 48))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = bytes(5000)
    path.write_bytes(data)
    times_s, said = read_all(path)
    assert times_s[-1] == pytest.approx(39 / FPS)
    assert said.count("is damaged, or joined, near frame") == 1
    assert "error" not in said


@pytest.mark.parametrize("start_s", [0, 5000], ids=["back", "far ahead"])
def test_where_joined_clips_begin_anew_picture_and_sound_go_on(tmp_path, start_s):
    images = np.repeat(noise(1), 50, axis=0)
    sounding = {"size": (64, 48), "sound": "aac", "sound_s": 2}
    one = write_clip(tmp_path / "one.ts", images, np.arange(50) / FPS, **sounding)
    two = remuxed(one, tmp_path / "two.ts", start_s)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.warns(UserWarning, match="is damaged, or joined, near frame 47: "):
        times_s, sound_s = times_of(joined)
    assert times_s == pytest.approx(np.arange(100) / FPS + times_s[0], abs=1e-3)
    assert np.diff(sound_s).min() > 0
    assert np.diff(sound_s).max() < 0.3
    assert sound_s[-1] == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize(
    ("name", "start_s", "frames"),
    [
        ("a.mp4", -0.28, 13),  # an edit list hides what comes before 0
        ("a.mp4", 2, 20),
        ("a.mkv", 2, 20),
        ("a.ts", 95_440, 20),  # 33 bits of MPEG's clock end 3.7 s later
    ],
)
def test_the_first_frame_shown_is_at_0_whatever_its_time_stamp(tmp_path, name, start_s, frames):
    clip = write_clip(tmp_path / "clip.mp4", noise(20), np.arange(20) / FPS, size=(64, 48))
    times_s, said = read_all(remuxed(clip, tmp_path / name, start_s))
    assert times_s == pytest.approx(np.arange(frames) / FPS, abs=1e-3)
    assert said == ""


def times_of(path: Path) -> tuple[list[float], list[float]]:
    """Return the times of the frames, and of the sound's packets."""
    frames_s, sound_s = [], []
    with ContainerReader(path, sound=True) as reader:
        for item in reader.read():
            if isinstance(item, av.Packet):
                sound_s.append(float(item.pts * item.time_base))
            else:
                frames_s.append(item.time_s)
    return frames_s, sound_s


def remuxed(source: Path, target: Path, start_s: float) -> Path:
    """Copy a clip, with other times."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        for packet in old.demux():
            if packet.dts is not None:
                shift = round(start_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return target


FUZZED = ["a.mp4", "front.mp4", "live.mp4", "a.mkv", "a.webm", "a.avi", "a.ts", "a.mov"]
FUZZED_FRAMES, FUZZED_FPS = 12, 10


@cache
def sound_clip(name: str) -> bytes:
    """Return a short clip, made once."""
    start, _, ending = name.partition(".")
    codec = {"webm": "libvpx", "avi": "mpeg4", "mov": "mjpeg"}.get(ending, "libx264")
    flags = {"front": "faststart", "live": "frag_keyframe+empty_moov"}.get(start, "")
    with tempfile.TemporaryDirectory() as folder:
        times_s = np.arange(FUZZED_FRAMES) / FUZZED_FPS
        options = {"size": (64, 48), "codec": codec, "movflags": flags}
        if name in ("a.mp4", "a.mkv"):
            options |= {"sound": "aac", "sound_s": 1.2}
        return write_clip(Path(folder) / name, noise(12), times_s, **options).read_bytes()


def damaged(data: bytes, kind: str, share: float, byte: int) -> bytes:
    """Damage bytes somewhere, more often than not near the start, where the headers are."""
    place = int(share**3 * len(data))
    if kind == "cut":
        return data[:place]
    if kind == "insert":
        return data[:place] + bytes([byte] * 9) + data[place:]
    hole = bytes(8 * byte) if kind == "blank" else bytes([byte])
    return (data[:place] + hole + data[place + len(hole) :])[: len(data)]


DAMAGE = st.tuples(
    st.sampled_from(["change", "blank", "cut", "insert"]), st.floats(0, 1), st.integers(0, 255)
)


# One at a time on the same machine every time; more of them with FER_FUZZ_EXAMPLES=5000.
@pytest.mark.slow
@settings(
    max_examples=int(os.environ.get("FER_FUZZ_EXAMPLES", "100")),
    derandomize=True,
    database=None,
    deadline=None,
)
@given(name=st.sampled_from(FUZZED), damage=st.lists(DAMAGE, min_size=1, max_size=3))
def test_no_damage_breaks_the_reader_or_goes_unsaid(name, damage):
    data = sound_clip(name)
    for one in damage:
        data = damaged(data, *one)
    kind, times_s = None, []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for frame in read_video(io.BytesIO(data)):
                assert frame.image.dtype == np.uint8
                assert frame.image.shape[2] == 3
                times_s.append(frame.time_s)
        except ValueError as error:
            kind = type(error)
    assert kind in (None, ValueError, DamagedVideoError)  # none of a library's own
    assert (np.diff(times_s) > 0).all()
    if not (kind or caught):
        # What ends up to half a second early may be a file that is made so.
        assert len(times_s) >= FUZZED_FRAMES - FUZZED_FPS // 2
