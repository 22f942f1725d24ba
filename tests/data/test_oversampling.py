from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from fer_utils.data.dataset import Split, load_dataset
from fer_utils.data.oversampling import oversample
from fer_utils.emotions import EMOTIONS

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_fer2013.zip"
DISGUST = EMOTIONS.index("disgust")


@pytest.fixture(scope="module")
def train() -> Split:
    return load_dataset(TINY, cache=False, progress=False).train


@pytest.fixture(scope="module")
def smote(train) -> Split:
    return oversample(train)


def contents(split: Split) -> Counter:
    return Counter(
        (int(label), image.tobytes())
        for image, label in zip(split.images, split.labels, strict=True)
    )


def added_images(before: Split, after: Split, label: int) -> np.ndarray:
    known = {image.tobytes() for image in before.images}
    of_label = after.images[after.labels == label]
    return np.stack([image for image in of_label if image.tobytes() not in known])


def neighbour_step(images: np.ndarray) -> float:
    """Return the mean difference between a pixel and the one to its right."""
    return np.abs(np.diff(images.astype(float), axis=2)).mean()


def with_few_disgusted(train: Split, count: int) -> Split:
    disgusted = np.flatnonzero(train.labels == DISGUST)
    return train.take(np.setdiff1d(np.arange(len(train)), disgusted[count:]))


@pytest.mark.parametrize("method", ["smote", "random"])
def test_every_emotion_grows_to_the_most_frequent_and_no_face_is_lost(train, method):
    balanced = oversample(train, method)
    assert set(balanced.counts().values()) == {max(train.counts().values())}
    assert contents(train) <= contents(balanced)


def test_random_only_copies(train):
    assert set(contents(oversample(train, "random"))) == set(contents(train))


def test_synthetic_faces_lie_between_two_real_ones_of_their_emotion(train, smote):
    real = train.images[train.labels == DISGUST].reshape(-1, 48 * 48).astype(float)
    synthetic = added_images(train, smote, DISGUST).reshape(-1, 48 * 48).astype(float)
    misfits = np.full(len(synthetic), np.inf)
    for start, end in combinations(real, 2):
        way = end - start
        share = np.clip((synthetic - start) @ way / (way @ way), 0, 1)
        distances = np.abs(start + share[:, None] * way - synthetic).max(axis=1)
        misfits = np.minimum(misfits, distances)
    assert len(synthetic) > 40
    assert misfits.max() < 1  # rounding to whole greys


def test_synthetic_faces_are_no_noise(train, smote):
    for emotion, count in train.counts().items():
        label = EMOTIONS.index(emotion)
        if count < max(train.counts().values()):
            real = neighbour_step(train.images[train.labels == label])
            assert neighbour_step(added_images(train, smote, label)) <= real, emotion


