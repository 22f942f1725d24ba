import copy
import pickle
import weakref
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from fer_utils import crop_face, draw_faces, images
from fer_utils.emotions import EMOTIONS
from fer_utils.faces.detector import FaceDetector
from fer_utils.images import UnreadableImageError, _read
from fer_utils.network.vgg import build_vgg
from fer_utils.network.vote import SoftVote
from fer_utils.recognition.recognizer import EmotionRecognizer, FaceEmotion
from tests.helpers.portraits import ASTRONAUT, HOPPER, NOBODY, PAIR
from tests.helpers.stand_ins import BrightnessClassifier, OneFaceDetector


@pytest.fixture(scope="module")
def recognizer():
    keras.utils.set_random_seed(0)
    with FaceDetector() as detector:
        yield EmotionRecognizer(SoftVote([build_vgg()]), detector)


def face(box=(1, 2, 30, 40), **more) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, 0.1) | {"happy": 0.4} | more
    return FaceEmotion(box, 0.9, emotions)


def test_a_face_comes_with_its_box_and_seven_probabilities(recognizer):
    (found,) = recognizer.recognize(ASTRONAUT)
    (box,) = recognizer.detector.detect(ASTRONAUT)
    assert found.box == box.box
    assert found.detection_score == box.score
    assert tuple(found.emotions) == EMOTIONS
    assert sum(found.emotions.values()) == pytest.approx(1, abs=1e-6)
    assert found.confidence == max(found.emotions.values()) == found.emotions[found.top]
    assert all(type(p) is float for p in found.emotions.values())


def test_below_min_confidence_it_is_unsure_and_keeps_its_top(recognizer):
    (sure,) = recognizer.recognize(ASTRONAUT)
    assert sure.label == sure.top
    for min_confidence, label in [(sure.confidence, sure.top), (1, "unsure")]:
        careful = EmotionRecognizer(
            recognizer.classifier, recognizer.detector, min_confidence=min_confidence
        )
        (found,) = careful.recognize(ASTRONAUT)
        assert found.label == label
        assert (found.top, found.emotions) == (sure.top, sure.emotions)


@pytest.mark.parametrize("name", ["min_confidence", "min_detection_score"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-0.1, ValueError, "must be between 0 and 1, got -0.1"),
        (50, ValueError, "must be between 0 and 1, got 50; 0.5 means 50%"),
        (float("nan"), ValueError, "must be between 0 and 1, got nan"),
        ("0.5", TypeError, "must be a number, got str"),
        (None, TypeError, "must be a number, got NoneType"),
    ],
)
def test_impossible_thresholds_are_refused(recognizer, name, value, error, message):
    with pytest.raises(error, match=f"{name} {message}"):
        EmotionRecognizer.load(**{name: value})
    if name == "min_confidence":
        with pytest.raises(error, match=f"{name} {message}"):
            EmotionRecognizer(recognizer.classifier, recognizer.detector, min_confidence=value)


@pytest.mark.slow
def test_the_thresholds_are_kept():
    recognizer = EmotionRecognizer.load(min_confidence=0.4, min_detection_score=0.99, thorough=True)
    with recognizer.detector:
        assert recognizer.detector.thorough
        assert recognizer.min_confidence == 0.4
        assert recognizer.detector.min_score == 0.99
        assert recognizer.recognize(ASTRONAUT) == []


@pytest.mark.parametrize("detect", [True, False])
def test_a_picture_is_converted_once(recognizer, detect, tmp_path, monkeypatch):
    Image.fromarray(PAIR).save(tmp_path / "pair.png")
    sources = [tmp_path / "pair.png", Image.fromarray(PAIR), PAIR / 255, PAIR[..., ::-1]]
    converted = []
    monkeypatch.setattr(images, "_read", lambda source: converted.append(source) or _read(source))
    for source in sources[:3]:
        converted.clear()
        faces = recognizer.recognize(source, detect=detect)
        assert (len(faces), len(converted)) == (2 if detect else 1, 1)
    converted.clear()
    recognizer.recognize_batch(sources[:3], detect=detect)
    assert len(converted) == 3
    converted.clear()
    recognizer.recognize(sources[3], color="bgr", detect=detect)
    assert len(converted) == 1
    converted.clear()
    draw_faces(PAIR, recognizer.recognize(PAIR, detect=detect))  # RGB already
    assert not converted


