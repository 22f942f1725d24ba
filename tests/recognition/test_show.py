import re

import numpy as np
import pytest

import fer_utils as fer
from fer_utils.recognition.drawing import draw_faces
from fer_utils.recognition.recognizer import FaceList
from tests.helpers.portraits import NOBODY, PAIR
from tests.helpers.stand_ins import quick_recognizer


def test_one_call_finds_recognises_and_draws(tmp_path, detector):
    recognizer = quick_recognizer(detector)
    seen = fer.show(PAIR, recognizer=recognizer)
    assert isinstance(seen.faces, FaceList)
    assert seen.faces == recognizer.recognize(PAIR)
    np.testing.assert_array_equal(seen.picture, draw_faces(PAIR, seen.faces))
    saved = fer.load_image(seen.save(tmp_path / "out.png"))
    np.testing.assert_array_equal(saved, seen.picture)
    assert [face.crop.shape for face in seen.faces] == [(48, 48)] * 2


def test_it_shows_the_picture_and_its_faces(detector):
    seen = fer.show(PAIR, recognizer=quick_recognizer(detector))
    titles = re.findall("<b>(.*?)</b>", seen._repr_html_())
    assert [title[:2] for title in titles] == ["1:", "2:"]
    assert len(re.findall('<img alt=".+?"', seen._repr_html_())) == 3
    assert repr(seen).startswith("Picture of 600x300 px with the faces\n[1: ")


def test_a_picture_of_nobody_is_shown_as_it_is(detector):
    seen = fer.show(NOBODY, recognizer=quick_recognizer(detector))
    assert seen.faces == []
    np.testing.assert_array_equal(seen.picture, NOBODY)
    assert "No face found." in seen._repr_html_()


@pytest.mark.slow
def test_without_a_recognizer_the_shipped_one_is_loaded_once():
    seen = fer.show(PAIR)
    assert seen.faces == fer.EmotionRecognizer.load().recognize(PAIR)
    assert fer.show(PAIR[:, ::-1, ::-1], color="bgr").picture.shape == PAIR.shape


def test_what_is_no_recognizer_is_refused():
    with pytest.raises(TypeError, match="recognizer must be an EmotionRecognizer, got str"):
        fer.show(PAIR, recognizer="vote.json")
