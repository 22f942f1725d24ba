from pathlib import Path

import keras
import numpy as np
import pytest

from fer_utils.data.dataset import load_dataset
from fer_utils.network.vgg import build_vgg, load_weights
from fer_utils.training import averaging
from fer_utils.training.averaging import average_weights
from tests.helpers.data_sets import few_of_each, write_fer2013

FIXTURE = Path(__file__).parents[1] / "fixtures/tiny_fer2013.zip"
FACES = np.random.default_rng(0).uniform(0, 255, (20, 48, 48, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[str]:
    """Return the weights files of two networks that learned nothing, and differently."""
    folder = tmp_path_factory.mktemp("networks")
    paths = [str(folder / f"{name}.weights.h5") for name in ("first", "second")]
    for seed, path in enumerate(paths):
        keras.utils.set_random_seed(seed)
        build_vgg().save_weights(path)
    return paths


@pytest.mark.slow
def test_what_is_learned_is_the_mean_and_the_statistics_are_those_of_the_faces(paths):
    average = average_weights(paths, FACES)
    each = [load_weights(path) for path in paths]
    for mean, *same in zip(*(model.trainable_variables for model in [average, *each]), strict=True):
        assert np.allclose(mean, np.mean([keras.ops.convert_to_numpy(w) for w in same], axis=0))
    norm = average.get_layer("block1_conv1_norm")
    entered = keras.Model(average.input, norm.input)(FACES)
    found = keras.ops.convert_to_numpy(norm.moving_mean)
    assert np.allclose(found, keras.ops.mean(entered, axis=(0, 1, 2)), atol=1e-5)


def test_one_network_has_no_average(paths):
    for same in ([], paths[:1], [paths[0], paths[0]]):
        with pytest.raises(ValueError, match="at least two different weights files, got"):
            average_weights(same, FACES)


@pytest.mark.slow
def test_networks_count_by_their_shares(paths):
    average = average_weights(paths, FACES, shares=[1, 3])
    kernels = [model.trainable_variables[0] for model in [*map(load_weights, paths), average]]
    first, second, mean = map(keras.ops.convert_to_numpy, kernels)
    assert np.allclose(mean, first / 4 + second * 3 / 4, atol=1e-7)


@pytest.mark.parametrize("shares", [[1], [1, 0], [0.5, -0.5], [1, float("nan")], [1, 2, 3]])
def test_shares_that_mean_nothing_are_refused(paths, shares):
    with pytest.raises(ValueError, match="shares must hold a positive number for each of the 2"):
        average_weights(paths, FACES, shares=shares)


@pytest.mark.slow
def test_the_command_writes_the_average_and_compares_it(paths, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    data = load_dataset(FIXTURE, cache=False, progress=False)
    train_split = few_of_each(data.train, 7).take(slice(0, -1))  # to be balanced by SMOTE
    parts = {"Training": train_split, "PublicTest": few_of_each(data.validation, 1)}
    source = write_fer2013(tmp_path / "fer2013.csv", parts)
    output = tmp_path / "average.weights.h5"
    arguments = ["--data", str(source), "--method", "smote", "--weights", *paths, "--output"]
    averaging.main([*arguments, str(output)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[1] for line in lines] == [*paths, str(output)]
    kernels = [load_weights(path).trainable_variables[0] for path in [*paths, output]]
    first, second, mean = map(keras.ops.convert_to_numpy, kernels)
    assert np.allclose(mean, (first + second) / 2, rtol=1e-3, atol=1e-6)  # half precision

    before = output.read_bytes()
    with pytest.raises(SystemExit):
        averaging.main([*arguments, str(output)])
    assert "is there already; name a new file" in capsys.readouterr().err
    assert output.read_bytes() == before


def test_a_name_that_keras_cannot_write_is_refused_before_any_work(paths, tmp_path, capsys):
    with pytest.raises(SystemExit):
        averaging.main(["--data", "x", "--weights", *paths, "--output", str(tmp_path / "mean.h5")])
    assert "output must end in .weights.h5" in capsys.readouterr().err
