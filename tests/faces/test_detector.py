import copy
import pickle

import numpy as np
import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from fer_utils.faces.boxes import KEYPOINTS, FaceBox, overlap
from fer_utils.faces.detector import FaceDetector
from tests.helpers.portraits import ASTRONAUT, HOPPER, NOBODY

WIDE = (1920, 1080)


@pytest.fixture(scope="module")
def thorough():
    with FaceDetector(thorough=True) as detector:
        yield detector


def shrunk(detector, image: np.ndarray, face_px: int) -> tuple[Image.Image, tuple[int, ...]]:
    """A portrait whose face's box is `face_px` wide, and that box."""
    (face,) = detector.detect(image)
    factor = face_px / face.box[2]
    picture = Image.fromarray(image)
    size = tuple(round(factor * side) for side in picture.size)
    return picture.resize(size, reducing_gap=3), tuple(round(factor * v) for v in face.box)


def scene(cut: Image.Image, *corners: tuple[int, int]) -> np.ndarray:
    """A large photograph without people, and a picture pasted at some places of it."""
    picture = Image.fromarray(load_sample_image("china.jpg")).resize(WIDE)
    for corner in corners:
        picture.paste(cut, corner)
    return np.asarray(picture)


def moved(box: tuple[int, ...], by: tuple[int, int]) -> FaceBox:
    x, y, w, h = box
    return FaceBox((x + by[0], y + by[1], w, h), 0.9, dict.fromkeys(KEYPOINTS, (0.0, 0.0)))


def assert_found(found: list[FaceBox], wanted: list[FaceBox]) -> None:
    """One box for each wanted face, in its place, and no other."""
    assert len(found) == len(wanted)
    for face in wanted:
        assert max(overlap(face, other) for other in found) > 0.5


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


def test_min_score_leaves_out_less_certain_faces():
    with FaceDetector(min_score=0.99) as strict:
        assert strict.detect(ASTRONAUT) == []


def test_a_clear_face_may_fall_short_by_5_points_in_the_closer_look(detector):
    (face,) = detector.detect(HOPPER)  # at first sight it scores 0.1 more
    for more, found in [(0.04, [face]), (0.06, [])]:
        with FaceDetector(face.score + more) as stricter:
            assert stricter.detect(HOPPER) == found


@pytest.mark.parametrize("min_score", [-0.1, 1.1, float("nan")])
def test_impossible_scores_are_refused(min_score):
    with pytest.raises(ValueError, match="min_score must be between 0 and 1"):
        FaceDetector(min_score)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="min_score must be a number, got str"):
        FaceDetector("high")


def test_a_closed_detector_says_so_and_may_be_closed_again():
    detector = FaceDetector()
    detector.close()
    detector.close()
    for look in (detector.detect, lambda image: detector.follow(image, [])):
        with pytest.raises(ValueError, match="closed; make a new one"):
            look(ASTRONAUT)


def test_pickled_and_copied_it_is_its_settings(thorough):
    with FaceDetector(0.7, thorough=True) as detector:
        pickled = pickle.dumps(detector)
        copies = [copy.copy(detector), copy.deepcopy(detector)]
    for other in (pickle.loads(pickled), *copies):
        with other:
            assert (other.min_score, other.thorough) == (0.7, True)
            assert other.detect(ASTRONAUT) == thorough.detect(ASTRONAUT)
    with pytest.raises(ValueError, match="closed; make a new one"):
        pickle.dumps(detector)


@pytest.mark.parametrize("image", [ASTRONAUT, HOPPER], ids=["astronaut", "grace_hopper"])
def test_a_small_face_in_a_large_picture_is_found_once_wherever_it_lies(detector, image):
    cut, box = shrunk(detector, image, 64)
    corners = [(0, 0), (500, 90), (700, 400), (1050, 250), (1500, 700), (250, 800)]
    found = detector.detect(scene(cut, *corners))
    assert_found(found, [moved(box, corner) for corner in corners])
    for face in found:
        x, y, w, h = face.box
        assert x < face.keypoints["right_eye"][0] < face.keypoints["left_eye"][0] < x + w
        assert y < face.keypoints["left_eye"][1] < face.keypoints["mouth_center"][1] < y + h


@pytest.mark.parametrize("image", [ASTRONAUT, HOPPER], ids=["astronaut", "grace_hopper"])
def test_thorough_finds_smaller_faces_and_those_in_small_pictures(thorough, image):
    cut, box = shrunk(thorough, image, 44)
    corners = [(300, 50), (1111, 666)]
    assert_found(thorough.detect(scene(cut, *corners)), [moved(box, corner) for corner in corners])
    small = scene(cut, (100, 100))[:480, :640]
    assert_found(thorough.detect(small), [moved(box, (100, 100))])


