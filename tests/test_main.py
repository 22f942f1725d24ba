"""The command line, as its user meets it: what is printed, what is written, how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_utils import __main__ as command
from fer_utils import __version__
from fer_utils.images import load_image
from fer_utils.recognition.recognizer import EmotionRecognizer
from fer_utils.video import recognize
from fer_utils.video.writer import write_video
from tests.helpers.clips import moving_head, write_clip
from tests.helpers.portraits import ASTRONAUT, NOBODY, PAIR
from tests.helpers.stand_ins import quick_recognizer


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, detector):
    """Run the command in an empty folder, with quick networks; return code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def load(models, *, min_confidence, thorough, precision, threads):
        assert (models, thorough, precision, threads) == (None, False, None, None)
        return quick_recognizer(detector, min_confidence=min_confidence)

    monkeypatch.setattr(command.EmotionRecognizer, "load", load)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            command.main([*words])
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def pair(tmp_path) -> np.ndarray:
    Image.fromarray(PAIR).save(tmp_path / "pair.png")
    return PAIR


def test_a_picture_gives_a_table(run, pair, tmp_path):
    code, out, err = run("pair.png")
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines[0] == ["source", "face", "label", "share"]
    assert [line[:2] for line in lines[1:]] == [["pair.png", "1"], ["pair.png", "2"]]
    assert [path.name for path in tmp_path.iterdir()] == ["pair.png"]


def test_it_draws_beside_and_where_it_is_told(run, pair):
    run("pair.png", "--draw")
    run("pair.png", "-o", "out.jpg")
    drawn = load_image("pair_faces.png")
    assert drawn.shape == pair.shape
    assert (drawn != pair).any(axis=2).mean() > 0.01
    assert np.abs(load_image("out.jpg").astype(int) - drawn).mean() < 4
    run("pair.png", "-o", "new/")
    assert np.array_equal(load_image("new/pair.png"), drawn)


def test_a_folder_is_drawn_as_it_is_laid_out(run, tmp_path):
    (tmp_path / "photos" / "old").mkdir(parents=True)
    Image.fromarray(ASTRONAUT).save("photos/old/a.png")
    Image.fromarray(NOBODY).save("photos/cat.bmp")
    Path("photos/broken.jpg").write_text("no picture")
    Path("photos/gone.png").symlink_to("nowhere.png")
    code, out, err = run("photos", "--draw", "--csv", "all.csv", "--json", "all.json")
    assert code == 1
    assert "broken.jpg: its bytes are of no known format\n" in err
    assert err.endswith("gone.png: the file is gone, or its link is broken\n")
    assert "No face in photos/cat.bmp" in out.replace(os.sep, "/")
    drawn = sorted(path.as_posix() for path in Path("photos_faces").rglob("*.*"))
    assert drawn == ["photos_faces/cat.jpg", "photos_faces/old/a.png"]
    table = pd.read_csv("all.csv")
    assert table["source"].tolist() == [str(Path("photos/old/a.png"))]
    assert {"face_id", "x", "p_angry", "p_neutral", "top", "label"} <= set(table.columns)
    broken, cat, gone, astronaut = json.loads(Path("all.json").read_text())
    assert cat["faces"] == []
    assert astronaut["faces"][0]["face"] == 1
    assert astronaut["faces"][0]["box"] == table.loc[0, ["x", "y", "w", "h"]].tolist()
    assert "error" in broken
    assert "error" in gone


