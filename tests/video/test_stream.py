from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from fer_utils.emotions import EMOTIONS
from fer_utils.video.stream import EmotionStream, TrackedFace
from tests.helpers.clips import COLLINS_HEAD, HEAD_PX, HOPPER_HEAD, crossing, scene
from tests.helpers.portraits import NOBODY
from tests.helpers.stand_ins import OneFaceDetector, face_at, quick_recognizer


@pytest.fixture
def stream(detector):
    return EmotionStream(quick_recognizer(detector))


def ids_in_crossing(stream: EmotionStream, clip) -> dict[str, set[int]]:
    """Return the ids of each head while the heads stand apart."""
    ids = defaultdict(set)
    for time_s, image, collins, hopper in clip:
        apart = abs(collins - hopper) > HEAD_PX / 3
        for face in stream.update(image, time_s):
            middle = face.box[0] + face.box[2] / 2
            if apart:
                near = abs(middle - collins) < abs(middle - hopper)
                ids["collins" if near else "hopper"].add(face.face_id)
            assert face.face_id in (0, 1)
    return ids


@pytest.mark.parametrize("front", ["collins", "hopper"])
@pytest.mark.parametrize(("speed_px_s", "fps"), [(80, 10), (240, 30), (480, 10), (900, 30)])
@pytest.mark.slow
def test_two_who_cross_keep_their_ids(stream, speed_px_s, fps, front):
    ids = ids_in_crossing(stream, crossing(speed_px_s, fps, front=front))
    assert sorted(ids.values(), key=min) == [{0}, {1}]


def test_two_who_cross_in_a_grey_video_keep_their_ids(stream):
    clip = (
        (time_s, np.repeat(image[..., 1:2], 3, axis=2), *middles)
        for time_s, image, *middles in crossing(240, 10)
    )
    assert sorted(ids_in_crossing(stream, clip).values(), key=min) == [{0}, {1}]


def test_an_id_outlasts_a_short_miss_and_no_long_one(stream):
    seen, nobody = scene((COLLINS_HEAD, 200)), scene()
    shown = [(seen, 0), (seen, 0.1), (nobody, 0.2), (nobody, 1.0), (seen, 1.1), (nobody, 1.2)]
    ids = [[face.face_id for face in stream.update(*one)] for one in shown]
    assert ids == [[0], [0], [], [], [0], []]
    assert stream.update(nobody, 3.5) == []
    assert [face.face_id for face in stream.update(seen, 4.1)] == [1]


def test_someone_else_in_the_same_place_is_someone_else(stream):
    stream.update(scene((COLLINS_HEAD, 200)), 0)
    (face,) = stream.update(scene((HOPPER_HEAD, 200)), 0.5)
    assert face.face_id == 1


@pytest.mark.parametrize("light", [(0.3, 0.3, 0.3), (1, 0.5, 0.4), (0.4, 0.6, 1)])
def test_an_id_outlasts_a_change_of_light(stream, light):
    day = scene((COLLINS_HEAD, 200))
    lamp = (day * light).astype(np.uint8)
    shown = [stream.update(image, n / 10) for n, image in enumerate([day, day, lamp, lamp, day])]
    assert [[face.face_id for face in faces] for faces in shown] == [[0]] * 5


def test_a_newcomer_is_found_within_the_time_between_searches(stream):
    wide = {"size": (1280, 400)}
    stream.update(scene((COLLINS_HEAD, 100), **wide), 0)
    both = scene((COLLINS_HEAD, 100), (HOPPER_HEAD, 900), **wide)
    found = [len(stream.update(both, time_s)) for time_s in (0.1, 0.2, 0.3, 0.4, 0.5)]
    assert found[-1] == 2


def test_a_face_that_is_lost_is_searched_for_at_once(detector):
    size = (1920, 400)
    here, there = (scene((COLLINS_HEAD, left), size=size) for left in (100, 1500))
    assert detector.follow(there, detector.detect(here)) == []
    stream = EmotionStream(quick_recognizer(detector), detect_every_s=60)
    assert len(stream.update(here, 0)) == 1
    (found,) = stream.update(there, 0.1)
    assert found.box[0] > 1500


def test_a_search_adds_to_the_faces_that_are_followed():
    detector = OneFaceDetector()
    stream = EmotionStream(quick_recognizer(detector), detect_every_s=0)
    (before,) = stream.update(NOBODY, 0)
    (twice,) = stream.update(NOBODY, 0.1)  # followed, and found by the search
    detector.follow = lambda image, faces: list(faces)
    detector.detect = lambda image: []
    (overlooked,) = stream.update(NOBODY, 0.2)
    detector.detect = lambda image: [face_at(0, 0, 40)]
    followed, newcomer = stream.update(NOBODY, 0.3)
    assert {face.box for face in (twice, overlooked, followed)} == {before.box}
    assert {face.face_id for face in (twice, overlooked, followed)} == {before.face_id}
    assert newcomer.box == (0, 0, 40, 40)


