"""The int8 copy of a vote: it says nearly the same, and only stands for what it was made from."""

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from fer_utils import EMOTIONS, EmotionRecognizer, SoftVote, processes
from fer_utils.files import SAVED_MODELS, sha256_of
from fer_utils.network import vote
from fer_utils.network.int8 import Int8Network, has_fast_int8, write_int8
from fer_utils.network.vote import SHIPPED_VOTE, read_vote, write_vote

ROOT = Path(__file__).parents[2]
PATCHES = np.random.default_rng(0).integers(0, 256, (40, 6, 6), dtype=np.uint8)
# Coarse patches, which networks tell apart as they do not tell noise.
FACES = PATCHES.repeat(8, axis=1).repeat(8, axis=2)
SHIPPED = read_vote(SHIPPED_VOTE)
needs_fast_int8 = pytest.mark.skipif(
    not has_fast_int8(), reason="this processor has no fast int8: the networks themselves vote"
)


@pytest.fixture
def vote_file(tmp_path) -> Path:
    """Return a copy of the shipped vote file, with all that it names."""
    for file in (SHIPPED_VOTE, *dict(SHIPPED.networks), *SHIPPED.int8.files):
        shutil.copy(file, tmp_path)
    vote._warn_of_int8.cache_clear()
    return tmp_path / SHIPPED_VOTE.name


def names_of(loaded: SoftVote) -> list[str]:
    return [network.name for network in loaded.models]


def test_the_shipped_copy_is_of_the_shipped_networks():
    assert SHIPPED.int8.made_from == [sha256_of(path) for path, _ in SHIPPED.networks]
    assert all(sha256_of(path) == sha256 for path, sha256 in SHIPPED.int8.files.items())


@needs_fast_int8
def test_the_shipped_copy_says_nearly_the_same_as_the_networks():
    network = Int8Network(SHIPPED.int8.files, None)
    faces = np.concatenate([FACES, np.full((1, 48, 48), 90, np.uint8)])  # the last one uniform
    told = SoftVote([network], SHIPPED.int8.temperature).predict_proba(faces)
    expected = SoftVote.load(precision="float").predict_proba(faces)
    assert np.isfinite(told).all()
    assert np.abs(told - expected).mean() < 0.01
    alone = np.concatenate([network(faces[i : i + 1]) for i in (0, 7, 40)])
    assert np.allclose(network(faces)[[0, 7, 40]], alone, atol=0.01)


def test_pickled_and_copied_it_is_its_files():
    network = Int8Network(SHIPPED.int8.files, EMOTIONS, threads=1)
    pickled = pickle.dumps(network)
    assert len(pickled) < 1500  # no weights travel along
    for other in (pickle.loads(pickled), copy.copy(network)):
        assert (other.name, other.emotions) == ("vote_int8", EMOTIONS)
        assert np.array_equal(other(FACES[:3]), network(FACES[:3]))


@needs_fast_int8
def test_where_the_processor_is_quick_at_it_the_copy_votes_unless_told_otherwise(vote_file):
    for options in ({}, {"precision": "int8"}, {"threads": 1}):
        assert names_of(SoftVote.load(vote_file, **options)) == ["vote_int8"]
    copied, networks = (SoftVote.load(vote_file, precision=p) for p in ("int8", "float"))
    assert names_of(networks) == ["vggnet", "vggnet_smote"]
    assert (copied.precision, networks.precision) == ("int8", "float")
    assert (copied.temperature, networks.temperature) == (
        SHIPPED.int8.temperature,
        SHIPPED.temperature,
    )
    assert names_of(EmotionRecognizer.load(precision="float").classifier) == names_of(networks)
    assert names_of(EmotionRecognizer.load().classifier) == names_of(copied)


@pytest.mark.parametrize("flags", ["avx2 avx512f avx512_bf16", "fma avx2", ""])
def test_where_it_is_slow_the_networks_vote_and_the_copy_is_refused(vote_file, monkeypatch, flags):
    cpuinfo = vote_file.with_name("cpuinfo")
    cpuinfo.write_text(f"processor : 0\nflags : fpu {flags}\n")
    monkeypatch.setattr(processes, "_CPUINFO", cpuinfo)
    has_fast_int8.cache_clear()
    try:
        with warnings.catch_warnings(action="error"):
            assert names_of(SoftVote.load(vote_file)) == ["vggnet", "vggnet_smote"]
        with pytest.raises(ValueError, match=r"'int8' needs a processor with .* leave precision"):
            SoftVote.load(vote_file, precision="int8")
        cpuinfo.write_text(f"processor : 0\nflags : {flags} avx_vnni\n")
        has_fast_int8.cache_clear()
        assert has_fast_int8()
    finally:
        has_fast_int8.cache_clear()


def cut_off(vote_file: Path) -> None:
    numbers = vote_file.with_name("vote_int8.bin")
    numbers.write_bytes(numbers.read_bytes()[:-1000])


def lose(vote_file: Path) -> None:
    vote_file.with_name("vote_int8.xml").unlink()


