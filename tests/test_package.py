"""The package as a whole: its public names, what its import costs, what it declares to need."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import fer_utils

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("keras", "matplotlib", "mediapipe", "pandas", "tensorflow")
COLAB = {  # August 2026, Python 3.13
    "imbalanced-learn": "0.14.2",
    "keras": "3.13.2",
    "matplotlib": "3.10.0",
    "numpy": "2.1.3",
    "pandas": "2.2.3",
    "scikit-learn": "1.6.1",
    "seaborn": "0.13.2",
    "tensorflow": "2.20.0",
}


@pytest.mark.parametrize("module", ["fer_utils", "fer_utils.emotions", "fer_utils.images"])
def test_the_import_loads_nothing_heavy(module):
    code = f"import {module}, sys; print(*sys.modules.keys() & {set(HEAVY)})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split()) == (0, []), ended.stderr


@pytest.mark.parametrize("name", fer_utils.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(fer_utils)
    assert getattr(fer_utils, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'fer_utils' has no attribute 'train_fast'"):
        _ = fer_utils.train_fast


def test_the_version_is_a_release():
    assert all(part.isdigit() for part in fer_utils.__version__.split("."))


def test_requirements_txt_lists_what_pyproject_declares():
    extras = PROJECT["optional-dependencies"]
    declared = {*PROJECT["dependencies"], *extras["notebooks"], *extras["dev"]}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert sorted(listed) == sorted(declared - {"fer-utils[notebooks]"} | {"-e ."})


@pytest.mark.parametrize("name", COLAB)
def test_colab_needs_no_upgrade(name):
    declared = {Requirement(line).name: Requirement(line) for line in PROJECT["dependencies"]}
    assert declared[name].specifier.contains(COLAB[name])