def test_a_part_of_a_close_up_is_no_face_of_its_own():
    close_up = Image.fromarray(ASTRONAUT).crop((134, 103, 314, 237)).resize((960, 720))
    with FaceDetector(min_score=0.3) as lenient:
        (face,) = lenient.detect(close_up)
    assert face.box[2] > 400


def test_faces_of_very_different_sizes_are_each_found_once(detector):
    large, large_box = shrunk(detector, ASTRONAUT, 400)
    small, small_box = shrunk(detector, HOPPER, 64)
    picture = Image.fromarray(scene(small, (1500, 300)))
    picture.paste(large.crop((500, 0, 1300, 700)), (600, 200))
    wanted = [moved(large_box, (100, 200)), moved(small_box, (1500, 300))]
    assert_found(detector.detect(picture), wanted)


@pytest.mark.parametrize("angle_deg", [-45, 45])
@pytest.mark.parametrize("image", [ASTRONAUT, HOPPER], ids=["astronaut", "grace_hopper"])
def test_a_small_tilted_face_is_found(detector, image, angle_deg):
    cut, _ = shrunk(detector, image, 80)
    (face,) = detector.detect(scene(cut.rotate(angle_deg), (700, 400)))
    assert 700 < face.box[0] < 700 + cut.width
    assert 400 < face.box[1] < 400 + cut.height


@pytest.mark.parametrize("name", ["brick", "grass", "gravel", "coffee", "rocket"])
def test_a_large_picture_of_something_else_has_no_face(detector, thorough, name):
    picture = Image.fromarray(getattr(data, name)()).resize(WIDE)
    assert detector.detect(picture) == []
    assert thorough.detect(picture) == []


def test_following_finds_known_faces_that_moved_and_large_newcomers(detector):
    cut, box = shrunk(detector, ASTRONAUT, 64)
    before = detector.detect(scene(cut, (300, 100), (1200, 600)))
    picture = Image.fromarray(scene(cut, (320, 110), (1200, 625)))
    newcomer, newcomer_box = shrunk(detector, HOPPER, 350)
    picture.paste(newcomer.crop((0, 0, 600, 600)), (550, 200))
    found = detector.follow(picture, before)
    wanted = [moved(box, (320, 110)), moved(box, (1200, 625)), moved(newcomer_box, (550, 200))]
    assert_found(found, wanted)
    assert found == sorted(found, key=lambda face: face.box)
    for face in detector.detect(picture):
        assert max(overlap(face, other) for other in found) > 0.7


def test_following_loses_faces_that_went_and_merges_those_that_are_one(detector):
    cut, box = shrunk(detector, ASTRONAUT, 64)
    here = [moved(box, (300, 100)), moved(box, (310, 108))]
    gone = moved(box, (1200, 600))
    assert_found(detector.follow(scene(cut, (300, 100)), [*here, gone]), here[:1])
    assert detector.follow(scene(cut), [gone]) == []


@pytest.mark.parametrize(("share_moved", "found"), [(0.3, 1), (0.58, 0)])
def test_a_face_is_followed_while_it_overlaps_with_where_it_was(detector, share_moved, found):
    cut, box = shrunk(detector, ASTRONAUT, 64)
    before = moved(box, (700, 300))
    step = round(share_moved * 64)
    after = moved(before.box, (step, step))
    assert overlap(before, after) == pytest.approx(0.32 if found else 0.1, abs=0.02)
    picture = scene(cut, (700 + step, 300 + step))
    assert_found(detector.follow(picture, [before]), [after] * found)


def test_following_nothing_sees_the_whole_picture(detector):
    assert detector.follow(ASTRONAUT, []) == detector.detect(ASTRONAUT)


@pytest.mark.parametrize(
    ("faces", "error", "message"),
    [
        (None, TypeError, "faces must be a list of FaceBox.*NoneType"),
        (moved((0, 0, 9, 9), (0, 0)), TypeError, "faces must be a list of FaceBox.*got FaceBox"),
        ([(0, 0, 9, 9)], TypeError, "faces must be a list of FaceBox.*a list with tuple"),
        ([moved((500, 0, 20, 9), (0, 0))], ValueError, "faces must lie inside.*512x512"),
        ([moved((0, -1, 9, 9), (0, 0))], ValueError, "call detect when it changes"),
    ],
)
def test_faces_that_cannot_be_followed_are_refused(detector, faces, error, message):
    with pytest.raises(error, match=message):
        detector.follow(ASTRONAUT, faces)


@pytest.mark.parametrize("thorough", [1, None, "yes"])
def test_thorough_is_true_or_false(thorough):
    with pytest.raises(TypeError, match="thorough must be True or False"):
        FaceDetector(thorough=thorough)
