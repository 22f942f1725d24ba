"""The package as a whole: its public names, what its import costs, what it declares to need."""

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import fer_utils

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("keras", "matplotlib", "mediapipe", "pandas", "tensorflow")
# What Colab came with in August 2026: pip-freeze.txt of github.com/googlecolab/backend-info.
COLAB_PYTHON = "3.13"
COLAB = {
    "imbalanced-learn": "0.14.2",
    "keras": "3.13.2",
    "matplotlib": "3.10.0",
    "numpy": "2.1.3",
    "pandas": "2.2.3",
    "scikit-learn": "1.6.1",
    "seaborn": "0.13.2",
    "tensorflow": "2.20.0",
}
# Colab lacks these, or its version of them has not been looked up.
NOT_KNOWN_OF_COLAB = set(
    "anywidget av h5py mediapipe openvino pillow platformdirs scipy tqdm".split()
)
# A section of a docstring, up to the next one.
PARAMETERS = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", re.MULTILINE | re.DOTALL)


def public_callables() -> Iterator[tuple[str, Callable]]:
    """Give every public function and class, and the classes' public methods, by name."""
    for name in fer_utils.__all__:
        thing = getattr(fer_utils, name)
        if callable(thing):
            yield name, thing
        if inspect.isclass(thing):
            methods = ((part, getattr(thing, part)) for part in vars(thing) if part[0] != "_")
            yield from ((f"{name}.{part}", method) for part, method in methods if callable(method))


PUBLIC = dict(public_callables())


def documented_parameters(docstring: str) -> list[str]:
    """Return the names in a numpy docstring's section Parameters."""
    section = PARAMETERS.search(docstring)
    lines = section[1].splitlines() if section else []
    entries = [line.split(" :")[0] for line in lines if line and not line[0].isspace()]
    return [name.strip(" *") for entry in entries for name in entry.split(",")]


@pytest.mark.parametrize("module", ["fer_utils", "fer_utils.emotions", "fer_utils.images"])
def test_the_import_loads_nothing_heavy(module):
    code = f"import {module}, sys; print(*sys.modules.keys() & {set(HEAVY)})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split()) == (0, []), ended.stderr


@pytest.mark.parametrize("name", fer_utils.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(fer_utils)
    assert getattr(fer_utils, name) is not None


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_names_the_parameters_in_their_order(name):
    docstring = inspect.getdoc(PUBLIC[name])
    assert docstring
    taken = [part for part in inspect.signature(PUBLIC[name]).parameters if part != "self"]
    assert documented_parameters(docstring) == taken


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


REQUIREMENTS = {Requirement(line).name: Requirement(line) for line in PROJECT["dependencies"]}


@pytest.mark.parametrize("name", COLAB)
def test_colab_needs_no_upgrade(name):
    assert REQUIREMENTS[name].specifier.contains(COLAB[name])


def test_colab_needs_no_other_python():
    assert SpecifierSet(PROJECT["requires-python"]).contains(COLAB_PYTHON)


def test_of_every_dependency_it_is_said_whether_colab_has_it():
    assert REQUIREMENTS.keys() == COLAB.keys() | NOT_KNOWN_OF_COLAB
