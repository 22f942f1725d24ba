import numpy as np
import pytest

from fer_utils.faces.boxes import FaceBox
from fer_utils.video.tracking import FaceTracker
from tests.helpers.stand_ins import face_at

SIZE = (1000, 200)
WALL = np.zeros((*SIZE[::-1], 3), np.uint8)


def test_what_is_known_of_those_who_left_is_dropped():
    tracker = FaceTracker(keep_s=1)
    image = np.zeros((100, 5000, 3), np.uint8)
    for number in range(20):
        assert tracker.update(image, [face_at(200 * number, 10, 40)], 2.0 * number) == [number]
        assert tracker.ids == {number}


def test_a_walker_is_expected_where_constant_velocity_leads():
    tracker = FaceTracker(keep_s=1)
    image = np.zeros((200, 1000, 3), np.uint8)
    for number in range(30):
        tracker.update(image, [face_at(100 + 10 * number, 50, 60)], number / 10)
    (face,) = tracker.expected(3.0, (1000, 200))
    assert face.box[0] == pytest.approx(400, abs=2)
    assert face.keypoints["nose_tip"][0] == pytest.approx(430, abs=2)
    (face,) = tracker.expected(8.5, (1000, 200))
    assert face.box[0] + face.box[2] == 1000
    assert tracker.expected(30, (1000, 200)) == []


def left_part(face: FaceBox, share: float) -> FaceBox:
    """What is seen of a face while something stands before its right."""
    x, y, w, h = face.box
    return FaceBox((x, y, round(share * w), h), face.score, face.keypoints)


def test_a_face_that_is_partly_hidden_is_not_expected_to_move():
    tracker = FaceTracker(keep_s=1)
    face = face_at(400, 50, 60)
    for number, share in enumerate([1, 1, 1, 0.7, 0.6, 0.5]):
        assert tracker.update(WALL, [left_part(face, share)], number / 10) == [0]
    (expected,) = tracker.expected(1.5, SIZE)
    assert expected.box == left_part(face, 0.5).box


def test_who_walks_and_comes_a_little_nearer_is_expected_ahead():
    tracker = FaceTracker(keep_s=1)
    for number in range(20):
        tracker.update(WALL, [face_at(100 + 10 * number, 50, 60 + number)], number / 10)
    (expected,) = tracker.expected(2.9, SIZE)
    assert expected.box[0] == pytest.approx(390, abs=10)
