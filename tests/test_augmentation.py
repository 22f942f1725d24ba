from itertools import chain, islice

import numpy as np
import pytest

from fer_utils.augmentation import (
    RAMP,
    augment,
    one_hot,
    resize,
    steps_per_epoch,
    strength_at,
    training_batches,
)
from fer_utils.data import Split

RNG = np.random.default_rng(0)
# Smooth faces, because resampling blurs noise and so hides how far a face has strayed.
FACES = resize(RNG.integers(0, 256, (64, 6, 6)), 48).astype(np.uint8)


def augmented(strength: float, seed: int = 1, faces: np.ndarray = FACES) -> np.ndarray:
    return augment(faces, np.random.default_rng(seed), strength)


def test_the_same_chance_gives_the_same_faces():
    assert np.array_equal(augmented(1.0), augmented(1.0))
    assert not np.allclose(augmented(1.0), augmented(1.0, seed=2), atol=5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_faces_keep_shape_and_range_and_the_originals_stay(strength, dtype):
    faces = FACES.astype(dtype)
    result = augmented(strength, faces=faces)
    assert np.array_equal(faces, FACES)
    assert result.shape == FACES.shape
    assert result.dtype == np.float32
    assert 0 <= result.min() < result.max() <= 255


def test_no_strength_only_mirrors():
    result = augmented(0.0)
    same = (result == FACES).all(axis=(1, 2))
    mirrored = (result == FACES[:, :, ::-1]).all(axis=(1, 2))
    assert (same ^ mirrored).all()
    assert 16 < same.sum() < 48  # about half of 64


def test_faces_stray_further_with_more_strength():
    def distance(strength: float) -> float:
        result = augmented(strength)
        to_same = np.abs(result - FACES).mean(axis=(1, 2))
        to_mirrored = np.abs(result - FACES[:, :, ::-1]).mean(axis=(1, 2))
        return np.minimum(to_same, to_mirrored).mean()

    distances = [distance(strength) for strength in (0.0, 0.25, 0.5, 1.0)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[3] > 2 * distances[1]


def test_a_face_moves_by_no_more_than_a_share_of_its_side():
    """A dot stays within rotation, zoom and shift of where it was."""
    dot = np.zeros((200, 48, 48), np.uint8)
    dot[:, 22:26, 22:26] = 255
    result = augmented(1.0, faces=dot)
    # Without the erased faces: their noise would be taken for the dot.
    whole = result[(result > 128).sum(axis=(1, 2)) < 36]
    assert len(whole) > 80
    centres = np.array([np.argwhere(face > face.max() / 2).mean(axis=0) for face in whole])
    strayed = np.abs(centres - 23.5).max(axis=0)
    assert (strayed > 3).all()
    assert (strayed < 0.12 * 48 * 1.12 + 1.5).all()  # the shift, zoomed, and half a dot's blur


def test_the_strength_ramps_up_to_one_and_stays():
    strengths = [strength_at(epoch, 50) for epoch in range(50)]
    assert strengths[0] == 0.25
    assert strengths == sorted(strengths)
    assert strengths[int(RAMP * 50) - 1] < 1
    assert set(strengths[int(RAMP * 50) :]) == {1.0}
    assert strength_at(0, 1) == 0.25


@pytest.mark.parametrize("size", [34, 48])
def test_resizing_keeps_what_a_picture_shows(size):
    flat = np.full((2, 48, 48), 100, np.uint8)
    flat[1] = np.linspace(0, 255, 48)
    result = resize(flat, size)
    assert result.shape == (2, size, size)
    assert result.dtype == np.float32
    assert np.allclose(result[0], 100, atol=1e-3)
    assert np.allclose(
        result[1, 0], np.interp(np.linspace(0, 47, size), range(48), flat[1, 0]), atol=4
    )


def test_labels_become_rows_with_a_single_one():
    assert one_hot(np.array([3, 0])).tolist() == [[0, 0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]]
    assert one_hot(np.array([3])).dtype == np.float32


@pytest.mark.parametrize(
    ("n", "batch", "steps"), [(64, 16, 4), (79, 16, 4), (80, 16, 5), (7, 16, 1)]
)
def test_an_epoch_has_only_full_batches_but_at_least_one(n, batch, steps):
    assert steps_per_epoch(Split(np.zeros((n, 48, 48), np.uint8), np.zeros(n, int)), batch) == steps


SPLIT = Split(FACES[:38], np.arange(38) % 7)  # 4 batches of 8 faces, 6 faces left over


def batches(start: int, stop: int, size: int = 48, seed: int = 7) -> list:
    stream = training_batches(
        SPLIT, batch_size=8, image_size=size, epochs=3, first_step=start, seed=seed
    )
    return list(islice(stream, stop - start))


@pytest.mark.parametrize("start", [1, 4, 6])
def test_a_stream_taken_up_later_is_the_same_stream(start):
    later, whole = batches(start, 10), batches(0, 10)[start:]
    assert len(later) == 10 - start
    for (pixels, labels), (expected_pixels, expected_labels) in zip(later, whole, strict=True):
        assert np.array_equal(pixels, expected_pixels)
        assert np.array_equal(labels, expected_labels)


@pytest.mark.parametrize("size", [34, 48])
def test_a_batch_is_pixels_and_one_hot_labels(size):
    ((pixels, labels),) = batches(0, 1, size)
    assert pixels.shape == (8, size, size, 1)
    assert pixels.dtype == labels.dtype == np.float32
    assert pixels.max() > 1  # not rescaled: the network does that
    assert labels.shape == (8, 7)
    assert (labels.sum(axis=1) == 1).all()


@pytest.fixture
def flat_faces(monkeypatch):
    """Each face is its own number in grey, and stays as it is: one can see which one it was."""
    monkeypatch.setattr("fer_utils.augmentation.augment", lambda faces, rng, strength: faces)
    numbers = np.arange(38)
    return Split(np.tile(numbers.astype(np.uint8)[:, None, None], (1, 48, 48)), numbers % 7)


def test_a_face_weighs_what_its_emotion_does():
    weights = np.arange(1.0, 8.0)
    stream = training_batches(
        SPLIT, batch_size=8, image_size=48, epochs=1, first_step=0, seed=7, class_weights=weights
    )
    for (pixels, labels, weight), (same_pixels, _) in zip(stream, batches(0, 4), strict=False):
        assert np.array_equal(pixels, same_pixels)
        assert weight.tolist() == (labels @ weights).tolist()


def test_soft_labels_come_with_their_faces(flat_faces):
    soft = np.random.default_rng(0).dirichlet(np.ones(7), 38).astype(np.float32)
    stream = training_batches(
        flat_faces, batch_size=8, image_size=48, epochs=1, first_step=0, seed=7, soft_labels=soft
    )
    pixels, labels = next(stream)
    assert np.array_equal(labels, soft[pixels[:, 0, 0, 0].astype(int)])


def orders(split: Split, seed: int) -> list[list[int]]:
    """Return the faces of three epochs in the order in which they come."""
    stream = training_batches(split, batch_size=8, image_size=48, epochs=3, first_step=0, seed=seed)
    steps = list(islice(stream, 12))
    for pixels, labels in steps:
        assert np.array_equal(labels.argmax(axis=1), pixels[:, 0, 0, 0] % 7)
    numbers = [pixels[:, 0, 0, 0].astype(int).tolist() for pixels, _ in steps]
    return [list(chain(*numbers[start : start + 4])) for start in (0, 4, 8)]


def test_an_epoch_sees_each_face_at_most_once_and_each_in_a_new_order(flat_faces):
    epochs = orders(flat_faces, seed=7)
    assert all(len(epoch) == len(set(epoch)) == 32 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    # Those left over are others each time, so none is left out for good.
    assert set().union(*epochs) == set(range(38))
    assert orders(flat_faces, seed=7) == epochs
    assert orders(flat_faces, seed=8) != epochs


def test_a_batch_is_augmented_anew_in_every_epoch():
    one_batch = Split(FACES[:8], np.arange(8) % 7)
    stream = training_batches(
        one_batch, batch_size=8, image_size=48, epochs=1, first_step=0, seed=7
    )
    (first, _), (second, _) = islice(stream, 2)
    assert not np.allclose(
        np.sort(first.mean(axis=(1, 2, 3))), np.sort(second.mean(axis=(1, 2, 3)))
    )
