import numpy as np
import pytest
from PIL import Image
from portraits import ASTRONAUT, HOPPER, NOBODY
from sklearn.datasets import load_sample_image

from fer_utils.detector import FaceDetector
from fer_utils.faces import KEYPOINTS


@pytest.mark.parametrize(
    ("image", "eye_box"),
    [(ASTRONAUT, (190, 95, 255, 120)), (HOPPER, (200, 170, 330, 205))],
    ids=["astronaut", "grace_hopper"],
)
def test_a_portrait_has_one_face_with_its_eyes_in_place(detector, image, eye_box):
    (face,) = detector.detect(image)
    assert face.score > 0.8
    assert all(type(value) is int for value in face.box)
    assert tuple(face.keypoints) == KEYPOINTS
    left, top, right, bottom = eye_box
    for x, y in (face.keypoints["right_eye"], face.keypoints["left_eye"]):
        assert left < x < right
        assert top < y < bottom
    # The person's right eye stands on the picture's left.
    assert face.keypoints["right_eye"][0] < face.keypoints["left_eye"][0]


@pytest.mark.parametrize(
    "image",
    [
        load_sample_image("china.jpg"),
        load_sample_image("flower.jpg"),
        NOBODY,
        np.zeros((1, 1, 3), np.uint8),
    ],
    ids=["china", "flower", "cat", "one pixel"],
)
def test_no_face_gives_an_empty_list(detector, image):
    assert detector.detect(image) == []


def test_faces_come_from_left_to_right(detector):
    pair = [HOPPER[80:380, 110:410], ASTRONAUT[:300, 70:370]]
    for portraits in (pair, pair[::-1]):
        left, right = detector.detect(np.hstack(portraits))
        assert left.box[0] + left.box[2] < portraits[0].shape[1] < right.box[0]


def test_detection_is_deterministic(detector):
    assert detector.detect(ASTRONAUT) == detector.detect(ASTRONAUT.copy())
    with FaceDetector() as other:
        assert other.detect(ASTRONAUT) == detector.detect(ASTRONAUT)


def test_a_sideways_photo_is_found_by_its_exif_orientation(detector, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer must turn it clockwise
    path = tmp_path / "sideways.png"
    Image.fromarray(np.rot90(ASTRONAUT)).save(path, exif=exif)
    assert detector.detect(path) == detector.detect(ASTRONAUT)


def test_min_confidence_leaves_out_less_certain_faces():
    with FaceDetector(min_confidence=0.99) as strict:
        assert strict.detect(ASTRONAUT) == []


@pytest.mark.parametrize("min_confidence", [-0.1, 1.1, float("nan"), "high"])
def test_impossible_confidences_are_refused(min_confidence):
    with pytest.raises(ValueError, match="min_confidence must be a number between 0 and 1"):
        FaceDetector(min_confidence)


def test_a_closed_detector_says_so_and_may_be_closed_again():
    detector = FaceDetector()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="closed; make a new one"):
        detector.detect(ASTRONAUT)
