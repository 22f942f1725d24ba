import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from fer_utils.bulk.parquet_output import SETTINGS_FILE, FaceDataSet, column_types, to_table
from fer_utils.emotions import EMOTIONS
from fer_utils.recognition.folder import recognize_folder
from tests.helpers.stand_ins import quick_recognizer

SETTINGS = {"networks": [[0.5, 0.5]], "min_confidence": 0.0, "source": "photos"}


def face(name, top, face_id=0):
    probabilities = [0.4 if emotion == top else 0.1 for emotion in EMOTIONS]
    return [name, "ok", face_id, 1, 2, 30, 40, *probabilities, top, top, None, None]


def rows_of(*rows):
    return to_table(rows, EMOTIONS)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_columns_are_those_of_a_folder_and_a_videos_time(tmp_path):
    (tmp_path / "empty").mkdir()
    table = recognize_folder(tmp_path / "empty", recognizer=quick_recognizer(), progress=False)
    FaceDataSet(tmp_path / "out").begin(SETTINGS)
    FaceDataSet(tmp_path / "out").write("a", rows_of(["x", "no face"]))
    read = pd.read_parquet(tmp_path / "out")
    assert list(read.columns) == [*table.columns, "frame", "time_s"]
    pd.testing.assert_series_equal(read.dtypes[:-2], table.dtypes)
    assert column_types(EMOTIONS) == read.dtypes.to_dict()


def test_who_asks_for_an_emotion_reads_its_rows_alone(tmp_path):
    rows = [face("b", "happy"), ["c", "no face"], face("a", "fear"), face("d", "happy")]
    out = FaceDataSet(tmp_path / "out")
    out.begin(SETTINGS)
    out.write("key", rows_of(*rows))
    part = pq.ParquetFile(tmp_path / "out" / "part-key.parquet")
    column = list(column_types(EMOTIONS)).index("top")
    groups = [part.metadata.row_group(number) for number in range(part.num_row_groups)]
    ranges = [
        (group.column(column).statistics.min, group.column(column).statistics.max, group.num_rows)
        for group in groups
    ]
    assert ranges == [("fear", "fear", 1), ("happy", "happy", 2), (None, None, 1)]
    happy = pd.read_parquet(tmp_path / "out", filters=[("top", "==", "happy")])
    assert happy["source"].tolist() == ["b", "d"]
    assert happy.loc[0, "p_happy"] == 0.4


def test_a_part_that_is_there_is_done_and_others_are_taken_away_in_the_end(tmp_path):
    out = FaceDataSet(tmp_path / "deep" / "out")
    assert out.begin(SETTINGS) == set()
    for key in ("a", "b"):
        out.write(key, rows_of(face(key, "sad")))
    (tmp_path / "deep" / "out" / "_tmp.left").write_bytes(b"half a part")
    again = FaceDataSet(tmp_path / "deep" / "out")
    assert again.begin(SETTINGS) == {"a", "b"}
    again.write("c", rows_of())
    again.finish({"b", "c"})
    assert names(tmp_path / "deep" / "out") == [
        SETTINGS_FILE,
        "part-b.parquet",
        "part-c.parquet",
    ]
    assert pd.read_parquet(tmp_path / "deep" / "out")["source"].tolist() == ["b"]


def test_a_part_that_another_machine_wrote_elsewhere_is_missed(tmp_path):
    out = FaceDataSet(tmp_path)
    out.begin(SETTINGS)
    out.write("a", rows_of())
    with pytest.raises(ValueError, match=r"lacks 1 parts.*part-b\.parquet.*all machines share"):
        out.finish({"b"})
    assert names(tmp_path) == [SETTINGS_FILE, "part-a.parquet"]


def test_what_was_not_written_here_is_left_alone(tmp_path):
    (tmp_path / "part-1.parquet").write_bytes(b"somebody's")
    with pytest.raises(ValueError, match=r"holds part-1\.parquet and no .*is left alone"):
        FaceDataSet(tmp_path).begin(SETTINGS)
    assert names(tmp_path) == ["part-1.parquet"]


def test_other_settings_are_not_mixed(tmp_path):
    FaceDataSet(tmp_path).begin(SETTINGS)
    rounded = SETTINGS | {"networks": [[0.5002, 0.4998]]}
    assert FaceDataSet(tmp_path).begin(rounded) == set()
    message = r"different min_confidence \(min_confidence: 0\.0, now 0\.5\); name another folder"
    with pytest.raises(ValueError, match=message):
        FaceDataSet(tmp_path).begin(SETTINGS | {"min_confidence": 0.5})


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"networks": []})])
def test_damaged_settings_are_said(tmp_path, content):
    (tmp_path / SETTINGS_FILE).write_text(content)
    with pytest.raises(ValueError, match=r"_bulk\.settings\.json in .* is damaged"):
        FaceDataSet(tmp_path).begin(SETTINGS)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("file", "out must be a folder, .*file' is a file"),
        ("file/deeper", "out: .*deeper' cannot be written"),
        ("/proc/out", "out: '/proc/out' cannot be written"),
    ],
)
def test_places_that_cannot_be_written(tmp_path, where, message):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=message):
        FaceDataSet(tmp_path / where).begin(SETTINGS)
