import io
import os
import signal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer_utils.bulk.parquet_output import FaceDataSet
from fer_utils.bulk.source import tasks_of
from fer_utils.bulk.worker import Counts, Recipe, Worker
from tests.helpers.clips import moving_head, write_clip
from tests.helpers.fragile import DEADLY_WIDTH

pytestmark = pytest.mark.slow  # each starts a process or two
FRAGILE = Recipe(maker="tests.helpers.fragile:load")


def save(width, path):
    Image.new("RGB", (width, 12), "white").save(path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for number in range(6):
        save(20, tmp_path / "pictures" / f"{number}.png")
    (tmp_path / "pictures" / "4.png").write_text("no picture")
    return tmp_path / "pictures"


@pytest.fixture
def out(tmp_path):
    out = FaceDataSet(tmp_path / "out")
    out.begin({})
    return out


def work(source, out, recipe=FRAGILE):
    counts = Counts()
    with Worker(recipe, out) as worker:
        for task in tasks_of(source, part_size=100):
            counts += worker(task)
    return counts


def statuses(out):
    table = pd.read_parquet(out.where)
    return dict(zip(table["source"], table["status"], strict=True))


def test_a_picture_that_crashes_what_reads_it_costs_a_row(folder, out):
    save(DEADLY_WIDTH, folder / "2.png")
    assert work(folder, out) == Counts(items=6, faces=4, unreadable=2)
    assert statuses(out) == {
        "0.png": "ok",
        "1.png": "ok",
        "2.png": "it ends the program that reads it (SIGKILL)",
        "3.png": "ok",
        "4.png": "its bytes are of no known format",
        "5.png": "ok",
    }


def test_a_crash_that_does_not_come_again_costs_nothing(folder, out, tmp_path):
    save(DEADLY_WIDTH, folder / "2.png")
    once = Recipe(maker=FRAGILE.maker, options={"once": str(tmp_path / "crashed")})
    assert work(folder, out, once) == Counts(items=6, faces=5, unreadable=1)
    assert (tmp_path / "crashed").exists()
    assert statuses(out)["2.png"] == "ok"


def test_a_picture_in_parquet_that_crashes_what_reads_it(tmp_path, out):
    contents = []
    for width in (20, DEADLY_WIDTH, 20):
        file = io.BytesIO()
        Image.new("RGB", (width, 12)).save(file, "PNG")
        contents.append(file.getvalue())
    pq.write_table(pa.table({"image": [*contents, None]}), tmp_path / "faces.parquet")
    assert work(tmp_path / "faces.parquet", out) == Counts(items=4, faces=2, unreadable=2)
    assert statuses(out) == {
        "faces.parquet#0": "ok",
        "faces.parquet#1": "it ends the program that reads it (SIGKILL)",
        "faces.parquet#2": "ok",
        "faces.parquet#3": "the file is empty",
    }


def test_a_damaged_row_group_costs_a_row(tmp_path, out):
    (tmp_path / "sets").mkdir()
    table = pa.table({"image": [os.urandom(2000) for _ in range(6)]})
    file = tmp_path / "sets" / "a.parquet"
    pq.write_table(table, file, row_group_size=3, compression="none", use_dictionary=False)
    content = bytearray(file.read_bytes())
    start = pq.ParquetFile(file).metadata.row_group(1).column(0).data_page_offset
    content[start : start + 40] = b"\xff" * 40
    file.write_bytes(content)
    (tmp_path / "sets" / "b.parquet").write_bytes(b"no Parquet")
    counts = work(f"{tmp_path}/sets/*.parquet", out)
    assert counts == Counts(items=5, faces=0, unreadable=5)
    found = statuses(out)
    assert [found[f"a.parquet#{row}"] for row in range(3)] == [
        "its bytes are of no known format"
    ] * 3
    assert "a.parquet, row group 1" in found
    assert "cannot be read as Parquet" in found["b.parquet, row group 0"]


def test_a_video_has_a_row_a_face_and_frame_and_says_where_it_is_damaged(tmp_path, out):
    folder = tmp_path / "videos"
    folder.mkdir()
    clip = write_clip(folder / "a.mp4", moving_head(50), [n / 25 for n in range(50)])
    content = write_clip(
        folder / "b.mp4", moving_head(50), [n / 25 for n in range(50)], movflags="faststart"
    ).read_bytes()
    (folder / "b.mp4").write_bytes(content[: len(content) * 2 // 3])
    (folder / "c.mp4").write_text("no video")
    recipe = Recipe(maker=FRAGILE.maker, every_s=0.2)
    counts = work(folder, out, recipe)
    assert (counts.items, counts.unreadable) == (3, 2)
    table = pd.read_parquet(out.where).sort_values(["source", "frame"])
    whole = table[table["source"] == clip.name]
    assert whole["status"].tolist() == ["ok"] * 10
    assert whole["frame"].tolist() == list(range(0, 50, 5))
    assert whole["time_s"].tolist() == pytest.approx([n / 5 for n in range(10)], abs=0.001)
    cut = table[table["source"] == "b.mp4"]
    assert cut["status"].iloc[0] == "ok"
    assert "is damaged after" in cut["status"].iloc[-1]
    (bad,) = table.loc[table["source"] == "c.mp4", "status"]
    assert bad.startswith("cannot be read as a video")


def test_a_video_that_crashes_what_reads_it_costs_a_row(tmp_path, out):
    folder = tmp_path / "videos"
    folder.mkdir()
    frames = [np.full((16, DEADLY_WIDTH, 3), 255, np.uint8)] * 3
    write_clip(folder / "a.avi", frames, [0, 0.04, 0.08], size=(DEADLY_WIDTH, 16), codec="mjpeg")
    assert work(folder, out) == Counts(items=1, faces=0, unreadable=1)
    assert statuses(out) == {"a.avi": "it ends the program that reads it (SIGKILL)"}


def test_what_every_worker_would_fail_on_is_raised(folder, out, tmp_path):
    with pytest.raises(ValueError, match="no such network"):
        work(folder, out, Recipe(maker="tests.helpers.fragile:fail"))
    with pytest.raises(ValueError, match=r"gone' is not there on the machine .*all machines share"):
        work(folder, out, Recipe(root=str(tmp_path / "gone")))


def test_the_process_that_reads_ends_with_its_worker(folder, out):
    worker = Worker(FRAGILE, out)
    (task,) = tasks_of(folder, part_size=100)
    worker(task)
    child = worker._child._process
    assert child.poll() is None
    worker.close()
    assert child.poll() == -signal.SIGKILL


def test_what_is_odd_about_a_picture_is_said_in_a_line(tmp_path, out, capfd):
    (tmp_path / "two").mkdir()
    pages = [Image.new("RGB", (20, 12), color) for color in ("white", "red")]
    pages[0].save(tmp_path / "two" / "a.gif", save_all=True, append_images=pages[1:])
    work(tmp_path / "two", out)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: source: ")
    assert "a.gif' holds 2 pictures, of which the first is taken." in line