def test_no_face_gives_an_empty_list(recognizer):
    assert recognizer.recognize(NOBODY) == []
    assert recognizer.recognize_batch([NOBODY, NOBODY]) == [[], []]
    assert recognizer.recognize_batch([]) == []


def test_a_batch_gives_each_picture_its_own_faces(recognizer):
    images = [ASTRONAUT, NOBODY, PAIR, HOPPER]
    batch = recognizer.recognize_batch(iter(images))
    assert [len(faces) for faces in batch] == [1, 0, 2, 1]
    for image, faces in zip(images, batch, strict=True):
        for alone, together in zip(recognizer.recognize(image), faces, strict=True):
            assert together.box == alone.box
            assert [*together.emotions.values()] == pytest.approx(
                [*alone.emotions.values()], abs=1e-5
            )


def test_a_batch_is_classified_in_one_call(recognizer, monkeypatch):
    asked = []
    classify = recognizer.classifier.predict_proba
    monkeypatch.setattr(
        recognizer.classifier,
        "predict_proba",
        lambda crops: asked.append(crops.shape) or classify(crops),
    )
    recognizer.recognize_batch([PAIR, ASTRONAUT])
    assert asked == [(3, 48, 48)]


def test_a_crowd_is_classified_in_calls_of_64(recognizer, monkeypatch):
    asked = []

    def classify(crops):
        asked.append(len(crops))
        return np.full((len(crops), 7), 1 / 7)

    (astronaut,) = recognizer.detector.detect(ASTRONAUT)
    monkeypatch.setattr(recognizer.classifier, "predict_proba", classify)
    monkeypatch.setattr(recognizer.detector, "detect", lambda image: [astronaut] * 100)
    crowds = recognizer.recognize_batch([ASTRONAUT, ASTRONAUT])
    assert [len(crowd) for crowd in crowds] == [100, 100]
    assert asked == [64, 64, 64, 8]


def test_one_picture_at_a_time_is_in_memory(recognizer):
    alive, most = weakref.WeakSet(), 0

    class Picture(np.ndarray):  # numpy's own cannot be put into a set
        __hash__ = object.__hash__
        __eq__ = object.__eq__

    def pictures():
        nonlocal most
        for _ in range(5):
            picture = NOBODY[:100, :100].copy().view(Picture)
            alive.add(picture)
            most = max(most, len(alive))
            yield picture

    recognizer.recognize_batch(pictures())
    assert most == 2  # the one being made, and the one before


def test_bgr_arrays_are_recognised_like_rgb(recognizer):
    bgr = ASTRONAUT[..., ::-1]
    assert recognizer.recognize(bgr, color="bgr") == recognizer.recognize(ASTRONAUT)
    assert recognizer.recognize_batch([bgr], color="bgr") == [recognizer.recognize(ASTRONAUT)]
    with pytest.raises(ValueError, match="got a file"):
        recognizer.recognize_batch([bgr, "a.jpg"], color="bgr")


FORMATS = {
    "cmyk.jpg": lambda image: image.convert("CMYK"),
    "grey.jpg": lambda image: image.convert("L"),
    "palette.gif": lambda image: image.quantize(64),
    "palette.png": lambda image: image.quantize(64),
    "alpha.webp": lambda image: image.convert("RGBA"),
    "alpha.png": lambda image: image.convert("LA"),
    "deep.png": lambda image: Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257),
    "float.tif": lambda image: Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255),
    "ycbcr.tif": lambda image: image.convert("YCbCr"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_face_is_found_in_every_kind_of_file(recognizer, tmp_path, name):
    (expected,) = recognizer.recognize(ASTRONAUT)
    FORMATS[name](Image.fromarray(ASTRONAUT)).save(tmp_path / name)
    (found,) = recognizer.recognize(tmp_path / name)
    np.testing.assert_allclose(found.box, expected.box, atol=6)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (7, 7), (2000, 3)])
