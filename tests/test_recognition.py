import keras
import numpy as np
import pytest
from PIL import Image
from portraits import ASTRONAUT, HOPPER, NOBODY, PAIR

from fer_utils.detector import FaceDetector
from fer_utils.emotions import EMOTIONS
from fer_utils.models import build_vgg
from fer_utils.recognition import EmotionRecognizer, FaceEmotion
from fer_utils.vote import SoftVote

COLUMNS = ["source", "frame", "time_s", "face_id", "x", "y", "w", "h"]
COLUMNS += [f"p_{name}" for name in EMOTIONS] + ["top"]


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


def test_own_weights_are_loaded_to_vote(tmp_path):
    paths = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        paths.append(tmp_path / f"{seed}.weights.h5")
        build_vgg().save_weights(paths[-1])
    recognizer = EmotionRecognizer.load(models=paths)
    both, *each = (
        EmotionRecognizer(SoftVote.from_weights(chosen), recognizer.detector).recognize(ASTRONAUT)
        for chosen in (paths, paths[:1], paths[1:])
    )
    mean = np.mean([[*faces[0].emotions.values()] for faces in each], axis=0)
    assert [*both[0].emotions.values()] == pytest.approx(mean.tolist(), abs=1e-5)
    assert recognizer.recognize(ASTRONAUT) == both
    recognizer.detector.close()


def test_one_weights_file_alone_is_no_list():
    with pytest.raises(ValueError, match=r"come as a list.* write \['one\.weights\.h5'\]"):
        EmotionRecognizer.load("one.weights.h5")


@pytest.mark.parametrize("image", [[ASTRONAUT, NOBODY], (ASTRONAUT,)])
def test_several_pictures_are_not_taken_for_one(recognizer, image):
    with pytest.raises(TypeError, match="pass several to recognize_batch"):
        recognizer.recognize(image)


@pytest.mark.parametrize(
    "images", ["a.jpg", Image.fromarray(NOBODY), NOBODY, NOBODY[..., 0]], ids=lambda i: type(i)
)
def test_one_picture_is_not_taken_for_several(recognizer, images):
    with pytest.raises(TypeError, match="pass one to recognize"):
        recognizer.recognize_batch(images)


def test_missing_pictures_are_named(recognizer):
    with pytest.raises(FileNotFoundError, match=r"nobody\.jpg"):
        recognizer.recognize_batch([ASTRONAUT, "nobody.jpg"])


def test_the_parts_are_checked():
    with pytest.raises(TypeError, match=r"SoftVote\(\[model\]\)"):
        EmotionRecognizer(build_vgg(), None)


def test_to_dict_is_what_fer_returns():
    record = face().to_dict()
    assert record == {"box": [1, 2, 30, 40], "emotions": face().emotions}
    assert list(record["emotions"]) == list(EMOTIONS)


@pytest.mark.parametrize("names", [EMOTIONS[:-1], EMOTIONS[::-1], (*EMOTIONS, "bored")])
def test_other_emotions_are_refused(names):
    with pytest.raises(ValueError, match="emotions must be"):
        FaceEmotion((0, 0, 1, 1), 0.9, dict.fromkeys(names, 0.1))
