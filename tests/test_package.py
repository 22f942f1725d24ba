"""The package as a whole: its public names, what its import costs, what it declares to need."""

import inspect
import itertools
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import fer_utils
from fer_utils.network.vote import SHIPPED_VOTE, read_vote
from tests.helpers.light_install import light_environment

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = DECLARED["project"]
HEAVY = ("keras", "matplotlib", "mediapipe", "pandas", "pyarrow", "ray", "tensorflow")
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
    "anywidget av h5py mediapipe openvino pi-heif pillow platformdirs pyarrow scipy tqdm".split()
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
    declared = {*PROJECT["dependencies"], *itertools.chain(*extras.values())}
    of_ours = {line for line in declared if line.startswith("fer-utils[")}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert sorted(listed) == sorted(declared - of_ours | {"-e ."})


def test_who_works_on_the_project_and_its_notebooks_has_every_extra():
    assert "fer-utils[training,bulk]" in PROJECT["optional-dependencies"]["notebooks"]
    assert "fer-utils[notebooks,ray,int8]" in PROJECT["optional-dependencies"]["dev"]


IN_NOTEBOOKS = [
    *PROJECT["dependencies"],
    *PROJECT["optional-dependencies"]["training"],
    *PROJECT["optional-dependencies"]["bulk"],
]
REQUIREMENTS = {Requirement(line).name: Requirement(line) for line in IN_NOTEBOOKS}


@pytest.mark.parametrize("name", COLAB)
def test_colab_needs_no_upgrade(name):
    assert REQUIREMENTS[name].specifier.contains(COLAB[name])


def test_colab_needs_no_other_python():
    assert SpecifierSet(PROJECT["requires-python"]).contains(COLAB_PYTHON)


def test_of_every_dependency_it_is_said_whether_colab_has_it():
    assert REQUIREMENTS.keys() == COLAB.keys() | NOT_KNOWN_OF_COLAB


def test_every_floor_is_installed():
    folders = (path.parent for path in (ROOT / "fer_utils").rglob("__init__.py"))
    floors = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert {*DECLARED["tool"]["setuptools"]["packages"]} == floors | {"fer_utils.saved_models"}


RECOGNIZE = """
import json
import sys
from pathlib import Path
from matplotlib.cbook import get_sample_data
import fer_utils

assert Path(fer_utils.__file__).is_relative_to(sys.argv[1])
recognizer = fer_utils.EmotionRecognizer.load()
picture = fer_utils.load_image(get_sample_data("grace_hopper.jpg", asfileobj=False))
(face,) = recognizer.recognize(picture)
table = fer_utils.recognize_video([picture] * 3, fps=10, recognizer=recognizer, progress=False)
print(json.dumps([face.to_dict(), len(table)]))
"""


@pytest.mark.slow
def test_a_light_install_recognises_a_face_outside_the_repository(tmp_path):
    source, installed, elsewhere = (tmp_path / name for name in ("source", "installed", "empty"))
    elsewhere.mkdir()
    for name in ("fer_utils", "saved_models"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )  # a copy: setuptools leaves folders beside what it builds
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    run(*pip, "wheel", *offline, "--no-build-isolation", "-w", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    run(*pip, "install", *offline, "--target", installed, wheel)
    light = light_environment(elsewhere, installed)
    told = run(sys.executable, "-c", RECOGNIZE, installed, cwd=elsewhere, env=light)
    here = run(sys.executable, "-c", RECOGNIZE, ROOT, cwd=ROOT)
    assert json.loads(told) == json.loads(here)
    with zipfile.ZipFile(wheel) as file:
        carried = {name.removeprefix("fer_utils/saved_models/") for name in file.namelist()}
    expected = {"vote.json", "vote_int8.xml", "vote_int8.bin", "README.md", "face_detector/LICENSE"}
    assert expected <= carried


def test_git_leaves_the_text_whose_checksum_counts_as_it_is():
    texts = [path for path in read_vote(SHIPPED_VOTE).int8.files if b"\0" not in path.read_bytes()]
    assert [path.name for path in texts] == ["vote_int8.xml"]
    assert "saved_models/*.xml -text" in (ROOT / ".gitattributes").read_text().splitlines()


def run(*command: object, **options: object) -> str:
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