def test_odd_sizes_have_no_face(recognizer, size):
    assert recognizer.recognize(np.resize(ASTRONAUT, (*size, 3))) == []


@pytest.mark.parametrize("side", [4, 8, 12, 20, 24, 32])
def test_a_face_of_a_few_pixels_is_left_out_or_lies_inside_its_picture(recognizer, side):
    small = Image.fromarray(HOPPER[100:350, 150:400]).resize((side, side))
    found = recognizer.recognize(small)
    assert len(found) == (side > 12)
    for face in found:
        x, y, width, height = face.box
        assert min(x, y) >= 0
        assert max(x + width, y + height) <= side
        assert min(width, height) > 0.7 * side
        assert sum(face.emotions.values()) == pytest.approx(1, abs=1e-6)


def test_a_face_whose_points_coincide_is_left_out(recognizer, monkeypatch):
    (face,) = recognizer.detector.detect(ASTRONAUT)
    flat = replace(face, keypoints=dict.fromkeys(face.keypoints, (9.0, 9.0)))
    monkeypatch.setattr(recognizer.detector, "detect", lambda image: [flat, face])
    assert [found.box for found in recognizer.recognize(ASTRONAUT)] == [face.box]


def cut_off(path):
    Image.fromarray(ASTRONAUT).save(path)
    path.write_bytes(path.read_bytes()[:9000])


BAD_FILES = {
    "the file is empty": lambda path: path.touch(),
    "no known format": lambda path: path.write_text("no picture"),
    "truncated": cut_off,
    "it is a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("problem", BAD_FILES)
def test_bad_files_are_refused_by_name(recognizer, tmp_path, problem):
    path = tmp_path / "bad.jpg"
    BAD_FILES[problem](path)
    with pytest.raises(ValueError, match=rf"bad\.jpg.*{problem}"):
        recognizer.recognize(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((64, 64, 3), np.nan), "values 0 to 1, got NaN"),
        (ASTRONAUT.astype(float), r"values 0 to 1, got 0\.0 to 255\.0"),
        (ASTRONAUT.transpose(2, 0, 1), r"transpose\(1, 2, 0\)"),
        (ASTRONAUT[None], "to recognize_batch"),
        (ASTRONAUT[:0], r"got shape \(0, 512, 3\)"),
    ],
)
def test_bad_arrays_are_refused(recognizer, array, message):
    with pytest.raises(ValueError, match=message):
        recognizer.recognize(array)


def test_recognition_is_deterministic_and_leaves_the_picture_alone(recognizer):
    image = ASTRONAUT.copy()
    assert recognizer.recognize(image) == recognizer.recognize(image)
    np.testing.assert_array_equal(image, ASTRONAUT)


def test_paths_and_pil_images_are_taken_too(recognizer, tmp_path):
    path = tmp_path / "astronaut.png"
    Image.fromarray(ASTRONAUT).save(path)
    (expected,) = recognizer.recognize(ASTRONAUT)
    for (found,) in recognizer.recognize_batch([path, str(path), Image.open(path)]):
        assert found.box == expected.box
        assert [*found.emotions.values()] == pytest.approx([*expected.emotions.values()], abs=1e-5)


def test_the_given_parts_find_and_classify_the_faces():
    detector, classifier = OneFaceDetector(), BrightnessClassifier()
    (found,) = EmotionRecognizer(classifier, detector).recognize(NOBODY)
    (box,) = detector.detect(NOBODY)
    assert (found.box, found.detection_score) == (box.box, box.score)
    (row,) = classifier.predict_proba(crop_face(NOBODY, box)[None])
    assert found.emotions == dict(zip(EMOTIONS, row.tolist(), strict=True))


