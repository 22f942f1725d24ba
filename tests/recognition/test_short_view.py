import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_utils import images
from fer_utils.emotions import EMOTIONS
from fer_utils.images import _read
from fer_utils.recognition.folder import recognize_folder
from fer_utils.recognition.recognizer import FaceEmotion
from fer_utils.recognition.short_view import short_view
from fer_utils.recognition.tables import to_frame
from fer_utils.video.stream import TrackedFace
from fer_utils.video.tables import FaceTable
from tests.helpers.portraits import ASTRONAUT, NOBODY
from tests.helpers.stand_ins import quick_recognizer


def face(top: str = "happy", *, is_sure: bool = True, box=(10, 20, 30, 40)) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, 0.1) | {top: 0.4}
    return FaceEmotion(box, 0.9, emotions, is_sure=is_sure)


def test_a_row_says_who_what_and_how_sure():
    table = to_frame([[face()], [face(), face("sad", is_sure=False)]], ["a.jpg", "b.jpg"])
    assert short_view(table).table.values.tolist() == [
        ["a.jpg", "1", "happy", "40%"],
        ["b.jpg", "1", "happy", "40%"],
        ["b.jpg", "2", "unsure (sad)", "40%"],
    ]
    assert repr(short_view(table)).splitlines()[0].split() == ["source", "face", "label", "share"]


def test_a_folder_shows_thumbnails_and_what_could_not_be_read(tmp_path):
    Image.fromarray(ASTRONAUT).save(tmp_path / "astronaut.png")
    (tmp_path / "broken.png").write_text("no picture")
    table = recognize_folder(tmp_path, recognizer=quick_recognizer(), progress=False)
    view = short_view(table, pictures=tmp_path)
    assert view.table["face"].tolist() == ["1", ""]
    assert view.table["label"].tolist()[1].startswith("its bytes are of no known format")
    html = view._repr_html_()
    assert html.count("<img") == 1
    assert html.index("<img") < html.index("astronaut.png") < html.index("broken.png")


def test_pictures_may_be_given_by_name():
    table = to_frame([[face()], [face()]], ["a", "<b>"])
    html = short_view(table, pictures={"a": ASTRONAUT})._repr_html_()
    assert html.count("<img") == 1
    assert "&lt;b&gt;" in html
    assert "<img" not in short_view(table, pictures={})._repr_html_()


def test_of_two_pictures_of_one_name_the_face_keeps_its_thumbnail():
    table = to_frame([[face()], [face()]], ["a", "a"]).assign(status="no face")
    table["face_id"] = [np.nan, 0]  # as of two frames, in the first of which there is nobody
    assert short_view(table, pictures={"a": ASTRONAUT})._repr_html_().count("<img") == 1


def test_a_picture_of_several_faces_is_read_once(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.fromarray(NOBODY).save(tmp_path / name)
    read = []
    monkeypatch.setattr(images, "_read", lambda source: read.append(source.name) or _read(source))
    table = to_frame([[face()] * 3, [face()] * 2], ["a.png", "b.png"])
    assert short_view(table, pictures=tmp_path)._repr_html_().count("<img") == 5
    assert read == ["a.png", "b.png"]


def test_a_face_at_the_border_has_a_thumbnail():
    table = to_frame([face(box=(0, 0, 30, 30))], "a")
    assert "<img" in short_view(table, pictures={"a": NOBODY})._repr_html_()


def test_many_rows_are_counted_and_not_shown():
    view = short_view(to_frame([[face()]] * 1100))
    assert len(view.table) == 1100
    assert repr(view).splitlines()[-1] == "... and 1,050 more."
    assert len(repr(view).splitlines()) == 52
    assert len(re.findall("<tr>", view._repr_html_())) == 51


def test_a_face_of_a_video_has_one_row():
    table = FaceTable("a.mp4")
    for frame, top in enumerate(["sad", "happy", "happy", "happy"]):
        plain = face(top)
        table.add(
            frame, frame / 2, [TrackedFace(plain.box, 0.9, plain.emotions, 4, plain.emotions, top)]
        )
    view = short_view(table.to_frame())
    assert view.table.values.tolist() == [["a.mp4", "5", "0.0", "1.5", "happy", "75%"]]
    assert "mostly" in view._repr_html_()


def test_no_face_is_said_in_words():
    view = short_view(to_frame([]))
    assert repr(view) == "No face found."
    assert view._repr_html_() == "<p>No face found.</p>"


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ("faces.csv", TypeError, "table must be a DataFrame, .* got str; read a CSV"),
        (pd.DataFrame({"source": ["a"]}), ValueError, "it lacks .'face_id'"),
    ],
)
def test_what_is_no_table_of_faces_is_refused(table, error, match):
    with pytest.raises(error, match=match):
        short_view(table)
