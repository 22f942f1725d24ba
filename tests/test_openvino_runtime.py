"""Compiled networks are kept, and whatever is wrong with what was kept, the answer is right."""

import hashlib
import subprocess
import sys
import warnings

import numpy as np
import pytest

from fer_utils import openvino_runtime
from fer_utils.files import SAVED_MODELS
from fer_utils.network import openvino_network
from fer_utils.network.openvino_network import LightNetwork

WEIGHTS, OTHER = sorted(SAVED_MODELS.glob("*.weights.h5"))
FACES = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    openvino_runtime._warn.cache_clear()
    openvino_runtime._kept_in_memory.clear()
    return tmp_path / "cache" / "networks"


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_CACHE_DIR", str(tmp_path_factory.mktemp("first")))
        return LightNetwork(WEIGHTS)(FACES)


def made_anew(*arguments: object) -> LightNetwork:
    """Make a network as the next process would, which holds none in memory."""
    openvino_runtime._kept_in_memory.clear()
    return LightNetwork(*arguments)


def test_the_second_time_neither_weights_are_read_nor_a_graph_is_built(
    folder, expected, monkeypatch
):
    LightNetwork(WEIGHTS)
    assert [file.suffix for file in folder.iterdir()] == [".blob"]
    monkeypatch.delattr(openvino_network, "read_weights")
    monkeypatch.delattr(openvino_network, "to_graph")
    with warnings.catch_warnings(action="error"):
        assert np.array_equal(made_anew(WEIGHTS)(FACES), expected)


def test_in_the_same_process_it_is_the_same_whatever_becomes_of_the_file(folder, expected):
    network = LightNetwork(WEIGHTS)
    for file in folder.iterdir():
        file.unlink()
    del network
    assert np.array_equal(LightNetwork(WEIGHTS)(FACES), expected)
    assert not list(folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "changed", "not OpenVINO's"])
def test_a_damaged_file_is_made_anew_with_one_warning(folder, expected, damage):
    LightNetwork(WEIGHTS)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    foreign = hashlib.sha256(b"text").digest() + b"text"
    damaged = {
        "cut": whole[:-1000],
        "changed": whole[:-1] + bytes([whole[-1] ^ 1]),
        "not OpenVINO's": foreign,
    }
    file.write_bytes(damaged[damage])
    with pytest.warns(UserWarning, match="cache of compiled networks .* FER_CACHE_DIR") as told:
        assert np.array_equal(made_anew(WEIGHTS)(FACES), expected)
    assert len(told) == 1
    with warnings.catch_warnings(action="error"):
        assert np.array_equal(made_anew(WEIGHTS)(FACES), expected)


def test_where_nothing_can_be_written_it_is_compiled_with_one_warning(folder, expected, tmp_path):
    (tmp_path / "cache").write_text("a file in the folder's place")
    with pytest.warns(UserWarning, match="starts slower") as told:
        networks = [LightNetwork(WEIGHTS), LightNetwork(OTHER)]
    assert len(told) == 1
    assert np.array_equal(networks[0](FACES), expected)


@pytest.mark.slow
def test_other_weights_under_the_same_name_are_not_mistaken_for_the_first(folder, tmp_path):
    path = tmp_path / "mine.weights.h5"
    for source in (WEIGHTS, OTHER):
        path.write_bytes(source.read_bytes())
        assert np.array_equal(LightNetwork(path)(FACES), LightNetwork(source)(FACES))
    assert len(list(folder.iterdir())) == 2


@pytest.mark.slow
def test_each_size_and_precision_is_kept_for_itself_and_few_in_all(folder):
    small = FACES[:, :40, :40]
    told = {size: LightNetwork(WEIGHTS, size, "f32")(FACES[:, :size, :size]) for size in (40, 48)}
    assert np.array_equal(made_anew(WEIGHTS, 40, "f32")(small), told[40])
    for size in range(34, 40):
        LightNetwork(WEIGHTS, size)
    assert len(list(folder.iterdir())) == openvino_runtime._KEPT
    assert len(openvino_runtime._kept_in_memory) == openvino_runtime._KEPT


LOAD = """
import sys
import numpy as np
from fer_utils.network.openvino_network import LightNetwork

faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
np.save(sys.argv[2], LightNetwork(sys.argv[1])(faces))
"""


@pytest.mark.slow
def test_processes_that_start_at_once_do_not_disturb_each_other(folder, expected, tmp_path):
    files = [tmp_path / f"{number}.npy" for number in range(4)]
    command = [sys.executable, "-W", "error", "-c", LOAD, str(WEIGHTS)]
    started = [subprocess.Popen([*command, str(file)]) for file in files]
    assert [process.wait() for process in started] == [0] * len(files)
    assert all(np.array_equal(np.load(file), expected) for file in files)
    assert [file.suffix for file in folder.iterdir()] == [".blob"]
