import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from fer_utils.emotions import EMOTION_COLORS, EMOTIONS
from fer_utils.recognition.face_html import to_html
from fer_utils.recognition.recognizer import FaceEmotion, FaceList

CROP = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)


def make_face(top: str = "happy", confidence: float = 0.94, **options) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, (1 - confidence) / 6) | {top: confidence}
    return FaceEmotion((10, 20, 90, 80), 0.9, emotions, **options)


def parsed(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.sub(r"(<img[^>]*)>", r"\1/>", html))


def test_a_face_has_its_thumbnail_its_label_and_a_bar_for_each_emotion():
    face = make_face("sad", 0.88, crop=CROP)
    page = parsed(face._repr_html_())
    (image,) = page.iter("img")
    png = base64.b64decode(image.get("src").removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), CROP)
    assert image.get("alt") == page.find(".//b").text == "sad 88%"
    assert [span.text for span in page.iter("span")][::2] == list(EMOTIONS)
    assert [span.text for span in page.iter("span")][1::2] == ["2%"] * 4 + ["88%", "2%", "2%"]
    widths = re.findall(r"width:(\d+)%;background:(#\w+)", face._repr_html_())
    assert widths[4] == ("88", EMOTION_COLORS["sad"])


def test_several_faces_are_numbered_from_one():
    page = parsed(FaceList([make_face(), make_face("fear", 0.4)])._repr_html_())
    assert [title.text for title in page.iter("b")] == ["1: happy 94%", "2: fear 40%"]
    assert not list(page.iter("img"))  # these have no crop


@pytest.mark.parametrize(("is_sure", "line"), [(True, "solid"), (False, "dashed")])
def test_an_unsure_face_has_a_dashed_border(is_sure, line):
    html = to_html([make_face(is_sure=is_sure)])
    assert f"border:2px {line} {EMOTION_COLORS['happy']}" in html


def test_no_face_is_said_in_words():
    assert FaceList()._repr_html_() == "<p>No face found.</p>"


def test_faces_print_briefly():
    one, two = make_face(), make_face("sad", 0.34, is_sure=False)
    assert repr(one) == "<happy 94% at (10, 20), 90x80 px>"
    assert repr(FaceList([one, two])) == (
        "[1: happy 94% at (10, 20), 90x80 px,\n 2: unsure (sad 34%) at (10, 20), 90x80 px]"
    )
    assert repr(FaceList()) == "[]"
