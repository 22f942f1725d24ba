import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from IPython.display import Video

from fer_utils.emotions import EMOTION_COLORS, EMOTIONS
from fer_utils.video.reader import read_video
from fer_utils.video.recognize import recognize_video
from fer_utils.video.tables import TRACKED_COLUMNS
from fer_utils.video.writer import VideoWriter
from tests.helpers.chromium import PATIENCE_MS, chromium
from tests.helpers.clips import COLLINS_HEAD, moving_head, scene, write_clip, write_growing_clip
from tests.helpers.stand_ins import quick_recognizer

FPS = 25
ROOT = Path(__file__).parents[2]


def clip_of(path: Path, frames: int = 30, **options) -> Path:
    return write_clip(path, moving_head(frames), np.arange(frames) / FPS, **options)


@pytest.fixture
def clip(tmp_path):
    return clip_of(tmp_path / "clip.mp4", sound="aac", sound_s=1.2)


def recognize(source, output=None, **options) -> pd.DataFrame:
    return recognize_video(
        source, output, **{"recognizer": quick_recognizer(), "progress": False, **options}
    )


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def beep_starts_s(path: Path) -> list[float]:
    """When the sound's beeps begin."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        chunks, times_s = [], []
        for frame in container.decode(stream):
            level = np.abs(frame.to_ndarray().astype(float))
            level = (
                level.reshape(-1, frame.samples).max(axis=0) if frame.format.is_planar else level
            )
            chunks.append(level.ravel()[:: len(level.ravel()) // frame.samples])
            times_s.append(frame.time + np.arange(frame.samples) / frame.sample_rate)
    times_s, level = np.concatenate(times_s), np.concatenate(chunks)
    loud = times_s[level > 0.3 * level.max()]
    return [loud[0], *loud[1:][np.diff(loud) > 0.5]]


def test_a_table_a_csv_and_a_video_come_out(tmp_path, clip):
    table = recognize(clip, tmp_path / "out.mp4", table=tmp_path / "out.csv")
    assert tuple(table.columns) == TRACKED_COLUMNS
    assert table["frame"].tolist() == list(range(30))
    assert table["time_s"].tolist() == pytest.approx(np.arange(30) / FPS)
    assert set(table["face_id"]) == {0}
    assert set(table["source"]) == {str(clip)}
    assert np.allclose(table[[f"p_{name}" for name in EMOTIONS]].sum(axis=1), 1)
    assert set(table["top"]) <= set(EMOTIONS)
    assert table["label"].tolist() == table["top"].tolist()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv"), table)
    assert names_in(tmp_path) == ["clip.mp4", "out.csv", "out.mp4"]
    for before, after in zip(read_video(clip), read_video(tmp_path / "out.mp4"), strict=True):
        assert after.time_s == pytest.approx(before.time_s, abs=1e-3)
        changed = np.abs(after.image.astype(int) - before.image).max(axis=2) > 60
        assert changed[60:180, 78:82].any()  # the box's left side
        assert not changed[:, 250:].any()


def test_a_real_recognizer_sees_the_face(tmp_path, clip, detector):
    table = recognize(clip, recognizer=quick_recognizer(detector), every_s=0.2)
    assert table["time_s"].tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert set(table["face_id"]) == {0}
    assert table["w"].between(60, 140).all()


def test_an_unsure_face_is_called_so_in_table_csv_and_video(tmp_path, clip):
    sure = recognize(clip)
    careful = quick_recognizer(min_confidence=1)
    table = recognize(
        clip, tmp_path / "out.mp4", table=tmp_path / "out.csv", recognizer=careful, every_s=0.2
    )
    assert set(table["label"]) == {"unsure"}
    assert set(table["top"]) == set(sure["top"])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv"), table)
    color = bytes.fromhex(EMOTION_COLORS[table["top"][0]][1:])
    drawn = next(read_video(tmp_path / "out.mp4")).image.astype(int)
    is_colored = np.abs(drawn[:, 79:83] - [*color]).max(axis=2).min(axis=1) < 60
    assert np.count_nonzero(np.diff(is_colored[100:140])) >= 2  # dashed


def test_the_frames_keep_their_times_and_so_fit_the_sound(tmp_path):
    times_s = [0, 0.04, 0.08, 0.5, 0.52, 1.5, 1.9]
    clip = write_clip(tmp_path / "a.mkv", moving_head(7), times_s, sound="aac", sound_s=2.2)
    table = recognize(clip, tmp_path / "b.mp4")
    assert table["time_s"].tolist() == pytest.approx(times_s, abs=1e-3)
    written = [frame.time_s for frame in read_video(tmp_path / "b.mp4")]
    assert written == pytest.approx(table["time_s"].tolist(), abs=1e-3)
    assert beep_starts_s(tmp_path / "b.mp4") == pytest.approx(beep_starts_s(clip), abs=0.03)


@pytest.mark.parametrize(
    ("name", "video", "sound", "rate", "kept"),
    [
        ("a.mp4", "libx264", "aac", 44100, "aac"),
        ("a.ts", "libx264", "aac", 48000, "aac"),
        ("a.avi", "mpeg4", "libmp3lame", 44100, "mp3"),
        ("a.webm", "libvpx", "libopus", 48000, "opus"),
        ("a.mkv", "libx264", "flac", 44100, "flac"),
        ("a.mov", "mjpeg", "pcm_s16le", 44100, "aac"),
        ("a.mkv", "libx264", "ac3", 48000, "aac"),
        ("a.avi", "mpeg4", "pcm_s16le", 11025, "aac"),
    ],
)
@pytest.mark.slow
def test_the_sound_is_copied_where_browsers_play_it(tmp_path, name, video, sound, rate, kept):
    frames = (picture[::2, ::2] for picture in moving_head(60))
    sounds = {"sound": sound, "sound_s": 2.4, "sound_rate": rate}
    options = {"codec": video, "size": (160, 120), **sounds}
    clip = write_clip(tmp_path / name, frames, np.arange(60) / FPS, **options)
    output = tmp_path / "out.mp4"
    recognize(clip, output)
    with av.open(str(output)) as container:
        picture, track = container.streams
        assert picture.codec_context.name == "h264"
        assert track.codec_context.name.removesuffix("float") == kept
        assert float(track.duration * track.time_base) == pytest.approx(2.4, abs=0.15)
    if kept != sound.removeprefix("lib"):
        assert beep_starts_s(output) == pytest.approx(beep_starts_s(clip), abs=0.05)


def joined_clips(folder: Path, sound: str, *rates: int) -> Path:
    """Join clips of a second, each with its sound at another rate, as carelessly as `cat` does."""
    data = b""
    for rate in rates:
        frames = (picture[::2, ::2] for picture in moving_head(25))
        options = {"size": (160, 120), "sound": sound, "sound_s": 1, "sound_rate": rate}
        data += write_clip(folder / "a.ts", frames, np.arange(25) / FPS, **options).read_bytes()
    path = folder / "joined.ts"
    path.write_bytes(data)
    return path


def sound_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.streams.audio[0].duration * container.streams.audio[0].time_base)


def test_sound_that_changes_its_rate_is_converted(tmp_path):
    clip = joined_clips(tmp_path, "ac3", 48000, 32000, 44100)
    with pytest.warns(UserWarning, match="is damaged, or joined, near frame"):
        assert len(recognize(clip, tmp_path / "out.mp4")) == 75
    assert sound_s(tmp_path / "out.mp4") == pytest.approx(3, abs=0.2)
    assert len(beep_starts_s(tmp_path / "out.mp4")) == 3


def test_copied_sound_that_changes_its_rate_ends_there_with_a_warning(tmp_path):
    clip = joined_clips(tmp_path, "aac", 44100, 48000)
    changes = "changes from 44100 Hz, mono, to 48000 Hz, mono; from there on it is left out"
    with pytest.warns(UserWarning, match=changes):
        assert len(recognize(clip, tmp_path / "out.mp4")) == 50
    assert sound_s(tmp_path / "out.mp4") == pytest.approx(1, abs=0.2)


def test_a_turned_video_comes_out_upright(tmp_path):
    clip = clip_of(tmp_path / "clip.mp4", 5, rotation_deg=90)
    recognize(clip, tmp_path / "out.mp4")
    assert next(read_video(tmp_path / "out.mp4")).image.shape == (320, 240, 3)


def test_a_file_object_will_do_and_stays_open(tmp_path, clip):
    file = io.BytesIO(clip.read_bytes())
    file.seek(100)
    from_file, from_path = recognize(file, tmp_path / "out.mp4"), recognize(clip)
    assert set(from_file["source"]) == {"video"}
    pd.testing.assert_frame_equal(from_file.iloc[:, 1:], from_path.iloc[:, 1:])
    assert not file.closed
    assert len(list(read_video(tmp_path / "out.mp4"))) == 30


def test_an_open_file_is_not_written_over(clip):
    content = clip.read_bytes()
    with clip.open("rb") as file, pytest.raises(ValueError, match="another file than the source"):
        recognize(file, clip)
    assert clip.read_bytes() == content


def test_what_has_the_name_of_the_unfinished_video_is_not_written_over(tmp_path, clip):
    source = clip.rename(tmp_path / "download.mp4.part")
    before = source.read_bytes()
    with pytest.raises(ValueError, match="output must be another file than the source, also"):
        recognize(source, tmp_path / "download.mp4")
    assert (names_in(tmp_path), source.read_bytes()) == ([source.name], before)


def test_a_video_without_frames_is_refused(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", [], [], sound="aac", sound_s=1)
    with pytest.raises(ValueError, match=r"cannot be read as a video|has no frames"):
        recognize(clip, tmp_path / "out.mp4", table=tmp_path / "out.csv")
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_video_without_faces_gives_an_empty_table(tmp_path, clip, detector):
    grey = [np.full((240, 320, 3), 128, np.uint8)] * 5
    clip = write_clip(tmp_path / "grey.mp4", grey, np.arange(5) / FPS)
    table = recognize(
        clip, tmp_path / "b.mp4", table=tmp_path / "b.csv", recognizer=quick_recognizer(detector)
    )
    assert len(table) == 0
    pd.testing.assert_series_equal(table.dtypes, recognize(clip).dtypes)
    assert (tmp_path / "b.csv").read_text() == ",".join(TRACKED_COLUMNS) + "\n"
    assert len(list(read_video(tmp_path / "b.mp4"))) == 5


def test_the_progress_bar_counts_the_frames(clip, capsys):
    recognize(clip)
    assert capsys.readouterr().err == ""
    recognize(clip, progress=True)
    assert "clip.mp4: 100%" in capsys.readouterr().err


def test_a_video_that_changes_its_size_keeps_its_face(tmp_path, detector):
    wide, high = (scene((COLLINS_HEAD, 10), size=size) for size in ((320, 240), (240, 320)))
    clip = write_growing_clip(tmp_path / "call.webm", [wide] * 4 + [high] * 4)
    table = recognize(clip, tmp_path / "out.mp4", recognizer=quick_recognizer(detector))
    assert table["frame"].tolist() == list(range(8))
    assert np.allclose(table["w"] / table["h"], 1, atol=0.15)  # not squashed
    lower = table["y"][4:].mean() - table["y"][:4].mean()
    assert lower == pytest.approx((320 - 240) / 2, abs=4)  # in px of the frame itself
    frames = [frame.image for frame in read_video(tmp_path / "out.mp4")]
    assert {frame.shape for frame in frames} == {(240, 320, 3)}
    assert frames[-1][:, :60].max() < 30  # 180 of 320 px stay, in the middle
    assert frames[-1][:, 80:240].mean() > 80


def test_a_generator_of_frames_is_a_source(tmp_path):
    table = recognize(moving_head(5), tmp_path / "out.mp4", fps=5)
    assert table["time_s"].tolist() == pytest.approx(np.arange(5) / 5)
    assert set(table["source"]) == {"frames"}
    assert len(list(read_video(tmp_path / "out.mp4"))) == 5


def test_a_part_of_a_video_is_a_source(tmp_path, clip):
    part = (frame for frame in read_video(clip) if 0.2 < frame.time_s < 0.5)
    table = recognize(part, tmp_path / "out.mp4")
    assert table["frame"].tolist() == list(range(6, 13))
    pd.testing.assert_series_equal(
        table["raw_happy"], recognize(clip)["raw_happy"][6:13], check_index=False
    )


def damaged(clip: Path) -> Path:
    """Cut off a clip's end, its index being in front."""
    data = clip.read_bytes()
    path = clip.with_name("damaged.mp4")
    path.write_bytes(data[: len(data) * 3 // 4])
    return path


def test_where_it_is_damaged_the_result_ends(tmp_path):
    clip = damaged(clip_of(tmp_path / "clip.mp4", 60, movflags="+faststart"))
    with pytest.warns(UserWarning, match=r"damaged after \d+ frames .* The result ends there"):
        table = recognize(clip, tmp_path / "out.mp4", table=tmp_path / "out.csv")
    assert 10 < len(table) < 60
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv"), table)
    assert len(list(read_video(tmp_path / "out.mp4"))) == len(table)
    assert names_in(tmp_path) == ["clip.mp4", "damaged.mp4", "out.csv", "out.mp4"]


def test_a_hole_in_the_middle_breaks_nothing(tmp_path):
    clip = clip_of(tmp_path / "clip.mp4", 60, movflags="+faststart", sound="aac", sound_s=2.4)
    data = bytearray(clip.read_bytes())
    hole = len(data) * 4 // 5
    data[hole : hole + 500] = bytes(500)
    clip.write_bytes(data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is damaged", category=UserWarning)
        table = recognize(clip, tmp_path / "out.mp4")
    assert len(table) > 15
    assert len(list(read_video(tmp_path / "out.mp4"))) == len(table)


def test_sound_that_cannot_be_decoded_is_left_out(tmp_path):
    clip = clip_of(tmp_path / "clip.mp4", 75, sound="aac", sound_s=3)
    data = bytearray(clip.read_bytes())
    hole = len(data) // 2
    data[hole : hole + 3000] = np.random.default_rng(0).bytes(3000)
    clip.write_bytes(data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is damaged", category=UserWarning)
        recognize(clip, tmp_path / "out.mp4")
    assert undecodable_sound(clip) > 0
    assert undecodable_sound(tmp_path / "out.mp4") == 0


def undecodable_sound(path: Path) -> int:
    """How many packets of the sound a browser would stop at."""
    count = 0
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            try:
                packet.decode()
            except av.FFmpegError:
                count += 1
    return count


@contextmanager
def small_disk() -> Iterator[None]:
    """A disk with room for 20 kB a file, such as Unix lets one pretend."""
    resource = pytest.importorskip("resource")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.slow
def test_a_full_disk_leaves_a_whole_table_and_no_half_video(tmp_path):
    clip = clip_of(tmp_path / "clip.mp4", 150)
    full = r"out\.csv' cannot be written \(File too large\)"
    with small_disk(), pytest.raises(ValueError, match=full):
        recognize(clip, table=tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert 20 < len(table) < 150
    assert not table.isna().any(axis=None)
    with small_disk(), pytest.raises(ValueError, match=r"out\.mp4' cannot be written"):
        recognize(clip, tmp_path / "out.mp4")
    assert names_in(tmp_path) == ["clip.mp4", "out.csv"]


def test_an_error_is_raised_and_what_was_done_is_kept(tmp_path, clip):
    recognizer = quick_recognizer()
    calls = iter([*[recognizer.classifier.predict_proba] * 10])

    def failing(crops: np.ndarray) -> np.ndarray:
        return next(calls, None)(crops)

    recognizer.classifier.predict_proba = failing
    with pytest.raises(TypeError, match="NoneType"):
        recognize(clip, tmp_path / "o.mp4", table=tmp_path / "o.csv", recognizer=recognizer)
    assert len(pd.read_csv(tmp_path / "o.csv")) == len(list(read_video(tmp_path / "o.mp4"))) == 10


PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from tests.helpers.stand_ins import quick_recognizer
from fer_utils import recognize_video
recognizer = quick_recognizer()
quick = recognizer.classifier.predict_proba
def slow(crops):
    print("frame", flush=True)
    time.sleep(0.02)
    return quick(crops)
recognizer.classifier.predict_proba = slow
table = recognize_video("clip.mp4", "out.mp4", table="out.csv", recognizer=recognizer)
print("rows", len(table))
"""


def interrupted(folder: Path, *signals: int) -> tuple[int, str, str]:
    """Send signals to a program that recognises a clip; return what became of it."""
    frames = (picture[::2, ::2] for picture in moving_head(300))
    sound = {"sound": "aac", "sound_s": 300 / FPS}
    write_clip(folder / "clip.mp4", frames, np.arange(300) / FPS, size=(160, 120), **sound)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for _ in range(50):
        program.stdout.readline()
    for number in signals:
        program.send_signal(number)
    out, err = program.communicate(timeout=120)
    return program.returncode, out, err


@pytest.mark.slow
def test_ctrl_c_ends_it_with_playable_files_and_the_table(tmp_path):
    code, out, err = interrupted(tmp_path, signal.SIGINT)
    assert code == 0, err
    assert "EndsEarlyWarning: interrupted after" in err
    rows = int(out.split("rows ")[1])
    assert 50 <= rows < 300
    assert names_in(tmp_path) == ["clip.mp4", "out.csv", "out.mp4"]
    assert len(pd.read_csv(tmp_path / "out.csv")) == rows
    assert len(list(read_video(tmp_path / "out.mp4"))) == rows
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound_s = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
    assert sound_s == pytest.approx(rows / FPS, abs=1)


def test_ctrl_c_while_the_files_are_finished_loses_nothing(tmp_path, clip, monkeypatch):
    finish = VideoWriter.finish

    def interrupted_finish(writer: VideoWriter) -> None:
        signal.raise_signal(signal.SIGINT)
        finish(writer)

    monkeypatch.setattr(VideoWriter, "finish", interrupted_finish)
    table = recognize(clip, tmp_path / "out.mp4", table=tmp_path / "out.csv")
    assert len(table) == len(list(read_video(tmp_path / "out.mp4"))) == 30
    assert names_in(tmp_path) == ["clip.mp4", "out.csv", "out.mp4"]


@pytest.mark.slow
def test_a_kill_leaves_nothing_that_looks_complete(tmp_path):
    code, _, _ = interrupted(tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert names_in(tmp_path) == ["clip.mp4", "out.csv.part", "out.mp4.part"]


MEMORY = """
import os, sys
from tests.helpers.stand_ins import quick_recognizer
from fer_utils import recognize_video
for name in ("short.mp4", "short.mp4", "long.mp4"):
    options = dict(table="out.csv", recognizer=quick_recognizer(), progress=False)
    rows = len(recognize_video(name, "out.mp4", **options))
    pages = int(open("/proc/self/statm").read().split()[1])
    print(rows, pages * os.sysconf("SC_PAGE_SIZE"))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells it there")
@pytest.mark.slow
def test_memory_stays_flat(tmp_path):
    for name, seconds in (("short.mp4", 10), ("long.mp4", 40)):
        frames, times_s = moving_head(seconds * FPS), np.arange(seconds * FPS) / FPS
        write_clip(tmp_path / name, frames, times_s, sound="aac", sound_s=seconds)
    program = [sys.executable, "-c", MEMORY]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    out = subprocess.check_output(program, cwd=tmp_path, text=True, env=environment)
    # Not getrusage's peak, which is the parent's as long as that is higher.
    rows, resident = np.array([line.split() for line in out.splitlines()], int).T
    assert rows.tolist() == [250, 250, 1000]
    # A leak of a single one of its frames in ten would be 23 MB. The table takes under 1, and on a
    # busy machine the allocator has kept 5 more.
    assert resident[2] - resident[1] < 12e6


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["clip.mp4", "clip.mp4"], ValueError, "output must be another file than the source"),
        (["clip.mp4", "gone/out.mp4"], FileNotFoundError, "output: there is no folder '.*gone'"),
        (["clip.mp4", "out.avi"], ValueError, r"output must end in \.mp4"),
        (["clip.mp4", "x" * 250 + ".mp4"], ValueError, r"cannot be written \(File name too long\)"),
        (["clip.mp4", 7], TypeError, "output must name the file to write, got int"),
        (["gone.mp4", "out.mp4"], FileNotFoundError, "source: there is no file"),
        (["text.mp4", "out.mp4"], ValueError, "cannot be read as a video"),
        ([7.5, "out.mp4"], TypeError, "source must be a video's path, a file object"),
        ([io.StringIO("a"), "out.mp4"], TypeError, "files must be opened in binary mode"),
        ([io.BytesIO(b"no video"), "out.mp4"], ValueError, "'video' cannot be read as a video"),
    ],
)
def test_wrong_files_are_refused_and_leave_nothing(
    tmp_path, clip, monkeypatch, arguments, error, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    before = names_in(tmp_path), clip.read_bytes()
    with pytest.raises(error, match=message):
        recognize(*arguments, table="out.csv")
    assert (names_in(tmp_path), clip.read_bytes()) == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"table": "out.xlsx"}, ValueError, r"table must end in \.csv"),
        ({"table": "gone/out.csv"}, FileNotFoundError, "table: there is no folder"),
        ({"table": "x" * 250 + ".csv"}, ValueError, r"cannot be written \(File name too long\)"),
        ({"every_s": -1}, ValueError, "every_s must be at least 0"),
        ({"smoothing_s": -1}, ValueError, "smoothing_s must be at least 0"),
        ({"recognizer": "fer"}, TypeError, "recognizer must be an EmotionRecognizer, got str"),
    ],
)
def test_wrong_settings_are_refused_and_leave_nothing(
    tmp_path, clip, monkeypatch, options, error, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        recognize(clip, "out.mp4", **options)
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.slow
def test_it_plays_with_its_sound_in_a_notebooks_video_tag(tmp_path, clip):
    recognize(clip, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with chromium() as browser:
        page = browser.new_page()
        tag = Video(tmp_path / "out.mp4", embed=True, html_attributes="muted")._repr_html_()
        page.set_content(tag)
        page.evaluate("document.querySelector('video').play()")
        played = "(video = document.querySelector('video')) && video.currentTime > 0.5"
        page.wait_for_function(played, timeout=PATIENCE_MS)
        video = "document.querySelector('video')"
        size = page.evaluate(f"[{video}.videoWidth, {video}.videoHeight]")
        heard = page.evaluate(f"{video}.webkitAudioDecodedByteCount")
    assert size == [320, 240]
    assert heard > 0
