"""Which emotion a label is: never guessed without a word."""

import re
import warnings

import numpy as np
import pytest

from fer_utils import EMOTIONS, load_dataset
from fer_utils.data.labels import Labels
from tests.helpers.data_sets import GOOD, HEADER, faces, write_csv, write_folders, write_list

AFFECTNET = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
RAF_DB = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
CK_PLUS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")

pytestmark = pytest.mark.filterwarnings("ignore:.*No validation part")


def load(path, **options):
    return load_dataset(path, progress=False, cache=False, **options)


def label_of(data, picture: np.ndarray) -> str:
    """Return the emotion under which a picture was loaded."""
    everything = data.all_faces()
    (place,) = np.flatnonzero((everything.images == picture).all(axis=(1, 2)))
    return data.emotions[everything.labels[place]]


def quietly(path, **options):
    """Load without any warning but the one of the split."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*No validation part")
        return load(path, **options)


def folders(source, numbers):
    return write_folders(source, map(str, numbers))


def listed(source, numbers):
    return write_list(source, [*numbers, *numbers])


def pixel_csv_without_usage(source, numbers):
    rows = [(number, GOOD) for number in [*numbers, *numbers]]
    return write_csv(source / "train.csv", ["emotion", "pixels"], rows)


SHAPES = pytest.mark.parametrize("write", [folders, listed, pixel_csv_without_usage])


@SHAPES
def test_the_order_of_numbers_is_said(tmp_path, write):
    said = "taken in FER2013's order: 0 angry, 1 disgust, 2 fear, .*, 6 neutral.*label_order="
    with pytest.warns(UserWarning, match=said):
        data = load(write(tmp_path, range(7)))
    assert data.emotions == EMOTIONS
    assert set(data.all_faces().counts().values()) == {2}


def test_the_order_is_said_of_a_cached_data_set_too(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    source = folders(tmp_path / "source", range(7))
    for _ in range(2):
        with pytest.warns(UserWarning, match="order"):
            load_dataset(source, progress=False)
    # Another order is another reading, and not the cached one.
    neutral = load_dataset(source, progress=False, label_order=AFFECTNET).all_faces()
    assert neutral.images[neutral.labels == 6].shape == (2, 48, 48)
    assert label_of(load_dataset(source, label_order=AFFECTNET), faces(1, seed=0)[0]) == "neutral"


def test_fer2013s_own_form_says_nothing(tmp_path):
    rows = [(i, GOOD, "Training") for i in range(7)] + [(3, GOOD, "PublicTest")]
    assert len(quietly(write_csv(tmp_path / "any.csv", HEADER, rows)).train) == 7


@SHAPES
@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("numbers", [range(1, 8), range(8)])
def test_numbers_that_are_not_fer2013s_are_refused(tmp_path, write, numbers, on_error):
    with pytest.raises(ValueError, match="do not fit FER2013's order") as caught:
        load(write(tmp_path, numbers), on_error=on_error)
    said = str(caught.value)
    assert "AffectNet from 0: neutral, happy, sad, surprise, fear, disgust, angry" in said
    assert "RAF-DB from 1: surprise, fear, disgust, happy, sad, angry, neutral" in said
    assert "label_order=(" in said
    assert "--label-order" in said


def test_numbers_of_fer2013s_form_that_count_from_one_are_refused_too(tmp_path):
    rows = [(i, GOOD, "Training") for i in range(1, 8)]
    with pytest.raises(ValueError, match="do not fit FER2013's order"):
        load(write_csv(tmp_path / "any.csv", HEADER, rows), on_error="skip")


def test_an_eighth_number_in_fer2013s_form_is_a_bad_row_and_the_order_is_said(tmp_path):
    rows = [(i, GOOD, "Training") for i in (0, 0, 7)]
    path = write_csv(tmp_path / "any.csv", HEADER, rows)
    with pytest.raises(ValueError, match=r"data row 3: unknown emotion '7'.*Common orders are"):
        load(path)
    with pytest.warns(UserWarning, match="taken in FER2013's order"):
        assert len(load(path, on_error="skip").all_faces()) == 2


@SHAPES
@pytest.mark.parametrize(("order", "first"), [(AFFECTNET, 0), (RAF_DB, 1)])
def test_label_order_settles_it(tmp_path, write, order, first):
    numbers = range(first, first + 7)
    data = quietly(write(tmp_path, numbers), label_order=order)
    assert data.emotions == EMOTIONS
    assert set(data.all_faces().counts().values()) == {2}
    if write is not pixel_csv_without_usage:  # where all faces are alike
        seeds = range(7) if write is folders else [0] * 7
        for place, (seed, name) in enumerate(zip(seeds, order, strict=True)):
            picture = faces(14, seed)[place if write is listed else 0]
            assert label_of(data, picture) == name


def test_numbers_that_might_count_from_0_or_1_are_said_even_with_an_order(tmp_path):
    with pytest.warns(UserWarning, match="count from 0 in the order of label_order: 0 surprise"):
        data = load(folders(tmp_path, range(2, 5)), label_order=RAF_DB)
    assert label_of(data, faces(1, seed=0)[0]) == "disgust"
    # The remedy of the warning: without the name of 7, which does not occur.
    data = quietly(folders(tmp_path / "six", range(1, 7)), label_order=RAF_DB[:6])
    assert label_of(data, faces(1, seed=0)[0]) == "surprise"


@pytest.mark.parametrize("label", ["3", "3.0", "3.", " 3 ", "3,0", "Happy", "HAPPINESS"])
def test_one_emotion_written_in_many_ways(label):
    assert Labels().parse(label) == EMOTIONS.index("happy")


@pytest.mark.parametrize("label", ["3.5", "-1", "7", "1e0", "", "nan", "9" * 5000, "x" * 5000])
def test_what_is_no_label(label):
    with pytest.raises(ValueError, match="unknown emotion") as caught:
        Labels().parse(label)
    assert len(str(caught.value)) < 1500


def test_a_data_set_with_other_emotions(tmp_path):
    write_folders(tmp_path, CK_PLUS)
    data = quietly(tmp_path, label_order=CK_PLUS)
    assert data.emotions == CK_PLUS
    assert data.all_faces().counts() == dict.fromkeys(CK_PLUS, 2)
    assert label_of(data, faces(1, seed=1)[0]) == "contempt"


def test_an_emotion_that_is_not_ours_may_be_left_out(tmp_path):
    write_folders(tmp_path, CK_PLUS)
    with pytest.raises(ValueError, match=r"'contempt'.*label_order=.*--label-order.*--on-error"):
        load(tmp_path)
    with pytest.warns(UserWarning, match=r"Bad entries skipped \(1\): .*the folder 'contempt'"):
        data = load(tmp_path, on_error="skip")
    assert data.all_faces().counts() == dict.fromkeys(EMOTIONS, 2) | {"neutral": 0}


def test_folders_of_unknown_names_alone_are_told_of_label_order(tmp_path):
    write_folders(tmp_path, ["bored", "awake"])
    with pytest.raises(ValueError, match="label_order"):
        load(tmp_path)
    assert quietly(tmp_path, label_order=["bored", "awake"]).train.counts() == {
        "bored": 1,
        "awake": 1,
    }


def test_synonyms_count_for_the_names_of_an_order(tmp_path):
    write_folders(tmp_path, ["anger", "joy"])
    data = quietly(tmp_path, label_order=["Angry", "joy"])
    assert data.emotions == ("Angry", "joy")


def test_our_seven_by_their_synonyms_are_ours():
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprised", "neutral"]
    assert Labels(names).emotions == EMOTIONS


def test_beside_names_numbers_are_no_emotions(tmp_path):
    write_folders(tmp_path, ["happy/0", "happy/1", "sad/0"])
    with pytest.raises(ValueError, match=r"the folder 'happy/0'.*names no emotion.*or number, all"):
        load(tmp_path)


def test_an_emotion_inside_another_is_refused(tmp_path):
    write_folders(tmp_path, ["happy", "happy/sad"])
    with pytest.raises(ValueError, match=r"'happy/sad' lies in one of another emotion.*Move it"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        ("surprise", TypeError, "label_order must be a list of names, such as .*got 'surprise'"),
        ({"happy", "sad"}, TypeError, "label_order must be a list of names"),
        ({1: "happy", 2: "sad"}, TypeError, "label_order must be a list of names"),
        ([0, 1], TypeError, "label_order must be a list of names"),
        (["happy"], ValueError, "label_order must hold two names at least"),
        (["happy", "sad", "Happy"], ValueError, "label_order must name each once, got 'happy'"),
        (["anger", "angry"], ValueError, "label_order must name each emotion once, got two words"),
        (["happy", "1"], ValueError, "label_order must hold names"),
    ],
)
def test_bad_orders(order, error, message):
    with pytest.raises(error, match=message) as caught:
        Labels(order)
    assert re.search(r"\.$", str(caught.value))


def test_the_words_of_other_data_sets_are_ours(tmp_path):
    words = ("anger", "Disgusted", "fearful", "JOY", "sadness", "surprised", "neutrality")
    data = quietly(write_folders(tmp_path, words))
    for number, emotion in enumerate(EMOTIONS):
        assert label_of(data, faces(2, number)[1]) == emotion
