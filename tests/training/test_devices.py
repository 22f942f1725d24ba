"""Most of these need two devices; tests/test_backends.py runs them with two virtual ones."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from fer_utils import train
from fer_utils.training.devices import Spread, spread_over
from tests.training.test_loop import (
    OPTIONS,
    TRAIN,
    VALIDATION,
    arrays_in,
    keep_states,
    narrow,
)

ROOT = Path(__file__).parents[2]
ON_JAX = keras.backend.backend() == "jax"
TWO = ON_JAX and len(keras.distribution.list_devices()) == 2
on_two_devices = pytest.mark.skipif(not TWO, reason="run with two devices by test_backends.py")
# An epoch is a step, whose loss the log has; two devices do not divide the validation part.
ONE_STEP = OPTIONS | {"batch_size": 96, "image_sizes": {0: 48}, "epochs": 3}
ODD_VALIDATION = VALIDATION.take(slice(0, 33))


def run(folder, train_split=TRAIN, **options):
    return train(narrow(), train_split, ODD_VALIDATION, run_dir=folder, **(ONE_STEP | options))


def run_keeping_states(folder, **options):
    with pytest.MonkeyPatch.context() as patch:
        keep_states(patch, folder)  # of the start, and after each epoch
        run(folder, **options)
    return folder


@pytest.fixture(scope="module")
def on_one(tmp_path_factory) -> Path:
    return run_keeping_states(tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture(scope="module")
def on_two(tmp_path_factory) -> Path:
    return run_keeping_states(tmp_path_factory.mktemp("runs") / "two", devices="all")


def assert_close(found, wanted):
    found, wanted = (pd.read_csv(folder / "history.csv") for folder in (found, wanted))
    for column in ("loss", "val_loss"):
        np.testing.assert_allclose(found[column], wanted[column], rtol=1e-4)
    rest = ["epoch", "image_size", "learning_rate", "accuracy", "val_accuracy"]
    pd.testing.assert_frame_equal(found[rest], wanted[rest])


@on_two_devices
def test_two_devices_compute_what_one_does(on_one, on_two):
    assert_close(on_two, on_one)
    found, wanted = (arrays_in(folder / "best.weights.h5") for folder in (on_two, on_one))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=2e-3, err_msg=name)


@on_two_devices
def test_a_batch_that_the_devices_do_not_divide(tmp_path):
    odd = {"batch_size": 95, "epochs": 1}
    for devices in (1, 2):
        run(tmp_path / str(devices), devices=devices, **odd)
    assert_close(tmp_path / "2", tmp_path / "1")


@on_two_devices
@pytest.mark.parametrize(("begun", "devices"), [("on_one", 2), ("on_two", 1)])
def test_a_run_goes_on_with_another_number_of_devices(request, tmp_path, begun, devices):
    whole = request.getfixturevalue(begun)
    folder = Path(shutil.copytree(whole, tmp_path / "cut"))
    lines = (folder / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(lines[:2]))
    shutil.copy(folder / "state2.weights.h5", folder / "last.weights.h5")
    (folder / "best.weights.h5").unlink()
    run(folder, devices=devices)
    assert_close(folder, whole)


@on_two_devices
def test_each_device_gets_its_share_if_they_divide_the_batch():
    import jax

    def shapes(faces):
        shared = jax.jit(Spread())(np.zeros((faces, 48, 48, 1), np.uint8))
        return [shard.data.shape[0] for shard in shared.addressable_shards]

    with spread_over(2):
        assert shapes(6) == [3, 3]
        assert shapes(5) in ([5, 5], [5])
    assert shapes(6) == [6]


TOGETHER = """
import sys
from pathlib import Path
from fer_utils.training.devices import join_hosts
join_hosts()
from tests.training.test_devices import run
run(Path(sys.argv[1]), devices="all")
"""


@on_two_devices
def test_two_processes_compute_what_one_does(on_one, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": os.environ["XLA_FLAGS"].replace("device_count=2", "device_count=1"),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(tmp_path / str(number))],
            env=common | {"KERAS_DISTRIBUTION_PROCESS_ID": str(number)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for number, process in enumerate(runs):
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
        assert_close(tmp_path / str(number), on_one)


@pytest.mark.parametrize(
    ("devices", "error", "message"),
    [
        (0, ValueError, "devices must be a whole number of at least 1"),
        (1.5, TypeError, "devices must be a whole number"),
        ("both", ValueError, "devices must be \"all\" or a number of devices, got 'both'"),
    ],
)
def test_what_is_no_number_of_devices(tmp_path, devices, error, message):
    with pytest.raises(error, match=message):
        run(tmp_path / "run", devices=devices)
    assert not (tmp_path / "run").exists()


@on_two_devices
def test_more_devices_than_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"devices=3 are more than the 2 .*\(cpu:0, cpu:1\)"):
        run(tmp_path / "run", devices=3)


@pytest.mark.skipif(ON_JAX, reason="JAX can")
def test_another_backend_says_that_it_cannot(tmp_path):
    with pytest.raises(ValueError, match=r"devices=2 needs JAX: .*KERAS_BACKEND to jax"):
        run(tmp_path / "run", devices=2)
    assert not (tmp_path / "run").exists()
