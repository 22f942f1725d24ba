import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fer_utils.bulk.many import label, main, recognize_many
from fer_utils.bulk.parquet_output import FaceDataSet
from fer_utils.bulk.source import tasks_of
from fer_utils.bulk.worker import Recipe, work_here
from fer_utils.network.int8 import has_fast_int8
from fer_utils.recognition.folder import recognize_folder
from tests.helpers.portraits import ASTRONAUT, NOBODY, PAIR

ROOT = Path(__file__).parents[2]
ORDER = ["source", "frame", "face_id"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "party").mkdir(parents=True)
    Image.fromarray(PAIR).resize((300, 150)).save(folder / "party" / "two.png")
    Image.fromarray(ASTRONAUT[:300, 70:370]).save(folder / "one.jpg")
    Image.fromarray(NOBODY[:150, :150]).save(folder / "cat.jpg")
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.jpg").touch()
    os.symlink("nowhere", folder / "link.jpg")
    return folder


def read(out) -> pd.DataFrame:
    return pd.read_parquet(out).sort_values(ORDER).reset_index(drop=True)


def label_quickly(source, out, work=work_here, **options):
    """Label with a recognizer that takes no time."""
    recipe = Recipe(maker="tests.helpers.fragile:load", options=options)
    tasks = tasks_of(source, part_size=2)
    asked = {"source": str(source)}
    return label(tasks, recipe, FaceDataSet(out), asked, work, progress=False)


@pytest.mark.slow
def test_the_table_is_that_of_a_folder(folder, tmp_path):
    report = recognize_many(folder, tmp_path / "out", local=True, progress=False)
    table = read(tmp_path / "out")
    expected = recognize_folder(folder, table=tmp_path / "t.csv", progress=False)
    pd.testing.assert_frame_equal(table.drop(columns=["frame", "time_s"]), expected)
    assert (report.items, report.faces, report.unreadable, report.parts_before) == (6, 3, 3, 0)
    again = recognize_many(folder, tmp_path / "out", local=True, progress=False)
    assert (again.items, again.parts_before) == (0, 1)
    pd.testing.assert_frame_equal(read(tmp_path / "out"), table)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
@pytest.mark.parametrize("name", ["pipe.jpg", "pipe.mp4"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / name)
    assert label_quickly(tmp_path / "in", tmp_path / "out").unreadable == 1
    assert "no regular file" in read(tmp_path / "out")["status"].item()


@pytest.mark.slow
def test_only_what_changed_is_done_again(folder, tmp_path):
    first = label_quickly(folder, tmp_path / "out")
    before = read(tmp_path / "out")
    (folder / "text.jpg").unlink()
    shutil.copy(folder / "one.jpg", folder / "party" / "more.jpg")
    second = label_quickly(folder, tmp_path / "out")
    assert second.items < first.items
    assert second.parts_before >= 1
    table = read(tmp_path / "out")
    assert not table.duplicated(["source", "face_id"]).any()
    assert set(table["source"]) == {*before["source"], "party/more.jpg"} - {"text.jpg"}
    label_quickly(folder, tmp_path / "anew")
    pd.testing.assert_frame_equal(read(tmp_path / "anew"), table)


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
from tests.bulk.test_many import label_quickly
label_quickly(sys.argv[1], sys.argv[2], pause_s=0.02)
"""


@pytest.mark.slow
def test_a_killed_call_goes_on(tmp_path):
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(60):
        Image.new("RGB", (20, 12), "white").save(folder / f"{number}.png")
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), str(out), str(ROOT)])
    while run.poll() is None and len(list(out.glob("part-*"))) < 3:
        time.sleep(0.01)
    run.kill()
    assert run.wait() == -signal.SIGKILL
    done = len(list(out.glob("part-*")))
    report = label_quickly(folder, out)
    assert report.parts_before == done
    assert report.items < 60
    label_quickly(folder, tmp_path / "undisturbed")
    pd.testing.assert_frame_equal(read(out), read(tmp_path / "undisturbed"))
    assert not list(out.glob("_tmp*"))


def test_data_set_and_source_may_be_moved_together_but_not_apart(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("fer_utils.bulk.many.label", lambda *given, **_: asked.append(given[3]))
    (tmp_path / "a" / "pictures").mkdir(parents=True)
    recognize_many(tmp_path / "a" / "pictures", tmp_path / "a" / "out", local=True)
    (tmp_path / "a").rename(tmp_path / "b")
    recognize_many(tmp_path / "b" / "pictures", tmp_path / "b" / "out", local=True)
    (tmp_path / "a" / "pictures").mkdir(parents=True)
    recognize_many(tmp_path / "a" / "pictures", tmp_path / "b" / "out", local=True)
    assert [one["source"] for one in asked] == [
        "../pictures",
        "../pictures",
        "../../a/pictures",
    ]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"source": "nowhere"}, FileNotFoundError, "there is nothing at .*nowhere"),
        ({"source": "."}, ValueError, r"no pictures or videos in .*folder/\*\.parquet"),
        ({"source": "*.jpg"}, ValueError, "no pictures or videos"),
        ({"out": "file"}, ValueError, "out must be a folder"),
        ({"out": ""}, ValueError, "out must be a path or an address, got an empty text"),
        ({"every_s": -1}, ValueError, "every_s must be at least 0"),
        ({"part_size": 0}, ValueError, "part_size must be a whole number of at least 1"),
        ({"min_confidence": 2}, ValueError, "min_confidence must be between 0 and 1"),
        ({"models": ["no.h5"]}, FileNotFoundError, "no.h5"),
        ({"models": "no.h5"}, ValueError, "Weights files come as a list"),
        ({"address": "auto"}, ValueError, "address and workers are for Ray"),
    ],
)
def test_bad_arguments_leave_nothing_behind(tmp_path, change, error, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "one.png").touch()
    source, out = change.get("source", "one.png"), change.get("out", "new")
    if source != "one.png":
        (tmp_path / "one.png").unlink()
    rest = {name: value for name, value in change.items() if name not in ("source", "out")}
    with pytest.raises(error, match=message):
        recognize_many(
            tmp_path / source, out and tmp_path / out, local=True, progress=False, **rest
        )
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_all_workers_keep_to_the_precision_of_the_caller(folder, tmp_path, monkeypatch):
    recipes = []

    def work(tasks, recipe, out):
        recipes.append(recipe)
        yield from work_here(tasks, recipe, out)

    monkeypatch.setattr("fer_utils.bulk.many.work_here", work)
    here = partial(recognize_many, folder, local=True, progress=False)
    here(tmp_path / "chosen")
    here(tmp_path / "float", precision="float")
    chosen = "int8" if has_fast_int8() else "float"
    assert [recipe.options["precision"] for recipe in recipes] == [chosen, "float"]
    if has_fast_int8():
        with pytest.raises(ValueError, match=r"different networks .* go on with precision='float'"):
            here(tmp_path / "float")


def test_the_command_tells_a_mistake_in_a_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "nowhere"), str(tmp_path / "out"), "--local"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("python -m fer_utils.bulk: error: source: there is nothing at")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_ray_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engines = []
    monkeypatch.setattr("fer_utils.bulk.many.label", lambda *given, **_: engines.append(given[4]))
    recognize_many(tmp_path, tmp_path / "out")
    assert engines == [work_here]
    assert "Ray is not installed, so one worker does it here" in capsys.readouterr().err
    with pytest.raises(ValueError, match="address needs Ray, which is not installed; get it by"):
        recognize_many(tmp_path, tmp_path / "out", address="auto")
