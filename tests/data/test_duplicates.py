import numpy as np
import pytest

from fer_utils.data.dataset import FerDataset, Split
from fer_utils.data.duplicates import drop_duplicates, find_duplicates, stands_in_training


def faces(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def dataset(train: list[tuple[int, int]], validation: list[int], test: list[int] | None = None):
    """Build a data set of numbered pictures: train as (picture, label), the rest as pictures."""
    pictures = faces(10)

    def split(numbers, labels):
        return Split(pictures[list(numbers)], np.array(labels, dtype=np.int64))

    return FerDataset(
        split(*zip(*train, strict=True)),
        split(validation, [0] * len(validation)),
        None if test is None else split(test, [0] * len(test)),
    )


def test_find_duplicates_groups_copies_within_and_across_splits():
    data = dataset([(0, 3), (1, 3), (0, 3), (2, 4)], validation=[2, 5], test=[2, 6, 6])
    assert find_duplicates(data) == [
        [("train", 0), ("train", 2)],
        [("train", 3), ("validation", 0), ("test", 0)],
        [("test", 1), ("test", 2)],
    ]


@pytest.mark.parametrize(
    ("train", "kept"),
    [
        ([(0, 3), (1, 3)], [0, 1]),
        ([(0, 3), (1, 3), (0, 3), (0, 3)], [0, 1]),  # copies with one label: the first stays
        ([(0, 3), (1, 3), (0, 4)], [1]),  # copies with contradicting labels: none stays
        ([(1, 3), (8, 0)], [1]),  # also in validation
        ([(9, 2), (1, 3), (9, 2)], [1]),  # also in test
    ],
)
def test_drop_duplicates_clears_train_only(train, kept):
    data = dataset(train, validation=[8, 7, 7], test=[9])
    cleared = drop_duplicates(data)
    np.testing.assert_array_equal(cleared.train.images, faces(10)[kept])
    assert cleared.validation is data.validation
    assert cleared.test is data.test


def test_pictures_that_stand_in_training_too_are_left_out():
    faces = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)
    train = Split(faces[[0, 1]], np.array([0, 1]))
    # One copy of a training face, one pair of copies within validation.
    validation = Split(faces[[2, 1, 3, 3]], np.array([2, 1, 3, 3]))
    data = FerDataset(train, validation, Split(faces[[2]], np.array([2])))
    assert stands_in_training(data).tolist() == [False, True, False, False]
    assert stands_in_training(data, "test").tolist() == [False]
    assert not stands_in_training(data, "train").any()
    with pytest.raises(ValueError, match="part must be one of train, validation, test, got 'dev'"):
        stands_in_training(data, "dev")
    without = FerDataset(train, Split(faces[2:4], np.array([2, 3])), None)
    assert not stands_in_training(without).any()