SMALL = crop_face(HOPPER, OneFaceDetector().detect(HOPPER)[0])


def test_a_face_cut_out_already_is_classified_as_it_is(recognizer):
    (row,) = recognizer.classifier.predict_proba(SMALL[None])
    (found,) = recognizer.recognize(SMALL, detect=False)
    assert found == FaceEmotion((0, 0, 48, 48), 1.0, dict(zip(EMOTIONS, row.tolist(), strict=True)))


def test_a_batch_of_faces_cut_out_gives_one_for_each_that_shows_anything(recognizer):
    pictures = [SMALL, np.zeros((48, 48), np.uint8), SMALL[:30, :40], SMALL] * 25
    batch = recognizer.recognize_batch(iter(pictures), detect=False)
    assert [len(faces) for faces in batch] == [1, 0, 1, 1] * 25
    assert batch[2][0].box == (0, 0, 40, 30)
    (alone,) = recognizer.recognize(SMALL, detect=False)
    assert [*batch[99][0].emotions.values()] == pytest.approx([*alone.emotions.values()], abs=1e-5)


def test_min_confidence_holds_without_a_detector_too(recognizer):
    careful = EmotionRecognizer(recognizer.classifier, recognizer.detector, min_confidence=1)
    (found,) = careful.recognize(SMALL, detect=False)
    assert found.label == "unsure"


@pytest.mark.parametrize("detect", [None, 1, "no"])
def test_detect_is_true_or_false(recognizer, detect):
    with pytest.raises(TypeError, match="detect must be True or False, got"):
        recognizer.recognize(SMALL, detect=detect)
    with pytest.raises(TypeError, match="detect must be True or False, got"):
        recognizer.recognize_batch([SMALL], detect=detect)


class SizedClassifier(BrightnessClassifier):
    """Takes faces of one size and remembers them."""

    def __init__(self, *size: int):
        self.input_size = size

    def predict_proba(self, images):
        self.seen = images
        return super().predict_proba(images)


def test_faces_are_cut_out_at_the_size_that_the_networks_take():
    classifier = SizedClassifier(64, 64)
    recognizer = EmotionRecognizer(classifier, OneFaceDetector())
    recognizer.recognize(NOBODY)
    (box,) = OneFaceDetector().detect(NOBODY)
    np.testing.assert_array_equal(classifier.seen, crop_face(NOBODY, box, 64)[None])
    recognizer.recognize(NOBODY, detect=False)
    assert classifier.seen.shape == (1, 64, 64)


def test_networks_for_oblong_pictures_are_refused_and_can_be_helped():
    with pytest.raises(ValueError, match=r"got 64x48 px .*keras\.layers\.Resizing"):
        EmotionRecognizer(SizedClassifier(64, 48), OneFaceDetector())
    oblong = keras.Sequential(
        [
            keras.Input((64, 48, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(7, "softmax", kernel_initializer="zeros"),
        ]
    )
    helped = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Resizing(64, 48), oblong])
    (found,) = EmotionRecognizer(SoftVote([helped]), OneFaceDetector()).recognize(NOBODY)
    assert found.confidence == pytest.approx(1 / 7)


@pytest.mark.slow
def test_own_weights_are_loaded_to_vote(tmp_path):
    paths = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        paths.append(tmp_path / f"{seed}.weights.h5")
        build_vgg().save_weights(paths[-1])
    recognizer = EmotionRecognizer.load(models=paths)
    with recognizer.detector:
        both, *each = (
            EmotionRecognizer(SoftVote.from_weights(chosen), recognizer.detector).recognize(
                ASTRONAUT
            )
            for chosen in (paths, paths[:1], paths[1:])
        )
        assert recognizer.recognize(ASTRONAUT) == both
    mean = np.mean([[*faces[0].emotions.values()] for faces in each], axis=0)
    assert [*both[0].emotions.values()] == pytest.approx(mean.tolist(), abs=1e-5)


