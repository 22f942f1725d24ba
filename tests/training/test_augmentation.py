from collections.abc import Callable

import keras
import numpy as np
import pytest

from fer_utils.training.augmentation import (
    RAMP,
    Augmentation,
    _erase,
    _move,
    _refocus,
    _relight,
    augment,
    augmented_copies,
    resize,
    strength_at,
)

RNG = np.random.default_rng(0)
# Smooth faces, because resampling blurs noise and so hides how far a face has strayed.
FACES = resize(RNG.integers(0, 256, (64, 6, 6)), 48).astype(np.uint8)


def augmented(strength: float, seed: int = 1, faces: np.ndarray = FACES) -> np.ndarray:
    pixels = faces[..., None].astype(np.float32)
    changed = augment(pixels, strength, keras.random.SeedGenerator(seed))
    return keras.ops.convert_to_numpy(changed)[..., 0]


def changed_by(step: Callable, faces: np.ndarray) -> np.ndarray:
    """Return faces after one step of `augment` at full strength."""
    pixels = faces[..., None].astype(np.float32)
    changed = step(pixels, 1.0, keras.random.SeedGenerator(1))
    return keras.ops.convert_to_numpy(changed)[..., 0]


def test_the_same_chance_gives_the_same_faces():
    assert np.array_equal(augmented(1.0), augmented(1.0))
    assert not np.allclose(augmented(1.0), augmented(1.0, seed=2), atol=5)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_faces_keep_shape_and_range(strength):
    result = augmented(strength)
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
    moved = changed_by(_move, dot)
    centres = np.array([np.argwhere(face > face.max() / 2).mean(axis=0) for face in moved])
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


def layered(size: int, strength: float, training: bool) -> np.ndarray:
    layer = Augmentation(size)
    layer.strength.assign(strength)
    return keras.ops.convert_to_numpy(layer(FACES[..., None], training=training))[..., 0]


@pytest.mark.parametrize("size", [34, 48])
def test_outside_of_training_the_layer_only_resizes(size):
    assert np.allclose(layered(size, 1.0, training=False), resize(FACES, size), atol=1e-3)


@pytest.mark.parametrize("size", [34, 48])
def test_in_training_the_layer_changes_faces_as_strongly_as_it_is_told(size):
    mirrored = layered(size, 0.0, training=True)
    expected = resize(FACES, size), resize(FACES, size)[:, :, ::-1]
    nearest = np.minimum(*(np.abs(mirrored - one).max(axis=(1, 2)) for one in expected))
    assert nearest.max() < 1e-2
    strayed = layered(size, 1.0, training=True)
    assert strayed.shape == (64, size, size)
    assert np.minimum(*(np.abs(strayed - one).mean(axis=(1, 2)) for one in expected)).mean() > 10


def test_an_erased_rectangle_holds_noise_and_covers_as_much_as_it_may():
    flat = np.full((400, 48, 48), 100, np.uint8)
    result = changed_by(_erase, flat)
    erased = (np.abs(np.diff(result, axis=2)).mean(axis=1) > 1).any(axis=1)
    assert 150 < erased.sum() < 250  # about half of 400
    background = np.median(result, axis=(1, 2), keepdims=True)
    covered = (np.abs(result - background) > 0.5).mean(axis=(1, 2))
    assert covered[~erased].max() == 0
    assert 0.01 < covered[erased].min()
    assert covered[erased].max() < 0.22


def standardized(faces: np.ndarray) -> np.ndarray:
    faces = faces - faces.mean(axis=(1, 2), keepdims=True)
    return faces / faces.std(axis=(1, 2), keepdims=True)


def test_light_changes_what_a_network_sees_once_it_has_standardized_the_face():
    """A change of brightness or contrast alone would be taken off again inside the network."""
    seen = np.abs(standardized(changed_by(_relight, FACES)) - standardized(FACES.astype(float)))
    assert np.median(seen.mean(axis=(1, 2))) > 0.05


def test_light_may_come_from_any_side():
    flat = np.full((200, 48, 48), 128, np.uint8)
    lit = changed_by(_relight, flat)
    left_to_right = lit[:, :, -8:].mean(axis=(1, 2)) - lit[:, :, :8].mean(axis=(1, 2))
    assert (left_to_right > 5).sum() > 40
    assert (left_to_right < -5).sum() > 40


def test_faces_are_blurred_or_sharpened():
    checks = np.tile(np.kron([[0, 1], [1, 0]], np.ones((2, 2))), (12, 12)) * 100 + 70
    result = changed_by(_refocus, np.tile(checks.astype(np.uint8), (100, 1, 1)))
    steps = result.std(axis=(1, 2)) / checks.std()
    assert (steps < 0.7).sum() > 10
    assert (steps > 1.1).sum() > 10


# 64 in all, as above: for another number JAX compiles each step anew.
def test_copies_to_look_at_are_each_of_their_own_face():
    copies = augmented_copies(FACES[:4], 16, strength=0.0)
    assert copies.shape == (4, 16, 48, 48)
    assert copies.dtype == np.uint8
    for face, some in zip(FACES, copies, strict=False):
        same = [np.array_equal(one, face) for one in some]
        mirrored = [np.array_equal(one, face[:, ::-1]) for one in some]
        assert all(a != b for a, b in zip(same, mirrored, strict=True))


def test_copies_to_look_at_are_what_training_gets():
    copies = augmented_copies(FACES[:4], 16, strength=0.5, seed=1)
    expected = augmented(0.5, seed=1, faces=np.repeat(FACES[:4], 16, axis=0))
    assert np.array_equal(copies.reshape(expected.shape), np.rint(expected))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((FACES[0], 3), ValueError, r"images must be uint8 \(n, .* shape \(48, 48\)"),
        ((FACES / 255, 3), ValueError, "images must be uint8 .* got float64"),
        ((FACES, 0), ValueError, "copies must be a whole number of at least 1, got 0"),
        ((FACES, 2.5), TypeError, "copies must be a whole number of at least 1, got 2.5"),
    ],
)
def test_what_cannot_be_augmented_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        augmented_copies(*arguments)


def test_a_strength_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match="strength must be between 0 and 1, got 30"):
        augmented_copies(FACES, 1, strength=30)