def name_other_networks(vote_file: Path) -> None:
    said = json.loads(vote_file.read_text())
    said["networks"].reverse()
    vote_file.write_text(json.dumps(said))


def fill_with_text(vote_file: Path) -> None:
    graph = vote_file.with_name("vote_int8.xml")
    said = vote_file.read_text().replace(sha256_of(graph), "{}")
    graph.write_text("no graph")
    vote_file.write_text(said.replace("{}", sha256_of(graph)))


@needs_fast_int8
@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (cut_off, ValueError, r"vote_int8\.bin' is not the file it was .*put it back"),
        (lose, FileNotFoundError, r"no file '.*vote_int8\.xml'; put it back"),
        (fill_with_text, ValueError, r"vote_int8\.xml' cannot be read by this OpenVINO"),
        (name_other_networks, ValueError, "was made from other networks than .*; make it with"),
    ],
)
def test_what_cannot_stand_for_the_networks_is_left_out_with_one_warning(
    vote_file, harm, error, message
):
    harm(vote_file)
    with pytest.warns(UserWarning, match=f"int8 copy.* is not used: .*{message}") as told:
        loaded = [SoftVote.load(vote_file) for _ in range(2)]
    assert len(told) == 1
    assert {*names_of(loaded[1])} == {"vggnet", "vggnet_smote"}
    with pytest.raises(error, match=message):
        SoftVote.load(vote_file, precision="int8")


@needs_fast_int8
def test_replaced_weights_are_refused_although_the_copy_would_vote(vote_file):
    one, other = (path for path, _ in read_vote(vote_file).networks)
    shutil.copy(other, one)
    with pytest.raises(ValueError, match=r"vggnet\.weights\.h5' is not the file it was"):
        SoftVote.load(vote_file)


def test_a_vote_without_a_copy_says_how_to_make_one(vote_file):
    write_vote(vote_file, [path for path, _ in read_vote(vote_file).networks], 1.0)
    assert names_of(SoftVote.load(vote_file)) == ["vggnet", "vggnet_smote"]
    with pytest.raises(ValueError, match=r"names no int8 copy .* --int8 --help"):
        SoftVote.load(vote_file, precision="int8")


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="precision must be 'float' or 'int8', got 'half'"):
        SoftVote.load(precision="half")
    own = [SAVED_MODELS / "vggnet.weights.h5"]
    with pytest.raises(ValueError, match=r"weights files of your own, got 'int8'; .*vote\.json"):
        EmotionRecognizer.load(own, precision="int8")
    EmotionRecognizer.load(own, precision="float").detector.close()


@needs_fast_int8
@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_what_is_made_says_nearly_what_its_networks_say(tmp_path, count, monkeypatch):
    weights = [path for path, _ in SHIPPED.networks[:count]]
    expected = SoftVote.from_weights(weights).predict_proba(FACES)
    own = types.ModuleType("openvino_telemetry")  # a program's, which it may need afterwards
    monkeypatch.setitem(sys.modules, own.__name__, own)
    files = write_int8(tmp_path / "mine.xml", weights, FACES[:8])
    assert {path.name for path in tmp_path.iterdir()} == {"mine.xml", "mine.bin"}
    assert sum(path.stat().st_size for path in files) < 0.55 * sum(
        w.stat().st_size for w in weights
    )
    told = Int8Network(files, None)(FACES)
    assert np.allclose(told.sum(axis=1), 1, atol=1e-3)
    assert np.abs(told - expected).mean() < 0.02
    assert sys.modules[own.__name__] is own


MAKE = """
import sys
from pathlib import Path
import numpy as np
from fer_utils.network.int8 import write_int8

noise = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
write_int8(Path(sys.argv[1]), [Path(sys.argv[2])], noise)
assert "nncf" in sys.modules
assert not sys.modules["openvino_telemetry"]
"""


@pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="needs Debian's strace"
)
@pytest.mark.slow
def test_making_it_opens_no_network_connection(tmp_path):
    log = tmp_path / "calls.txt"
    strace = "strace -f --seccomp-bpf -e trace=connect,sendto,sendmsg,sendmmsg -o".split()
    weights = SAVED_MODELS / "vggnet.weights.h5"
    # NNCF's reports are off where CI is set: here they must be off without it.
    without_ci = {name: value for name, value in os.environ.items() if name != "CI"}
    ended = subprocess.run(
        [*strace, log, sys.executable, "-c", MAKE, tmp_path / "made.xml", weights],
        env=without_ci,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "exited with 0" in log.read_text()
    assert "AF_INET" not in log.read_text()


def test_without_nncf_the_command_is_named(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['nncf'] = None\n")
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    ended = subprocess.run(
        [sys.executable, "-c", MAKE, tmp_path / "made.xml", SAVED_MODELS / "vggnet.weights.h5"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert ended.stderr.splitlines()[-1].startswith("ImportError: Making the int8 copy")
    assert "fer-utils[training,int8]" in ended.stderr
    assert not (tmp_path / "made.xml").exists()