def test_probabilities_are_smoothed_by_time_and_the_raw_ones_kept(stream):
    bright = scene((COLLINS_HEAD, 200))
    dark = (bright * 0.8).astype(np.uint8)
    (first,) = stream.update(bright, 0)
    assert first.emotions == first.raw_emotions
    assert tuple(first.emotions) == EMOTIONS
    (second,) = stream.update(dark, 0.1)
    assert second.face_id == 0
    share = 1 - np.exp(-0.1 / 0.5)
    for name in EMOTIONS:
        expected = first.emotions[name] + share * (second.raw_emotions[name] - first.emotions[name])
        assert second.emotions[name] == pytest.approx(expected)
    assert sum(second.emotions.values()) == pytest.approx(1)
    assert second.label == second.top == second.steady_top == first.label
    assert second.confidence == second.emotions[second.top]


class ScriptedClassifier:
    """Gives "sad" these probabilities, one a picture."""

    def __init__(self, shares) -> None:
        self._shares = iter(shares)

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        share = next(self._shares)
        row = [share if name == "sad" else (1 - share) / 6 for name in EMOTIONS]
        return np.array([row] * len(images), np.float32)


def labels_of(shares, **options) -> list[tuple[str, str]]:
    recognizer = quick_recognizer(min_confidence=0.5)
    recognizer.classifier = ScriptedClassifier(shares)
    stream = EmotionStream(recognizer, **options)
    faces = [stream.update(NOBODY, n / 25)[0] for n in range(len(shares))]
    return [(face.label, face.top) for face in faces]


def test_an_improbable_emotion_is_called_unsure_and_stays_the_top():
    seen = labels_of([0.8] * 10 + [0.3] * 50 + [0.8] * 50)
    changes = [b for a, b in pairwise([None, *seen]) if a != b]
    assert changes == [("sad", "sad"), ("unsure", "sad"), ("sad", "sad")]


@pytest.mark.slow
def test_the_label_does_not_flicker_around_the_threshold():
    shares = np.tile([0.3, 0.7, 0.45, 0.55], 100)
    assert set(labels_of(shares, smoothing_s=0)) == {("unsure", "sad")}
    assert set(labels_of(shares[1:], smoothing_s=0)) == {("sad", "sad")}


def test_no_face_is_no_error(stream):
    assert stream.update(NOBODY, 0) == []
    assert stream.update(NOBODY, 0.1) == []


def test_the_size_may_change(stream):
    stream.update(scene((COLLINS_HEAD, 400), size=(640, 300)), 0)
    faces = stream.update(scene((COLLINS_HEAD, 50), size=(320, 240)), 0.1)
    assert len(faces) == 1


@pytest.mark.parametrize(
    ("image", "time_s", "error", "message"),
    [
        (NOBODY, 0.5, ValueError, "time_s must not be before the last picture's, 1 s, got 0.5"),
        (NOBODY, float("nan"), ValueError, "time_s must not be before"),
        (NOBODY[..., 0], 2, ValueError, r"uint8 \(h, w, 3\)"),
        (NOBODY / 255, 2, ValueError, "got float64"),
        ("a.jpg", 2, TypeError, "image must be an RGB uint8 array, got str"),
    ],
)
def test_wrong_pictures_and_times_are_refused(image, time_s, error, message):
    stream = EmotionStream(quick_recognizer())
    stream.update(NOBODY, 1)
    with pytest.raises(error, match=message):
        stream.update(image, time_s)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"smoothing_s": -1}, ValueError, "smoothing_s must be at least 0 and finite, got -1"),
        ({"keep_s": float("inf")}, ValueError, "keep_s must be at least 0 and finite"),
        ({"label_margin": "1"}, TypeError, "label_margin must be a number, got str"),
        ({"recognizer": None}, TypeError, "must be an EmotionRecognizer, got NoneType"),
    ],
)
def test_wrong_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        EmotionStream(**{"recognizer": quick_recognizer(), **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"raw_emotions": {"happy": 1.0}}, "raw_emotions must be"),
        ({"steady_top": "joy"}, "steady_top must be one of .* got 'joy'"),
    ],
)
def test_a_record_with_other_emotions_is_refused(options, message):
    even = dict.fromkeys(EMOTIONS, 1 / 7)
    fields = {"raw_emotions": even, "steady_top": "happy"} | options
    with pytest.raises(ValueError, match=message):
        TrackedFace((0, 0, 9, 9), 0.9, even, face_id=0, **fields)
