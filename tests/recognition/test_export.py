import numpy as np
import pytest

from fer_utils.network.openvino_network import LightNetwork, compute_file
from fer_utils.network.vgg import build_vgg
from fer_utils.network.vote import SoftVote, write_vote
from fer_utils.recognition import export
from fer_utils.recognition.export import export_vote

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
TEMPERATURE = 1.7


@pytest.fixture(scope="module")
def vote(tmp_path_factory):
    """The file of a vote of two untrained networks."""
    folder = tmp_path_factory.mktemp("vote")
    weights = [folder / f"{name}.weights.h5" for name in ("one", "other")]
    for path in weights:
        build_vgg().save_weights(path)
    write_vote(folder / "vote.json", weights, TEMPERATURE)
    return folder / "vote.json"


@pytest.fixture(scope="module")
def told(vote) -> np.ndarray:
    """What the vote says of FACES."""
    networks = [LightNetwork(path, precision="f32") for path in vote.parent.glob("*.h5")]
    return SoftVote(networks, TEMPERATURE).predict_proba(FACES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("a.onnx", ["a.onnx"]),
        ("a.tflite", ["a.tflite"]),
        ("a.xml", ["a.bin", "a.xml"]),
    ],
)
def test_the_file_says_what_the_vote_says(tmp_path, vote, told, name, files):
    if name == "a.onnx":
        pytest.importorskip("tf2onnx")
    assert export_vote(tmp_path / name, vote) == tmp_path / name
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    for n in (1, 5):
        got = compute_file(tmp_path / name, FACES[:n])
        assert (got.dtype, got.shape) == (np.float32, (n, 7))
        np.testing.assert_allclose(got, told[:n], atol=1e-4)


@pytest.mark.slow
def test_a_file_that_says_something_else_is_not_kept(tmp_path, vote, monkeypatch):
    to_model = export._to_model
    monkeypatch.setattr(export, "_to_model", lambda weights, _: to_model(weights, 0.2))
    (tmp_path / "a.xml").write_text("an older file")
    with pytest.raises(ValueError, match=r"disagrees with the vote by \d+\.\d% on a portrait"):
        export_vote(tmp_path / "a.xml", vote)
    assert [path.name for path in tmp_path.iterdir()] == ["a.xml"]
    assert (tmp_path / "a.xml").read_text() == "an older file"


def test_what_a_format_needs_is_named_when_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install onnx tf2onnx$"):
        export_vote(tmp_path / "a.onnx")
    with pytest.raises(SystemExit, match="2"):
        export.main(["--to", "onnx", "-o", str(tmp_path / "a.onnx")])
    assert capsys.readouterr().err.endswith("pip install onnx tf2onnx\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "error", "match"),
    [
        ("a.pb", ValueError, r"path must end in \.onnx or \.tflite or \.xml"),
        ("nowhere/a.onnx", FileNotFoundError, "no folder 'nowhere'"),
        (3, TypeError, "path must name the file to write, got int"),
    ],
)
def test_other_files_are_refused(path, error, match):
    with pytest.raises(error, match=match):
        export_vote(path)


def test_the_suffix_must_fit_the_format(capsys):
    with pytest.raises(SystemExit, match="2"):
        export.main(["--to", "tflite", "-o", "vote.onnx"])
    assert "--output must end in .tflite" in capsys.readouterr().err