def test_one_weights_file_alone_is_no_list():
    with pytest.raises(ValueError, match=r"come as a list.* write \['one\.weights\.h5'\]"):
        EmotionRecognizer.load("one.weights.h5")


@pytest.mark.parametrize("image", [[ASTRONAUT, NOBODY], (ASTRONAUT,)])
def test_several_pictures_are_not_taken_for_one(recognizer, image):
    with pytest.raises(TypeError, match="pass several to recognize_batch"):
        recognizer.recognize(image)
    assert len(recognizer.recognize_batch(image)) == len(image)


@pytest.mark.parametrize(
    "images", ["a.jpg", Image.fromarray(NOBODY), NOBODY, NOBODY[..., 0]], ids=lambda i: type(i)
)
def test_one_picture_is_not_taken_for_several(recognizer, images):
    with pytest.raises(TypeError, match=r"pass one to recognize, or write \[image\]"):
        recognizer.recognize_batch(images)
    if not isinstance(images, str):
        assert recognizer.recognize_batch([images]) == [recognizer.recognize(images)]


def test_several_pictures_can_be_iterated(recognizer):
    with pytest.raises(TypeError, match="must be several pictures, got int"):
        recognizer.recognize_batch(7)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ("nobody.jpg", FileNotFoundError, r"source: there is no file 'nobody\.jpg'"),
        (__file__, UnreadableImageError, r"source: .*test_recognizer\.py.* no known format"),
        (7, TypeError, "source must be a path"),
        (None, TypeError, r"source must .* got None, as cv2\.imread returns it"),
        (NOBODY[:0], ValueError, "an array must have shape"),
    ],
)
def test_a_batch_tells_its_bad_picture_by_number_and_a_single_one_needs_none(
    recognizer, bad, error, message
):
    with pytest.raises(error, match=rf"^images\[2\]: {message}"):
        recognizer.recognize_batch([NOBODY, NOBODY, bad])
    with pytest.raises(error, match=f"^{message}"):
        recognizer.recognize(bad)


def test_the_parts_are_checked_and_made_as_the_messages_say(detector):
    model = build_vgg()
    with pytest.raises(TypeError, match=r"SoftVote\(\[model\]\)"):
        EmotionRecognizer(model, detector)
    with pytest.raises(TypeError, match=r"got NoneType; make one with FaceDetector\(\)"):
        EmotionRecognizer(SoftVote([model]), None)
    with FaceDetector() as made:
        assert EmotionRecognizer(SoftVote([model]), made).recognize(NOBODY) == []


@pytest.mark.slow
def test_it_may_be_pickled_and_copied(recognizer, tmp_path):
    weights = tmp_path / "mine.weights.h5"
    build_vgg().save_weights(weights)
    with FaceDetector(0.7, thorough=True) as detector:
        vote = SoftVote.from_weights([weights], temperature=2.0)
        whole = EmotionRecognizer(vote, detector, min_confidence=0.3)
        expected = whole.recognize(ASTRONAUT)
        pickled = pickle.dumps(whole)
        assert len(pickled) < 2000
        others = [pickle.loads(pickled), copy.deepcopy(whole)]
        assert copy.copy(whole).detector is detector
    for other in others:
        with other.detector:
            assert other.min_confidence == 0.3
            assert (other.detector.min_score, other.detector.thorough) == (0.7, True)
            (found,) = other.recognize(ASTRONAUT)
            assert found.box == expected[0].box
            assert found.emotions == pytest.approx(expected[0].emotions, abs=1e-3)


def test_to_dict_is_what_fer_returns():
    record = face().to_dict()
    assert record == {"box": [1, 2, 30, 40], "emotions": face().emotions}
    assert list(record["emotions"]) == list(EMOTIONS)


@pytest.mark.parametrize("names", [EMOTIONS[:-1], EMOTIONS[::-1], (*EMOTIONS, "bored")])
def test_other_emotions_are_refused(names):
    with pytest.raises(ValueError, match="emotions must be"):
        FaceEmotion((0, 0, 1, 1), 0.9, dict.fromkeys(names, 0.1))
