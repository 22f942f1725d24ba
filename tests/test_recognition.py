import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage import data as skimage_data

from fer_utils.emotions import EMOTIONS
from fer_utils.faces import FaceDetector
from fer_utils.models import build_vgg
from fer_utils.recognition import EmotionRecognizer, FaceEmotion, to_frame
from fer_utils.video_reader import VideoFrame
from fer_utils.vote import SoftVote

ASTRONAUT = skimage_data.astronaut()
PORTRAIT = np.asarray(Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)))
PAIR = np.hstack([PORTRAIT[80:380, 110:410], ASTRONAUT[:300, 70:370]])
NOBODY = skimage_data.cat()

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
    images = [ASTRONAUT, NOBODY, PAIR, PORTRAIT]
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


def test_generators_become_the_same_table():
    one, several = [face(), face((5, 6, 7, 8))], [[face()], [], [face()]]
    pd.testing.assert_frame_equal(to_frame(iter(one)), to_frame(one))
    pd.testing.assert_frame_equal(to_frame(map(iter, several)), to_frame(several))


def video_frames(*indices: int) -> list[VideoFrame]:
    return [VideoFrame(index, index / 10, ASTRONAUT) for index in indices]


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
        ("a.mp4", [ASTRONAUT, ASTRONAUT], TypeError, "as read_video gives them, got ndarray"),
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


def test_only_faces_go_into_a_table():
    with pytest.raises(TypeError, match="FaceEmotion records, got dict"):
        to_frame([[face().to_dict()]])
