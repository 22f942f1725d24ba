import importlib.metadata
import json
import platform
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import keras
import pytest

from fer_utils.faces import blazeface
from fer_utils.files import sha256_of
from fer_utils.network import vote
from fer_utils.network.vgg import build_vgg
from fer_utils.recognition.setup_check import check_setup, main


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    keras.utils.set_random_seed(0)
    weights = tmp_path_factory.mktemp("untrained") / "net.weights.h5"
    build_vgg().save_weights(weights)
    return weights


@pytest.fixture
def shipped(untrained, tmp_path, monkeypatch):
    """Stand an untrained network in for the shipped vote."""
    weights = Path(shutil.copy(untrained, tmp_path))
    network = {"file": weights.name, "sha256": sha256_of(weights)}
    vote_file = tmp_path / "vote.json"
    vote_file.write_text(json.dumps({"networks": [network], "temperature": 1.0}))
    load = vote.SoftVote.load
    monkeypatch.setattr(vote.SoftVote, "load", lambda **kwargs: load(vote_file, **kwargs))
    return weights


def failed(report) -> dict[str, str]:
    return {check.name: check.found for check in report.checks if not check.ok}


def test_a_whole_setup_is_ready(shipped):
    report = check_setup()
    assert report.ok, report
    text = str(report)
    for expected in (
        "tensorflow",
        "openvino",
        "opens no network",
        "checksum right",
        "1 face",
        "ready.",
    ):
        assert expected in text


def test_ctrl_c_ends_it_with_a_line_though_a_step_may_swallow_it(monkeypatch, capsys):
    def swallowing():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return "3.12"

    monkeypatch.setattr(platform, "python_version", swallowing)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert (ended.value.code, *capsys.readouterr()) == (130, "", "Stopped.\n")


def test_missing_pieces_are_reported_with_their_remedy(shipped, tmp_path, monkeypatch):
    shipped.write_bytes(b"damaged")
    monkeypatch.setattr(blazeface, "DETECTOR_FILE", tmp_path / "gone.tflite")
    report = check_setup()
    assert not report.ok
    assert "marked FIX" in str(report)
    assert "fetch" in failed(report)["detector's file"]
    assert "Put that file back" in failed(report)["weights"]
    assert {"face detection", "recognition"} <= set(failed(report))


def test_packages_missing_or_sending_metrics_are_reported(shipped, monkeypatch):
    def version(name: str) -> str:
        if name in ("openvino", "keras"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2.2"

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.warns(UserWarning, match="reports its use"):
        report = check_setup()
    found = failed(report)
    assert found["openvino"] == "not installed: pip install openvino"
    assert "keras" not in found
    assert 'only training and measuring need it: pip install "fer-utils[training] @' in str(report)
    assert "pip install mediapipe==0.10.32" in found["mediapipe"]
