import keras
import numpy as np
import pytest
from keras import layers

from fer_utils.training.batch_norm import BATCH_SIZE, take_statistics

FACES = np.random.default_rng(0).normal(100, 40, (BATCH_SIZE + 60, 12, 12, 1)).astype(np.float32)


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(momentum=0.9, name="first"),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Conv2D(5, 3),
            layers.BatchNormalization(momentum=0.8, name="second"),
        ]
    )


def moments(network: keras.Model, faces: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of what enters a batch norm in inference."""
    upto = keras.Model(network.inputs[0], network.get_layer(name).input)
    entered = keras.ops.convert_to_numpy(upto(faces))
    return entered.mean(axis=(0, 1, 2)), entered.var(axis=(0, 1, 2))


def statistics(network: keras.Model, name: str) -> list[np.ndarray]:
    norm = network.get_layer(name)
    return [keras.ops.convert_to_numpy(x) for x in (norm.moving_mean, norm.moving_variance)]


def test_the_statistics_are_those_of_the_faces_with_nothing_dropped(network):
    faces = FACES[: BATCH_SIZE // 2]
    take_statistics(network, faces)
    for name in ("first", "second"):
        for found, expected in zip(
            statistics(network, name), moments(network, faces, name), strict=True
        ):
            assert np.allclose(found, expected, rtol=2e-3), name


def test_faces_of_every_batch_count_alike(network):
    bright = np.concatenate([FACES[:BATCH_SIZE], FACES[:BATCH_SIZE] + 50])
    take_statistics(network, bright)
    mean, _ = moments(network, bright, "first")
    assert np.allclose(statistics(network, "first")[0], mean, rtol=1e-4)


def test_nothing_but_the_statistics_changes(network):
    before = [keras.ops.convert_to_numpy(weight) for weight in network.trainable_variables]
    take_statistics(network, FACES)
    for weight, same in zip(network.trainable_variables, before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(weight), same)
    assert [network.get_layer(name).momentum for name in ("first", "second")] == [0.9, 0.8]
    assert network.layers[3].rate == 0.5


def test_momentum_and_dropout_are_put_back_after_an_error(network):
    with pytest.raises(Exception, match="shape"):
        take_statistics(network, FACES[:, :2, :2])
    assert [network.get_layer(name).momentum for name in ("first", "second")] == [0.9, 0.8]
    assert network.layers[3].rate == 0.5


def test_a_network_without_batch_norm_stays_as_it_is():
    plain = keras.Sequential([keras.Input((12, 12, 1)), layers.Flatten(), layers.Dense(7)])
    before = plain.get_weights()
    take_statistics(plain, FACES)
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), before, strict=True))
