import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer_utils.bulk import source as source_module
from fer_utils.bulk.places import Place
from fer_utils.bulk.source import Task, pictures_in, tasks_of


def names_of(tasks):
    return [[item.name for item in task.items] for task in tasks]


def all_names(source, **options):
    return [item.name for task in tasks_of(source, part_size=4, **options) for item in task.items]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a/x.PNG", "a/clip.mp4", "notes.txt", ".hidden/c.jpg", "a/deep/y.webp"):
        file = tmp_path / "archive" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path / "archive"


def png(width: int = 4) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, 3)).save(file, "PNG")
    return file.getvalue()


def test_a_folder_gives_pictures_together_and_each_video_alone(folder):
    tasks = list(tasks_of(folder, part_size=100))
    assert names_of(tasks) == [["a/clip.mp4"], ["a/deep/y.webp", "a/x.PNG", "b.jpg"]]
    assert [task.is_video for task in tasks] == [True, False]


def test_a_folder_at_an_address_is_listed_as_one_here(folder, monkeypatch):
    here = [[item[0] for item in task.items] for task in tasks_of(folder, part_size=100)]

    def place_of(where, argument="source"):  # as if the file system were another one
        files = pa.fs.SubTreeFileSystem(str(folder.parent), pa.fs.LocalFileSystem())
        return Place(files, where.removeprefix("s3://"))

    monkeypatch.setattr(source_module, "place_of", place_of)
    tasks = list(tasks_of("s3://archive/", part_size=100))
    assert names_of(tasks) == here
    assert [item.where for item in tasks[1].items] == [
        f"s3://archive/{name}" for name in ("a/deep/y.webp", "a/x.PNG", "b.jpg")
    ]
    assert all_names("s3://archive/a/**/*.webp") == ["deep/y.webp"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["b.jpg"]),
        ("**/*", ["a/clip.mp4", "a/deep/y.webp", "a/x.PNG", "b.jpg"]),
        ("a/*", ["clip.mp4", "x.PNG"]),
        ("a/[!c]*.PNG", ["x.PNG"]),
        ("?.jpg", ["b.jpg"]),
        ("[ab].jpg", ["b.jpg"]),
        ("[c-z].jpg", []),
        ("*", ["b.jpg"]),
    ],
)
def test_a_glob(folder, pattern, expected):
    assert all_names(f"{folder}/{pattern}") == expected


def test_a_name_with_brackets_that_is_there_is_no_glob(tmp_path):
    (tmp_path / "[ab].jpg").write_bytes(b"x")
    assert all_names(tmp_path / "[ab].jpg") == ["[ab].jpg"]


def test_a_list_is_seen_from_its_folder_and_names_each_once(folder):
    listed = folder / "list.txt"
    listed.write_text(f"\ufeffb.jpg\n\n a/x.PNG \nb.jpg\n{folder}/a/clip.mp4\nodd.dat\n")
    tasks = list(tasks_of(listed, part_size=100))
    assert names_of(tasks) == [[f"{folder}/a/clip.mp4"], ["b.jpg", "a/x.PNG", "odd.dat"]]
    assert tasks[1].items[1].where == str(folder / "a" / "x.PNG")


def test_parts_have_about_the_wanted_size(tmp_path):
    listed = tmp_path / "list.lst"
    listed.write_text("\n".join(f"{number}.jpg" for number in range(5000)))
    tasks = list(tasks_of(listed, part_size=50))
    found = [item.name for task in tasks for item in task.items]
    assert found == [f"{number}.jpg" for number in range(5000)]
    sizes = [len(task.items) for task in tasks]
    assert max(sizes) <= 100
    assert min(sizes[:-1]) >= 25
    assert 40 <= sum(sizes) / len(sizes) <= 60


def test_a_file_more_changes_one_part(tmp_path):
    listed = tmp_path / "list.txt"
    names = [f"{number:04}.jpg" for number in range(1000)]
    listed.write_text("\n".join(names))
    before = {task.key for task in tasks_of(listed, part_size=20)}
    listed.write_text("\n".join([*names[:500], "0499a.jpg", *names[500:]]))
    after = {task.key for task in tasks_of(listed, part_size=20)}
    assert len(after - before) <= 2
    assert len(before) > 40


