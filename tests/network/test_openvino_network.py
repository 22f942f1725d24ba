"""The light runtime: it agrees with Keras, keeps to itself, and does without where it must."""

import copy
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import keras
import numpy as np
import pytest

from fer_utils import EMOTIONS, EmotionRecognizer, FaceDetector, SoftVote, build_vgg
from fer_utils.network.openvino_network import LightNetwork, load_network
from fer_utils.network.vgg import at_size
from fer_utils.network.vgg_plan import LARGEST_SIZE, SMALLEST_SIZE

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def vgg() -> keras.Model:
    """Return a network whose every weight is drawn, batch norm's included."""
    keras.utils.set_random_seed(0)
    model = build_vgg()
    for weight in model.weights:
        if "norm" in weight.path:
            spread = RNG.uniform(0.5, 1.5, weight.shape)
            weight.assign(spread if weight.name in ("gamma", "moving_variance") else spread - 1)
    return model


@pytest.fixture(scope="module")
def weights_file(vgg, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "drawn.weights.h5"
    vgg.save_weights(path)
    return path


def faces_of(n: int, size: int) -> np.ndarray:
    """Draw pictures of coarse patches, which a network tells apart as it does not tell noise."""
    patches = RNG.integers(0, 256, (n, 7, 7), dtype=np.uint8)
    return patches.repeat(7, axis=1).repeat(7, axis=2)[:, :size, :size]


def told_by_keras(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(faces[..., None].astype(np.float32)))


@pytest.mark.slow
@pytest.mark.parametrize("size", range(SMALLEST_SIZE, LARGEST_SIZE + 1))
def test_it_agrees_with_keras_at_every_size(vgg, weights_file, size):
    network = LightNetwork(weights_file, size, precision="f32")
    faces = faces_of(8, size)
    expected = told_by_keras(at_size(vgg, size), faces)
    assert expected.std(axis=0).max() > 0.01  # else any network would agree
    told = network(faces)
    assert told.dtype == np.float32
    assert np.allclose(told, expected, atol=1e-5)
    assert network.input_size == (size, size)


@pytest.mark.slow
def test_the_quickest_precision_stays_close_to_keras(vgg, weights_file):
    faces = faces_of(32, 48)
    told = SoftVote.from_weights([weights_file]).predict_proba(faces, flip=True)
    assert np.allclose(told, SoftVote([vgg]).predict_proba(faces, flip=True), atol=0.02)


def test_any_number_of_faces_is_told_as_each_alone(weights_file):
    vote = SoftVote.from_weights([weights_file])
    faces = faces_of(70, 48)
    alone = np.concatenate([vote.predict_proba(faces[i : i + 1]) for i in (0, 6, 63, 64, 69)])
    assert np.allclose(vote.predict_proba(faces)[[0, 6, 63, 64, 69]], alone, atol=0.01)
    assert np.allclose(vote.predict_proba(faces[:7])[[0, 6]], alone[:2], atol=0.01)
    assert vote.predict_proba(faces[:0]).shape == (0, len(EMOTIONS))


def test_what_it_returned_outlives_the_next_call(weights_file):
    network = LightNetwork(weights_file)
    first = network(faces_of(2, 48))
    kept = first.copy()
    network(faces_of(2, 48))
    assert np.array_equal(first, kept)


def test_threads_take_turns(weights_file):
    network = LightNetwork(weights_file, precision="f32")
    batches = [faces_of(n, 48) for n in (1, 2, 3, 4, 5, 6)]
    expected = [network(batch) for batch in batches]
    with ThreadPoolExecutor(len(batches)) as pool:
        told = list(pool.map(network, batches))
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(told, expected, strict=True))


def threads_of(network: LightNetwork) -> int:
    return network._request.get_compiled_model().get_property("INFERENCE_NUM_THREADS")


@pytest.mark.parametrize(("threads", "each"), [(1, 1), (3, 1), (4, 2)])
def test_networks_that_vote_share_the_threads_and_say_the_same(weights_file, threads, each):
    faces = faces_of(2, 48)
    alone = LightNetwork(weights_file, threads=each)  # OpenVINO takes no more than there are cores
    vote = SoftVote.from_weights([weights_file, weights_file], threads=threads)
    for loaded in (vote, pickle.loads(pickle.dumps(vote))):
        assert [threads_of(network) for network in loaded.models] == [threads_of(alone)] * 2
    assert threads_of(LightNetwork(weights_file, threads=1)) == 1
    assert np.allclose(vote.predict_proba(faces), alone(faces), atol=0.02)


def test_a_network_may_vote_twice(weights_file):
    network = LightNetwork(weights_file)
    faces = faces_of(2, 48)
    assert np.allclose(SoftVote([network, network]).predict_proba(faces), network(faces), atol=1e-5)


@pytest.mark.parametrize(
    ("threads", "raised"), [(0, ValueError), (1.5, TypeError), (True, TypeError)]
)
@pytest.mark.parametrize(
    "load",
    [
        lambda path, threads: LightNetwork(path, threads=threads),
        lambda path, threads: SoftVote.from_weights([path], threads=threads),
        lambda path, threads: EmotionRecognizer.load([path], threads=threads),
        lambda path, threads: FaceDetector(threads=threads),
    ],
    ids=["LightNetwork", "SoftVote", "EmotionRecognizer", "FaceDetector"],
)
def test_threads_are_a_whole_number_of_at_least_1(weights_file, load, threads, raised):
    with pytest.raises(raised, match="threads must be a whole number of at least 1, got"):
        load(weights_file, threads)


