"""An install without the extra `training`: what it can do, and how it says what it lacks."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fer_utils.extras import BULK_COMMAND, TRAINING_COMMAND, TRAINING_PACKAGES, training_extra
from tests.helpers.light_install import light_environment

ROOT = Path(__file__).parents[1]
IMPORTED_AS = {"imbalanced-learn": "imblearn", "scikit-learn": "sklearn"}
RECOGNISING = {"faces", "recognition", "video", "widgets"}  # floors


@pytest.fixture
def light(tmp_path) -> dict[str, str]:
    return light_environment(tmp_path, ROOT)


def test_it_names_all_that_the_extra_brings():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [Requirement(line).name for line in declared["optional-dependencies"]["training"]]
    assert sorted(IMPORTED_AS.get(name, name) for name in names) == sorted(TRAINING_PACKAGES)


def test_the_command_installs_this_project():
    requirement = Requirement(TRAINING_COMMAND.removeprefix("pip install ").strip('"'))
    assert (requirement.name, requirement.extras) == ("fer-utils", {"training"})
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"pip install {requirement.url}`" in readme


def test_what_else_is_missing_is_left_to_say_so_itself():
    with (
        pytest.raises(ModuleNotFoundError, match="No module named 'a_backend'"),
        training_extra(),
    ):
        import a_backend  # noqa: F401


IMPORT_EACH = """
import importlib, json, sys

said = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        said[name] = str(error)
print(json.dumps(said))
"""


@pytest.mark.slow
def test_every_module_does_without_or_names_the_command(light):
    paths = [path.relative_to(ROOT) for path in (ROOT / "fer_utils").rglob("*.py")]
    names = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__main__"]
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *names], env=light, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert {"fer_utils.training.loop", "fer_utils.data.oversampling"} <= said.keys()
    assert [text for text in said.values() if not text.endswith(f": {TRAINING_COMMAND}")] == []
    assert {name.split(".")[1] for name in said}.isdisjoint(RECOGNISING)


@pytest.mark.parametrize(
    "words", [["fer_utils", "train"], ["fer_utils.training"], ["fer_utils.evaluation"]]
)
def test_a_command_that_lacks_them_ends_with_a_line(light, words):
    command = [sys.executable, "-m", *words, "--help"]
    ended = subprocess.run(command, env=light, capture_output=True, text=True)
    assert (ended.returncode > 0, ended.stdout) == (True, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.endswith(f": {TRAINING_COMMAND}\n")


@pytest.mark.parametrize("words", [["fer_utils", "bulk"], ["fer_utils.bulk"]])
def test_bulk_labelling_names_its_own_command(tmp_path, words):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pyarrow'] = None\n")
    command = [sys.executable, "-m", *words, "photos", "faces"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.endswith(f": {BULK_COMMAND}\n")


WITHOUT_BOTH = """
import sys
from fer_utils import EmotionRecognizer

sys.modules["openvino"] = None
EmotionRecognizer.load()
"""


def test_without_openvino_too_it_is_openvino_that_is_asked_for(light):
    command = [sys.executable, "-W", "error", "-c", WITHOUT_BOTH]
    ended = subprocess.run(command, env=light, capture_output=True, text=True)
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("ImportError: The networks need OpenVINO")
    assert last.endswith(": pip install openvino")