def test_another_time_of_change_is_another_key(folder):
    def keys():
        return [task.key for task in tasks_of(folder, part_size=100)]

    before = keys()
    assert keys() == before
    os.utime(folder / "b.jpg", ns=(0, 0))
    after = keys()
    assert (after[0], after[1]) == (before[0], after[1])
    assert after[1] != before[1]


def test_a_task_travels_as_text(folder):
    for task in tasks_of(folder, part_size=100):
        assert Task.from_json(task.to_json()) == task
    assert Task.from_json(Task((), 3, "image.bytes").to_json()) == Task((), 3, "image.bytes")


@pytest.mark.parametrize("nested", [False, True])
def test_pictures_in_parquet_are_read_a_row_group_at_a_time(tmp_path, nested):
    contents = [png(width) for width in range(1, 8)]
    images = [{"bytes": one, "path": "x"} for one in contents] if nested else contents
    table = pa.table({"id": range(7), "image": images})
    pq.write_table(table, tmp_path / "faces.parquet", row_group_size=3)
    tasks = list(tasks_of(tmp_path / "faces.parquet", part_size=100))
    assert [task.row_group for task in tasks] == [0, 1, 2]
    assert len({task.key for task in tasks}) == 3
    found = [pair for task in tasks for pair in pictures_in(task, 0)]
    assert found == [(f"faces.parquet#{row}", content) for row, content in enumerate(contents)]
    assert list(pictures_in(tasks[1], 2)) == [("faces.parquet#5", contents[5])]


def test_paths_in_parquet(folder):
    table = pa.table({"path": ["b.jpg", None, "a/x.PNG"], "size": [1, 2, 3]})
    pq.write_table(table, folder / "list.parquet")
    assert all_names(folder / "list.parquet") == ["b.jpg", "a/x.PNG"]
    assert all_names(f"{folder}/*.parquet") == ["b.jpg", "a/x.PNG"]


def test_of_two_columns_one_must_be_named(folder):
    table = pa.table({"path": ["b.jpg"], "title": ["a/x.PNG"], "size": [1]})
    pq.write_table(table, folder / "list.parquet")
    with pytest.raises(ValueError, match="columns path, title, size; column must say which"):
        all_names(folder / "list.parquet")
    assert all_names(folder / "list.parquet", column="title") == ["a/x.PNG"]


def test_bytes_come_before_text(folder):
    pq.write_table(pa.table({"name": ["x"], "image": [png()]}), folder / "faces.parquet")
    (task,) = tasks_of(folder / "faces.parquet", part_size=1)
    assert (task.column, task.row_group) == ("image", 0)


def test_a_damaged_file_among_others_is_left_to_who_does_its_task(folder):
    pq.write_table(pa.table({"image": [png()]}), folder / "good.parquet")
    (folder / "bad.parquet").write_bytes(b"PAR1 and no more")
    bad, good = tasks_of(f"{folder}/*.parquet", part_size=1)
    assert (bad.items[0].name, bad.row_group) == ("bad.parquet", 0)
    assert [name for name, _ in pictures_in(good, 0)] == ["good.parquet#0"]
    with pytest.raises(ValueError, match=r"bad\.parquet' cannot be read as Parquet"):
        list(pictures_in(bad, 0))


@pytest.mark.parametrize(
    ("name", "column", "error", "message"),
    [
        ("nowhere", None, FileNotFoundError, "nothing at .*nowhere.*check the path"),
        ("no/*.jpg", None, FileNotFoundError, "no folder .*no'"),
        ("no.parquet", None, FileNotFoundError, "no file .*no.parquet"),
        ("bad.parquet", None, ValueError, "bad.parquet' cannot be read as Parquet"),
        ("numbers.parquet", None, ValueError, "columns a; none of them holds the pictures'"),
        ("numbers.parquet", "image", ValueError, "column='image' is none of them"),
        ("notes.pdf", None, ValueError, "no folder, no picture or video, no .txt"),
        ("b.jpg", "image", ValueError, "column='image' names a column of Parquet files"),
        ("latin.txt", None, ValueError, "no list of paths in UTF-8 text"),
    ],
)
def test_sources_that_are_none(folder, name, column, error, message):
    (folder / "bad.parquet").write_bytes(b"x" * 100)
    (folder / "notes.pdf").write_bytes(b"x")
    (folder / "latin.txt").write_bytes("Zoë.jpg".encode("latin-1"))
    pq.write_table(pa.table({"a": [1]}), folder / "numbers.parquet")
    with pytest.raises(error, match=message):
        all_names(folder / name, column=column)