def test_it_may_vote_beside_a_keras_model(vgg, weights_file):
    faces = faces_of(2, 48)
    mixed = SoftVote([load_network(weights_file), vgg])
    assert [model.name for model in mixed.models] == ["drawn", "vgg"]
    assert np.allclose(mixed.predict_proba(faces), told_by_keras(vgg, faces), atol=0.02)


def test_a_network_of_another_size_cannot_vote_along(weights_file):
    networks = [LightNetwork(weights_file, size) for size in (40, 48)]
    with pytest.raises(ValueError, match=r"one size \(h, w\), got \[\(40, 40\), \(48, 48\)\]"):
        SoftVote(networks)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 33}, ValueError, "size must be a whole number from 34 to 49 px, got 33"),
        ({"size": 48.0}, TypeError, r"size must be a whole number .* got 48\.0"),
        ({"precision": "int8"}, ValueError, "precision must be one of .* got 'int8'"),
    ],
)
def test_a_wrong_argument_is_named(weights_file, arguments, error, message):
    with pytest.raises(error, match=message):
        LightNetwork(weights_file, **arguments)


@pytest.mark.slow
def test_pickled_and_copied_it_is_its_file_and_settings(vgg, tmp_path):
    path = tmp_path / "mine.weights.h5"
    vgg.save_weights(path)
    network = LightNetwork(path, 40, precision="f32")
    faces = faces_of(3, 40)
    pickled = pickle.dumps(network)
    assert len(pickled) < 1000  # no weights travel along
    for other in (pickle.loads(pickled), copy.copy(network), copy.deepcopy(network)):
        assert (other.name, other.input_size) == ("mine", (40, 40))
        assert np.array_equal(other(faces), network(faces))
    build_vgg().save_weights(path)
    with pytest.raises(ValueError, match=r"mine\.weights\.h5' is not the file it was .*SHA-256"):
        pickle.loads(pickled)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no weights file .*mine\.weights\.h5"):
        pickle.loads(pickled)


def test_it_is_pickled_from_any_folder(weights_file, monkeypatch):
    monkeypatch.chdir(weights_file.parent)
    pickled = pickle.dumps(LightNetwork(weights_file.name))
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).name == "drawn"


def test_another_checksum_is_refused(weights_file):
    with pytest.raises(ValueError, match="its SHA-256 is not 0123"):
        load_network(weights_file, "0123")


@pytest.mark.usefixtures("without_openvino")
@pytest.mark.slow
def test_keras_stands_in_where_openvino_is_missing_and_says_so_once(vgg, weights_file):
    with pytest.warns(UserWarning, match="Keras computes the networks .* requirements"):
        vote = SoftVote.from_weights([weights_file])
    assert isinstance(vote.models[0], keras.Model)
    faces = faces_of(2, 48)
    assert np.allclose(vote.predict_proba(faces), told_by_keras(vgg, faces), atol=1e-5)
    with warnings.catch_warnings(action="error"):
        SoftVote.from_weights([weights_file])


def run_python(code: str, *arguments: object, prefix: tuple[str, ...] = (), **environment: str):
    # OpenVINO's reports are off where CI is set: here they must be off without it.
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [*prefix, sys.executable, "-c", code, *map(str, arguments)],
        env=inherited | environment,
        capture_output=True,
        text=True,
    )


VOTE = """
import sys
import numpy as np
from fer_utils import SoftVote

assert "openvino" not in sys.modules
SoftVote.from_weights(sys.argv[1:]).predict_proba(np.zeros((1, 48, 48), np.uint8))
assert "openvino" in sys.modules
print(*sorted(name.partition(".")[0] for name, module in sys.modules.items() if module))
"""


def test_a_vote_loads_neither_tensorflow_nor_what_reports_use(weights_file, tmp_path_factory):
    tmp_path, cache = (tmp_path_factory.mktemp(name) for name in ("home", "cache"))
    ended = run_python(VOTE, weights_file, HOME=str(tmp_path), FER_CACHE_DIR=str(cache))
    assert ended.returncode == 0, ended.stderr
    assert not {"tensorflow", "keras", "openvino_telemetry"} & set(ended.stdout.split())
    assert list(tmp_path.iterdir()) == []  # where OpenVINO would note who it reports on


RECOGNIZE = """
import sys
from matplotlib.cbook import get_sample_data
from fer_utils import EmotionRecognizer

recognizer = EmotionRecognizer.load(sys.argv[1:])
assert recognizer.recognize(get_sample_data("grace_hopper.jpg", asfileobj=False))
recognizer.detector.close()
assert "tensorflow" not in sys.modules
"""


@pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="needs Debian's strace"
)
@pytest.mark.slow
def test_recognition_opens_no_network_connection(weights_file, tmp_path):
    log = tmp_path / "calls.txt"
    strace = "strace -f --seccomp-bpf -e trace=connect,sendto,sendmsg,sendmmsg -o".split()
    ended = run_python(RECOGNIZE, weights_file, prefix=(*strace, str(log)))
    assert ended.returncode == 0, ended.stderr
    assert "exited with 0" in log.read_text()
    assert "AF_INET" not in log.read_text()


FORK = """
import os
import numpy as np
from fer_utils import SoftVote, build_vgg

vote = SoftVote([build_vgg(width=0.1)])
faces = np.zeros((1, 48, 48), np.uint8)
child = os.fork()
if child == 0:
    try:
        vote.predict_proba(faces)
    except ValueError as error:
        os._exit("get_context('spawn')" in str(error))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.slow
def test_what_keras_computes_is_refused_in_a_forked_child(weights_file):
    ended = run_python(FORK)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_what_keras_computes_can_do_what_that_message_says(vgg):
    vote = SoftVote([vgg])
    faces = faces_of(2, 48)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        told = pool.submit(vote.predict_proba, faces).result()
    assert np.allclose(told, vote.predict_proba(faces), atol=1e-5)