@pytest.mark.parametrize("method", ["smote", "random"])
def test_the_seed_decides(train, method):
    first, again, other = (oversample(train, method, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert contents(first) != contents(other)


@pytest.mark.parametrize("method", ["smote", "random"])
def test_new_faces_do_not_stand_at_the_end(train, method):
    labels = oversample(train, method).labels
    # The samplers leave the originals first, then each emotion's new faces in one piece.
    assert (labels[: len(train)] != train.labels).any()
    last = labels[len(train) :]
    assert np.count_nonzero(np.diff(last)) > len(last) / 2
    assert "happy" in {EMOTIONS[label] for label in last}


@pytest.mark.parametrize(
    ("strategy", "grown"),
    [
        ({"disgust": 30, "sad": 55}, {"disgust": 30, "sad": 55}),
        ({DISGUST: 30, 4: 55}, {"disgust": 30, "sad": 55}),
        ({"disgust": 30, 4: 55}, {"disgust": 30, "sad": 55}),
        ({"happy": 80}, {"happy": 80}),
        ({"disgust": 20}, {}),
        ({}, {}),
        ("minority", {"disgust": 72}),
        ("not minority", dict.fromkeys(EMOTIONS, 72) | {"disgust": 20}),
        (lambda labels: {"fear": int((labels == 2).sum()) + 1}, {"fear": 43}),
    ],
)
@pytest.mark.parametrize("method", ["smote", "random"])
def test_sampling_strategy(train, method, strategy, grown):
    balanced = oversample(train, method, sampling_strategy=strategy)
    assert balanced.counts() == train.counts() | grown


def test_missing_emotions_stay_missing(train):
    balanced = oversample(with_few_disgusted(train, 0))
    assert balanced.counts() == dict.fromkeys(EMOTIONS, 72) | {"disgust": 0}


def test_none_returns_the_split_itself(train):
    assert oversample(train, "none") is train


def test_as_many_neighbours_as_there_are(train):
    assert oversample(with_few_disgusted(train, 2), k_neighbors=1).counts()["disgust"] == 72
    assert oversample(train, k_neighbors=19).counts()["disgust"] == 72


def test_an_emotion_that_does_not_grow_needs_no_neighbours(train):
    few = with_few_disgusted(train, 1)
    assert oversample(few, sampling_strategy="not minority").counts()["disgust"] == 1
    assert oversample(few, sampling_strategy={"sad": 60}).counts()["disgust"] == 1


@pytest.mark.parametrize(
    ("kept", "options", "message"),
    [
        (20, {"k_neighbors": 20}, r"at least 21 faces .*got 20 of 'disgust'\. Lower .* to 19"),
        (5, {}, r"k_neighbors=5 needs at least 6 faces .*got 5 of 'disgust'.*method='random'"),
        (5, {"sampling_strategy": "minority"}, "got 5 of 'disgust'"),
        (5, {"sampling_strategy": {"disgust": 6}}, "got 5 of 'disgust'"),
        (1, {"k_neighbors": 1}, r"got 1 of 'disgust'\. Add faces"),
        (20, {"k_neighbors": 40, "sampling_strategy": {"angry": 50}}, "got 40 of 'angry'"),
    ],
)
def test_too_few_faces_for_k_neighbors(train, kept, options, message):
    with pytest.raises(ValueError, match=message):
        oversample(with_few_disgusted(train, kept), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "adasyn"}, "method must be one of smote, random, none, got 'adasyn'"),
        ({"k_neighbors": 0}, "k_neighbors must be a whole number from 1 .*got 0"),
        ({"k_neighbors": 2.5}, "k_neighbors must be .*got 2.5"),
        ({"random_state": -1}, "random_state must be a whole number from 0 .*got -1"),
        ({"random_state": "a"}, "random_state must be .*got 'a'"),
        ({"sampling_strategy": "most"}, "sampling_strategy must be one of auto, .*got 'most'"),
        ({"sampling_strategy": 0.5}, "sampling_strategy must be one of .*or a dict.*got 0.5"),
        ({"sampling_strategy": {"joy": 90}}, "labels 0-6 or by the names angry, .*got 'joy'"),
        ({"sampling_strategy": {7: 90}}, "labels 0-6 .*got 7"),
        ({"sampling_strategy": {"happy": 10}}, "whole number of 'happy', 72 or more.*got 10"),
        ({"sampling_strategy": {"sad": 60.5}}, "whole number of 'sad', 48 or more.*got 60.5"),
    ],
)
def test_bad_options(train, options, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        oversample(train, **options)
    assert caught.type in (TypeError, ValueError)  # no library's own kind


@pytest.mark.parametrize("method", ["smote", "random"])
def test_faces_of_an_emotion_that_is_not_there_cannot_be_made(train, method):
    with pytest.raises(ValueError, match="faces of 'disgust', but split holds none"):
        oversample(with_few_disgusted(train, 0), method, sampling_strategy={"disgust": 9})


@pytest.mark.parametrize("labels", [[], [DISGUST]])
def test_one_emotion_alone_cannot_be_balanced(train, labels):
    with pytest.raises(ValueError, match="split must hold faces of two emotions or more"):
        oversample(train.take(np.isin(train.labels, labels)))


def test_the_whole_data_set_is_not_a_split(train):
    with pytest.raises(TypeError, match=r"split must be a Split such as data\.train, got ndarray"):
        oversample(train.images)
