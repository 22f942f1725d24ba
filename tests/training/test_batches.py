from itertools import chain, islice

import numpy as np
import pytest

from fer_utils.data.dataset import Split
from fer_utils.training.batches import steps_per_epoch, training_batches

# Each face is its own number in grey, so that one can see which one it was.
NUMBERS = np.arange(38)
SPLIT = Split(np.tile(NUMBERS.astype(np.uint8)[:, None, None], (1, 48, 48)), NUMBERS % 7)


def batches(start: int, stop: int, split: Split = SPLIT, seed: int = 7, **options) -> list:
    """Return some batches; an epoch has 4 of 8 faces, 6 faces are left over."""
    options = {"opinion_share": 0.0, "mixup": 0.0} | options
    stream = training_batches(split, batch_size=8, first_step=start, seed=seed, **options)
    return list(islice(stream, stop - start))


def numbers(pixels: np.ndarray) -> np.ndarray:
    assert (pixels == pixels[:, :1, :1]).all()
    return pixels[:, 0, 0, 0].astype(int)


@pytest.mark.parametrize(
    ("n", "batch", "steps"), [(64, 16, 4), (79, 16, 4), (80, 16, 5), (7, 16, 1)]
)
def test_an_epoch_has_only_full_batches_but_at_least_one(n, batch, steps):
    assert steps_per_epoch(Split(np.zeros((n, 48, 48), np.uint8), np.zeros(n, int)), batch) == steps


@pytest.mark.parametrize("mixup", [0.0, 0.5])
@pytest.mark.parametrize("start", [1, 4, 6])
def test_a_stream_taken_up_later_is_the_same_stream(start, mixup):
    later, whole = batches(start, 10, mixup=mixup), batches(0, 10, mixup=mixup)[start:]
    assert len(later) == 10 - start
    for (pixels, labels), (expected_pixels, expected_labels) in zip(later, whole, strict=True):
        assert np.array_equal(pixels, expected_pixels)
        assert np.array_equal(labels, expected_labels)


def test_a_batch_is_pixels_and_one_hot_labels():
    ((pixels, labels),) = batches(0, 1)
    assert pixels.shape == (8, 48, 48, 1)
    assert pixels.dtype == np.uint8
    assert np.array_equal(labels, np.eye(7)[numbers(pixels) % 7])


def test_what_is_learned_may_be_opinions():
    opinions = np.eye(7, dtype=np.float32)[(SPLIT.labels + 1) % 7]
    split = Split(SPLIT.images, SPLIT.labels, opinions, np.zeros((38, 3), np.float32))
    ((pixels, targets),) = batches(0, 1, split, opinion_share=0.25)
    label = numbers(pixels) % 7
    assert targets.dtype == np.float32
    assert np.allclose(targets, 0.75 * np.eye(7)[label] + 0.25 * np.eye(7)[(label + 1) % 7])


def test_a_face_weighs_what_its_emotion_does():
    weights = np.arange(1.0, 8.0)
    for pixels, _, weight in batches(0, 4, class_weights=weights):
        assert weight.tolist() == (numbers(pixels) % 7 + 1).tolist()


def test_mixup_blends_faces_with_their_labels_and_weights():
    two = Split(SPLIT.images[:38:7] * 0 + 100, np.zeros(6, int))  # angry, grey value 100
    other = Split(two.images + 100, two.labels + 3)  # happy, grey value 200
    both = Split(np.concatenate([two.images, other.images]), np.repeat([0, 3], 6))
    weights = np.array([1.0, 0, 0, 5, 0, 0, 0])
    shares = []
    for pixels, labels, weight in batches(0, 200, both, mixup=0.4, class_weights=weights):
        share = (numbers(pixels) - 100) / 100
        assert np.allclose(labels[:, 3], share, atol=0.006)  # pixels are whole numbers
        assert np.allclose(labels.sum(axis=1), 1)
        assert np.allclose(weight, labels @ weights)
        shares.extend(share)
    shares = np.array(shares)
    assert 0.05 < np.mean((shares > 0.02) & (shares < 0.98)) < 0.6
    assert 0.02 < np.mean((shares > 0.4) & (shares < 0.6))


def test_the_smaller_mixup_the_more_one_face_prevails():
    def blended(mixup: float) -> float:
        labels = np.concatenate([labels for _, labels in batches(0, 100, mixup=mixup)])
        return (1 - labels.max(axis=1)).mean()

    assert 0 == blended(0.0) < blended(0.1) < blended(1.0) < 0.3


def orders(seed: int) -> list[list[int]]:
    """Return the faces of three epochs in the order in which they come."""
    found = [numbers(pixels).tolist() for pixels, _ in batches(0, 12, seed=seed)]
    return [list(chain(*found[start : start + 4])) for start in (0, 4, 8)]


def test_an_epoch_sees_each_face_at_most_once_and_each_in_a_new_order():
    epochs = orders(seed=7)
    assert all(len(epoch) == len(set(epoch)) == 32 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    # Those left over are others each time, so none is left out for good.
    assert set().union(*epochs) == set(range(38))
    assert orders(seed=7) == epochs
    assert orders(seed=8) != epochs
