"""The weights files that a training leaves: `save_half` of `network.weights_file`."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from fer_utils.network.vgg import build_vgg, load_weights
from fer_utils.network.weights_file import read_weights, save_half, standardizes


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """Return the same network's weights as Keras writes them, and in half precision."""
    folder = tmp_path_factory.mktemp("half")
    full, half = folder / "full.weights.h5", folder / "half.weights.h5"
    keras.utils.set_random_seed(3)
    model = build_vgg()
    before = model.get_weights()
    model.save_weights(full)
    save_half(model, half)
    assert all(map(np.array_equal, before, model.get_weights()))
    return full, half


def entries(path: Path) -> dict[str, tuple]:
    """Return what each group and array of a file is, and its attributes."""
    found = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        shape = item.shape if isinstance(item, h5py.Dataset) else None
        found[name] = (type(item), shape, dict(item.attrs))

    with h5py.File(path) as file:
        file.visititems(note)
        found["/"] = dict(file.attrs)
    return found


def test_the_file_is_half_as_large_and_else_the_same(files):
    full, half = files
    assert half.stat().st_size < 0.51 * full.stat().st_size
    assert entries(half) == entries(full)
    assert standardizes(half)


def test_kernels_are_halved_and_vectors_are_not(files):
    with h5py.File(files[0]) as full, h5py.File(files[1]) as half:

        def compare(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                kernel = item.ndim > 1
                assert half[name].dtype == (np.float16 if kernel else item.dtype), name
                assert np.array_equal(half[name][()], item[()].astype(half[name].dtype)), name

        full.visititems(compare)


def test_both_readers_give_the_same_numbers(files):
    model = load_weights(files[1])
    assert {array.dtype for array in model.get_weights()} == {np.dtype(np.float32)}
    for name, (kernel, *_) in read_weights(files[1]).items():
        assert kernel.dtype == np.float32
        assert np.array_equal(kernel, keras.ops.convert_to_numpy(model.get_layer(name).kernel))
        assert np.array_equal(kernel, kernel.astype(np.float16))


def test_what_half_precision_cannot_hold_is_named_and_not_written(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="wide")])
    path = tmp_path / "wide.weights.h5"
    bias = np.float32([1e30, 0])  # which stays float32
    model.set_weights([np.float32([[1, 65504], [0, 0]]), bias])
    save_half(model, path)
    model.load_weights(path)
    assert np.array_equal(model.get_weights()[0], [[1, 65504], [0, 0]])
    assert np.array_equal(model.get_weights()[1], bias)
    path.unlink()
    model.set_weights([np.float32([[1, -7e4], [0, 0]]), bias])
    with pytest.raises(ValueError, match=r"wide/kernel holds a value of 7e\+04, too large for"):
        save_half(model, path)
    assert not path.exists()
