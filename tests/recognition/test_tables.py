import numpy as np
import pandas as pd
import pytest

from fer_utils.emotions import EMOTIONS
from fer_utils.recognition.recognizer import FaceEmotion
from fer_utils.recognition.tables import to_frame
from fer_utils.video.frames import VideoFrame
from fer_utils.video.stream import TrackedFace
from fer_utils.video.tables import TRACKED_COLUMNS, FaceTable

PICTURE = np.zeros((40, 30, 3), np.uint8)

COLUMNS = ["source", "frame", "time_s", "face_id", "x", "y", "w", "h"]
COLUMNS += [f"p_{name}" for name in EMOTIONS] + ["top", "label"]


def face(box=(1, 2, 30, 40), *, is_sure: bool = True, **more) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, 0.1) | {"happy": 0.4} | more
    return FaceEmotion(box, 0.9, emotions, is_sure=is_sure)


def test_one_picture_as_a_table():
    table = to_frame([face(), face((5, 6, 7, 8), sad=0.5)], "a.jpg")
    assert list(table.columns) == COLUMNS
    assert table["source"].tolist() == ["a.jpg"] * 2
    assert table["face_id"].tolist() == [0, 1]
    assert table[["x", "y", "w", "h"]].to_numpy().tolist() == [[1, 2, 30, 40], [5, 6, 7, 8]]
    assert table["top"].tolist() == ["happy", "sad"]
    assert table["p_sad"].tolist() == [0.1, 0.5]


def test_several_pictures_as_a_table():
    table = to_frame([[face()], [], [face(), face()]], ["a.jpg", "b.jpg", "c.jpg"])
    assert table["source"].tolist() == ["a.jpg", "c.jpg", "c.jpg"]
    assert table["face_id"].tolist() == [0, 0, 1]
    assert to_frame([[face()], [], [face()]])["source"].tolist() == ["0", "2"]


def test_an_unsure_face_keeps_its_top():
    table = to_frame([face(), face(is_sure=False)])
    assert table[["top", "label"]].values.tolist() == [["happy", "happy"], ["happy", "unsure"]]


def test_generators_become_the_same_table():
    one, several = [face(), face((5, 6, 7, 8))], [[face()], [], [face()]]
    pd.testing.assert_frame_equal(to_frame(iter(one)), to_frame(one))
    pd.testing.assert_frame_equal(to_frame(map(iter, several)), to_frame(several))


def video_frames(*indices: int) -> list[VideoFrame]:
    return [VideoFrame(index, index / 10, PICTURE) for index in indices]


def test_the_frames_of_a_video_as_a_table():
    faces = [[face()], [], [face(), face()]]
    table = to_frame(faces, "clip.mp4", frames=iter(video_frames(0, 5, 10)))
    assert list(table.columns) == COLUMNS
    assert table["source"].tolist() == ["clip.mp4"] * 3
    assert table["frame"].tolist() == [0, 10, 10]
    assert table["time_s"].tolist() == [0.0, 1.0, 1.0]
    assert table["face_id"].tolist() == [0, 0, 1]
    assert set(to_frame(faces, frames=video_frames(0, 5, 10))["source"]) == {"video"}
    pd.testing.assert_series_equal(table.dtypes, to_frame(faces).dtypes)


@pytest.mark.parametrize(
    ("source", "frames", "error", "message"),
    [
        ("a.mp4", video_frames(0), ValueError, "got 1 for 2 pictures"),
        ("a.mp4", [], ValueError, "got 0 for 2 pictures"),
        ("a.mp4", [PICTURE, PICTURE], TypeError, "as read_video gives them, got ndarray"),
        ("a.mp4", 7, TypeError, "as read_video gives them, got int"),
        (["a", "b"], video_frames(0, 1), TypeError, "source must be one name, got list"),
    ],
)
def test_frames_that_do_not_fit_are_refused(source, frames, error, message):
    with pytest.raises(error, match=message):
        to_frame([[face()], [face()]], source, frames=frames)


@pytest.mark.parametrize("faces", [face(), None, "a.jpg", face().to_dict(), [None]])
def test_what_is_no_list_of_faces_makes_no_table(faces):
    with pytest.raises(TypeError, match="faces must be a list of FaceEmotion"):
        to_frame(faces)


@pytest.mark.parametrize("faces", [[], [[]], [[], []]])
def test_a_table_without_faces_has_the_same_columns_and_types(faces):
    empty = to_frame(faces)
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, to_frame([face()]).dtypes)


@pytest.mark.parametrize("source", ["a.jpg", ["a.jpg"], ["a.jpg", "b.jpg", "c.jpg"]])
def test_each_picture_needs_one_source(source):
    with pytest.raises(ValueError, match="for 2 pictures"):
        to_frame([[face()], [face()]], source)


def test_a_source_is_a_name_that_a_csv_can_hold():
    with pytest.raises(TypeError, match="source must be a name or a list of them, got int"):
        to_frame([face()], 5)
    for frames in ({}, {"frames": video_frames(0)}):
        table = to_frame([[face()]], "bad\udcff.jpg", **frames)
        assert table["source"].tolist() == ["bad\\udcff.jpg"]


def test_only_faces_go_into_a_table():
    with pytest.raises(TypeError, match="FaceEmotion records, got dict"):
        to_frame([[face().to_dict()]])


def tracked(face_id: int, top: str = "sad", *, is_sure: bool = True) -> TrackedFace:
    smoothed = dict.fromkeys(EMOTIONS, 0.1) | {"happy": 0.4}
    raw = dict.fromkeys(EMOTIONS, 0.0) | {"fear": 1.0}
    return TrackedFace((1, 2, 30, 40), 0.9, smoothed, face_id, raw, top, is_sure=is_sure)


def test_tracked_faces_keep_their_ids():
    table = to_frame([[tracked(3)], [tracked(3), tracked(8)]], "a.mp4", frames=video_frames(0, 1))
    assert table["face_id"].tolist() == [3, 3, 8]
    assert set(table["top"]) == {"sad"}


def test_a_table_of_a_video_grows_frame_by_frame():
    table = FaceTable("a.mp4")
    empty = table.to_frame()
    (row,) = table.add(0, 0.0, [tracked(0)])
    assert table.add(1, 0.04, []) == []
    table.add(2, 0.08, [tracked(0, is_sure=False), tracked(1, "happy")])
    frame = table.to_frame()
    assert tuple(frame.columns) == TRACKED_COLUMNS
    assert tuple(frame.iloc[0]) == row
    assert frame["frame"].tolist() == [0, 2, 2]
    assert frame["face_id"].tolist() == [0, 0, 1]
    assert frame["top"].tolist() == ["sad", "sad", "happy"]
    assert frame["label"].tolist() == ["sad", "unsure", "happy"]
    assert set(frame["raw_fear"]) == {1.0}
    assert set(frame["p_happy"]) == {0.4}
    pd.testing.assert_series_equal(empty.dtypes, frame.dtypes)
    # Shared columns have the types of still pictures' tables.
    shared = to_frame([face()]).dtypes
    pd.testing.assert_series_equal(frame.dtypes[shared.index], shared)