def test_pictures_of_one_name_and_several_formats_are_drawn_apart(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("y.bmp", "y.gif", "y.png", "z.BMP", "z.jpg", "alone.tiff"):
        Image.fromarray(NOBODY).save(Path("photos", name))
    assert run("photos", "--draw")[0] == 0
    drawn = sorted(path.name for path in Path("photos_faces").iterdir())
    assert drawn == ["alone.jpg", "y.bmp.jpg", "y.gif.jpg", "y.png", "z.BMP.jpg", "z.jpg"]
    assert run("photos/y.bmp", "photos/y.gif", "--draw")[0] == 0
    assert sorted(path.name for path in Path().glob("y*")) == ["y_faces.bmp.jpg", "y_faces.gif.jpg"]


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (["pair.png", "--draw"], "pair_faces.png"),
        (["pair.png", "-o", "out"], "out/pair.png"),
        (["pair.png", "-o", "out.jpg"], "out.jpg"),
        (["photos", "--draw"], "photos_faces/pair.png"),
    ],
)
def test_what_it_drew_is_drawn_anew_and_a_photo_of_that_name_is_kept(
    run, pair, tmp_path, words, own
):
    for folder in ("out", "photos", "photos_faces"):
        (tmp_path / folder).mkdir()
    shutil.copy("pair.png", "photos")
    Image.fromarray(NOBODY).save(own)
    before = Path(own).read_bytes()
    code, out, err = run(*words)
    assert (code, out, Path(own).read_bytes()) == (2, "", before)
    assert f"{own!r} is there already, and fer has not made it: it would be lost." in err
    Path(own).unlink()
    assert [run(*words)[0] for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    ("words", "own"), [(["--draw"], "film_faces.mp4"), (["-o", "out.mp4"], "out.mp4")]
)
def test_a_video_it_wrote_is_written_anew_and_another_of_that_name_is_kept(run, words, own):
    write_video([ASTRONAUT] * 2, "film.mp4", fps=10)
    write_video([NOBODY] * 2, own, fps=10)  # the user's own frames, on which no face is drawn
    before = Path(own).read_bytes()
    code, out, err = run("film.mp4", *words)
    assert (code, out, Path(own).read_bytes()) == (2, "", before)
    assert f"{own!r} is there already, and fer has not made it: it would be lost." in err
    Path(own).unlink()
    assert [run("film.mp4", *words)[0] for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(("option", "own"), [("--csv", "own.csv"), ("--json", "own.json")])
@pytest.mark.parametrize("source", ["pair.png", "film.mp4"])
def test_a_table_it_wrote_is_written_anew_and_another_of_that_name_is_kept(
    run, pair, source, option, own
):
    write_video([ASTRONAUT] * 2, "film.mp4", fps=10)
    Path(own).write_text('[{"source": "mine"}]' if own.endswith(".csv") else "source,face_id\n")
    before = Path(own).read_bytes()
    code, out, err = run(source, option, own)
    assert (code, out, Path(own).read_bytes()) == (2, "", before)
    assert f"{own!r} is there already, and fer has not made it: it would be lost." in err
    assert f"Give another {option}," in err
    Path(own).write_bytes(b"")
    assert [run(source, option, own)[0] for _ in range(2)] == [0, 0]


def test_a_picture_named_twice_is_looked_at_once(run, pair):
    records = json.loads(run("pair.png", "./pair.png", "--json", "-")[1])
    assert [record["source"] for record in records] == ["pair.png"]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("suffix", [".png", ".mp4"])
def test_a_name_that_is_no_unicode_is_spelt_out(run, pair, suffix):
    source = f"bad\udcff{suffix}"
    if suffix == ".mp4":
        write_video([ASTRONAUT] * 2, "film.mp4", fps=10)
        Path("film.mp4").rename(source)
    else:
        Path("pair.png").rename(source)
    code, out, err = run(source, "--csv", "out.csv", "--json", "out.json")
    assert (code, err) == (0, "")
    spelt = f"bad\\udcff{suffix}"
    assert spelt in out
    assert set(pd.read_csv("out.csv")["source"]) == {spelt}
    assert {record["source"] for record in json.loads(Path("out.json").read_text())} == {spelt}


@pytest.mark.parametrize("arguments", [["--csv", "-"], []])
def test_what_the_output_cannot_show_is_spelt_out(pair, tmp_path, arguments):
    (tmp_path / "pair.png").rename(tmp_path / "grüße 😀.png")
    narrow = os.environ | {"PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-m", "fer_utils", "grüße 😀.png", *arguments]
    ended = subprocess.run(command, capture_output=True, env=narrow, cwd=tmp_path, timeout=300)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "grüße \\U0001f600.png".encode("cp1252") in ended.stdout


def test_with_stderr_closed_it_works_all_the_same(pair, tmp_path):
    command = [sys.executable, "-m", "fer_utils", "pair.png", "--csv", "out.csv"]
    close = "import os, sys; os.close(2); os.execv(sys.argv[1], sys.argv[1:])"
    starter = [sys.executable, "-c", close, *command]
    ended = subprocess.run(starter, capture_output=True, cwd=tmp_path, timeout=300)
    assert ended.returncode == 0
    assert len(pd.read_csv(tmp_path / "out.csv")) == ended.stdout.count(b"pair.png") == 2


def test_what_it_drew_is_no_picture_of_the_folder(run, pair):
    Image.fromarray(NOBODY).save("cat_faces.png")  # the user's own, whatever its name
    first = run(".", "--draw", "-o", "drawn")
    assert first[2] == ""
    for name in ("pair.png", "pair.jpg", "pair.webp"):
        run("pair.png", "-o", f"drawn/by_name_{name}")
    code, out, err = run(".", "--draw", "-o", "drawn")
    assert (code, out) == first[:2]
    assert err == "Left out, as drawn by fer: 5. To have one read, name it.\n"
    code, out, err = run(str(Path("drawn/by_name_pair.webp")))
    assert (code, err, out.count("by_name_pair.webp")) == (0, "", 2)
    code, out, err = run("drawn")
    assert (code, out) == (2, "")
    assert "There is no other picture in drawn." in err


def test_what_is_odd_about_a_picture_is_said_in_a_line(run):
    Image.fromarray(NOBODY).save("two.gif", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    Image.fromarray(NOBODY[..., 0].astype(np.uint16)).save("dark.png")
    code, out, err = run("two.gif", "dark.png")
    assert (code, out) == (0, "No face found.\n")
    assert err == (
        "two.gif: it holds 2 pictures, of which the first is taken\n"
        "dark.png: it comes out nearly black, the largest of its 16-bit values is "
        f"{NOBODY[..., 0].max()}\n"
    )


def test_csv_and_json_can_be_printed(run, pair):
    _, out, _ = run("pair.png", "--csv", "-")
    assert out.splitlines()[0].startswith("source,frame,time_s,face_id,x,y,w,h,p_angry")
    _, out, _ = run("pair.png", "--json", "-", "--min-confidence", "1")
    (picture,) = json.loads(out)
    assert [face["label"] for face in picture["faces"]] == ["unsure", "unsure"]


@pytest.mark.skipif(os.name != "posix", reason="other systems refuse such names")
def test_a_name_cannot_steer_the_terminal(run):
    for folder in ("\x1b[2Jsome", "\x1b[2Jno"):
        Path(folder).mkdir()
    Image.fromarray(ASTRONAUT).save("\x1b[2Jsome/\x9bé.png")
    Image.fromarray(NOBODY).save("\x1b[2Jsome/cat.png")
    Image.fromarray(NOBODY).save(
        "\x1b[2Jsome/two.gif", save_all=True, append_images=[Image.new("L", (9, 9))]
    )
    Path("\x1b[2Jsome/broken\n.jpg").write_text("no picture")
    _, out, err = run("\x1b[2Jsome")
    assert r"\x1b[2Jsome/\x9bé.png" in out
    assert r"No face in \x1b[2Jsome/cat.png" in out
    assert r"\x1b[2Jsome/two.gif: it holds 2 pictures" in err
    assert r"\x1b[2Jsome/broken\n.jpg: its bytes" in err
    nothing = run("\x1b[2Jno")[2]
    assert r"picture in \x1b[2Jno." in nothing
    assert "\x1b" not in out + err + nothing
    assert "\x9b" not in out


def test_nobody_is_said_in_words(run):
    Image.fromarray(NOBODY).save("cat.png")
    assert run("cat.png") == (0, "No face found.\n", "")


def test_nobody_is_said_only_where_somebody_looked(run):
    Path("broken.jpg").write_text("no picture")
    code, out, err = run("broken.jpg")
    assert (code, out) == (2, "")  # as for a video that cannot be read
    assert err == "broken.jpg: its bytes are of no known format\n"


def test_a_stopped_video_says_so_in_a_line_and_keeps_what_is_done(run, monkeypatch):
    interrupted = threading.Event()
    interrupted.set()
    monkeypatch.setattr(recognize, "held_interrupt", lambda: nullcontext(interrupted))
    write_video([ASTRONAUT] * 5, "film.mp4", fps=10)
    code, _, err = run("film.mp4", "--csv", "out.csv")
    assert (code, err) == (130, "interrupted after 1 frames. The result ends there.\n")
    assert len(pd.read_csv("out.csv")) == 1


def test_ctrl_c_keeps_what_was_found_up_to_the_picture_that_is_looked_at(run, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.fromarray(ASTRONAUT).save(name)
    recognize_as_usual = EmotionRecognizer.recognize
    monkeypatch.setattr(
        EmotionRecognizer,
        "recognize",
        lambda *args: signal.raise_signal(signal.SIGINT) or recognize_as_usual(*args),
    )
    code, out, err = run("a.png", "b.png", "--draw", "--csv", "t.csv", "--json", "t.json")
    assert (code, err) == (130, "interrupted after 1 of 2 pictures. The result ends there.\n")
    assert "a.png" in out
    assert pd.read_csv("t.csv")["source"].tolist() == ["a.png"]
    assert [record["source"] for record in json.loads(Path("t.json").read_text())] == ["a.png"]
    assert Path("a_faces.png").exists()
    assert not Path("b_faces.png").exists()
    code, out, err = run("b.png")  # which is finished: the code alone tells of Ctrl-C
    assert (code, err) == (130, "")
    assert "b.png" in out


@pytest.mark.parametrize("source", ["a.png", "film.mp4"])
def test_ctrl_c_is_heard_of_though_a_library_that_loads_may_swallow_it(run, monkeypatch, source):
    Image.fromarray(ASTRONAUT).save("a.png")
    write_video([ASTRONAUT] * 2, "film.mp4", fps=10)
    load = command.EmotionRecognizer.load

    def swallowing(*args, **options):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return load(*args, **options)

    monkeypatch.setattr(command.EmotionRecognizer, "load", swallowing)
    assert run(source, "--csv", "out.csv") == (130, "", "Stopped.\n")
    assert not Path("out.csv").exists()


def test_a_damaged_video_ends_with_1(run, tmp_path):
    film = tmp_path / "film.mp4"
    write_clip(film, moving_head(60), np.arange(60) / 10, movflags="+faststart")
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 3 // 4])
    code, out, err = run("film.mp4")
    assert (code, err.count("\n")) == (1, 1)
    assert err.endswith("The result ends there.\n")
    assert "film.mp4" in out


def test_a_video_gives_a_table_and_a_video(run, tmp_path):
    write_video([ASTRONAUT] * 5, "film.mp4", fps=10)
    code, out, err = run("film.mp4", "-o", "out.mp4", "--csv", "out.csv")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split()[:2] == ["source", "face"]
    assert re.match(r" *film\.mp4 +1 ", out.splitlines()[1])
    assert pd.read_csv("out.csv")["source"].tolist() == ["film.mp4"] * 5
    assert Path("out.mp4").stat().st_size > 1000


def test_the_json_of_a_video_has_the_shape_of_that_of_pictures(run, pair):
    write_video([NOBODY[:240, :320], pair[:240, :320], pair[:240, :320]], "film.mp4", fps=2)
    _, out, _ = run("film.mp4", "--csv", "out.csv", "--json", "-")
    _, picture, _ = run("pair.png", "--json", "-")
    frames, table = json.loads(out), pd.read_csv("out.csv")
    assert [frame["source"] for frame in frames] == ["film.mp4"] * len(frames)
    assert [(each["frame"], each["time_s"]) for each in frames] == [(1, 0.5), (2, 1.0)]
    faces = [face for frame in frames for face in frame["faces"]]
    assert [face["face"] for face in faces] == (table["face_id"] + 1).tolist()
    assert [face["box"] for face in faces] == table[[*"xywh"]].values.tolist()
    happy = {kind: [face[kind]["happy"] for face in faces] for kind in ("emotions", "raw_emotions")}
    assert happy["emotions"] == pytest.approx(table["p_happy"].tolist())
    assert happy["raw_emotions"] == pytest.approx(table["raw_happy"].tolist())
    assert json.loads(picture)[0]["faces"][0].keys() - faces[0].keys() == {"detection_score"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chek"], "there is no picture, folder, video or command 'chek'; did you mean 'check'?"),
        (["pear.png"], "command 'pear.png'; did you mean 'pair.png'?"),
        (["nowhere/x.jpg"], "--help lists what there is"),
        (["pair.png", "--darw"], "there is no option '--darw'; did you mean '--draw'?"),
        (["pair.png", "-o", ""], "--output is empty; leave it out, or name a file or a folder."),
        (["pair.png", "-x.png"], "write ./-x.png to name a file that begins with a dash."),
        (["pair.png", "--csv", "a.txt"], "--csv must end in .csv"),
        (["pair.png", "--json", "no/a.json"], "--json: there is no folder 'no'"),
        (["pair.png", "--csv", "-", "--json", "-"], "would both print"),
        (["pair.png", "-o", "out.gif"], "--output must end in .jpg"),
        (["pair.png", "-o", "pair.png"], "'pair.png' would be drawn over"),
        (["sub", "-o", "out.jpg"], "--output must name a folder where several pictures are drawn"),
        (["empty", "--draw"], "There is no picture in empty. Videos are named one at a time."),
        (["pair.png", "check"], "command 'check'. --help lists what there is."),
        (["gone.png"], "command 'gone.png'. --help lists what there is."),
        (["a" * 300], "File name too long"),
        ([""], "SOURCE is empty; for the pictures of the current folder, name it: ."),
        (["pair.png", "sub/pair.png", "--draw"], "Two pictures would be drawn as"),
        (["pair.png", "film.mp4"], "A video goes alone"),
        (["pair.png", "--min-confidence", "2"], "min_confidence must be between 0 and 1"),
        ([], "usage:"),
        (["--draw"], "the following arguments are required: SOURCE"),
    ],
)
def test_a_mistake_ends_with_2_a_line_and_nothing_written(run, pair, tmp_path, words, message):
    (tmp_path / "sub").mkdir()
    Image.fromarray(pair).save("sub/pair.png")
    Path("film.mp4").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "-x.png").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_it_tells_its_version(run):
    assert run("--version") == (0, f"fer_utils {__version__}\n", "")


def test_help_lists_the_commands(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(f"\n  {name} " in out for name in command._COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", command._COMMANDS)
def test_a_command_leads_to_its_own_help_under_the_name_that_was_typed(run, name, monkeypatch):
    for program, shown in (("fer_utils/__main__.py", "python -m fer_utils"), ("bin/fer", "fer")):
        monkeypatch.setattr(sys, "argv", [program])
        code, out, _ = run(name, "--help")
        assert code == 0
        assert out.startswith(f"usage: {shown} {name} [-h]")


@pytest.mark.slow
def test_the_whole_program_prints_its_table_alone(tmp_path):
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png")
    words = ["a.png", "a.png", "--draw", "--precision", "float"]
    command_line = [sys.executable, "-m", "fer_utils", *words]
    ended = subprocess.run(command_line, cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["source", "a.png"]
    assert (tmp_path / "a_faces.png").is_file()


@pytest.mark.slow
def test_who_has_read_enough_hears_of_no_error(tmp_path):
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png")
    command_line = [sys.executable, "-m", "fer_utils", "a.png", "--json", "-"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command_line, cwd=tmp_path, **pipes) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 141
