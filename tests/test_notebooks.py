"""What is committed of each notebook; `make test` runs them by nbval.

All but training.ipynb, which a test here runs, to see what it comes to. That none of them shows a
red line is asked here of that one, and of the others in notebooks/conftest.py.
"""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from IPython.display import HTML
from nbformat import NotebookNode

from fer_utils.argument_checks import number_from_environment
from fer_utils.emotions import EMOTIONS
from tests.helpers.chromium import chromium
from tests.helpers.notebook_outputs import red_lines
from tests.helpers.notebooks import run_notebook
from tests.helpers.portraits import ASTRONAUT, PAIR
from tests.helpers.stand_ins import quick_recognizer

ROOT = Path(__file__).parents[1]
ADDRESS = "jhan15/facial_emotion_recognition"
COLAB_LINK = re.compile(r"colab\.research\.google\.com/github/([\w./-]+\.ipynb)")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path) -> NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def badge(path: Path) -> str:
    return f"{ADDRESS}/blob/main/{path.relative_to(ROOT).as_posix()}"


def test_each_journey_has_a_notebook():
    assert {"evaluation", "inference", "training"} == {path.stem for path in NOTEBOOKS}


def test_it_is_a_valid_notebook(notebook):
    nbformat.validate(notebook)


def test_it_is_stripped(notebook):
    for cell in code_cells(notebook):
        assert cell.outputs == [], cell.source
        assert cell.execution_count is None, cell.source
    assert "widgets" not in notebook.metadata


def test_its_setup_is_folded_away(notebook):
    setup = code_cells(notebook)[0]
    assert "git clone" in setup.source
    assert setup.metadata.jupyter.source_hidden  # for JupyterLab
    assert setup.metadata.cellView == "form"  # for Colab


def test_it_has_one_parameters_cell(notebook):
    tags = [tag for cell in code_cells(notebook) for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == 1


WRONG = [
    ("evaluation", "FER_SAMPLE", "abc"),
    ("evaluation", "FER_SAMPLE", "0"),
    ("training", "FER_EPOCHS", "ten"),
    ("training", "FER_EPOCHS", "0"),
    ("training", "FER_LIMIT", "-5"),
]


@pytest.mark.parametrize(("name", "variable", "value"), WRONG)
def test_a_wrong_environment_value_is_named(monkeypatch, name, variable, value):
    with pytest.raises(ValueError, match=f"variable {variable} must hold a whole number") as caught:
        parameters_of(name, monkeypatch, **{variable: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_empty_environment_values_are_as_good_as_none(monkeypatch, path):
    plain = parameters_of(path.stem, monkeypatch)
    names = re.findall(r'"(FER_\w+)"', parameters_cell(path.stem))
    assert names
    assert parameters_of(path.stem, monkeypatch, **dict.fromkeys(names, "")) == plain


@pytest.mark.parametrize("name", ["inference", "training"])
def test_the_run_folder_may_start_at_home(monkeypatch, name):
    assert "~" not in str(parameters_of(name, monkeypatch, FER_RUN_DIR="~/run")["RUN_DIR"])


def parameters_cell(name: str) -> str:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    tagged = [c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", [])]
    return tagged[0].source


def parameters_of(name: str, monkeypatch, **variables: str) -> dict[str, object]:
    """Run a notebook's Parameters cell with these environment variables, and return what it set."""
    source = parameters_cell(name)
    for variable in re.findall(r'"(FER_\w+)"', source):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    names = {"os": os, "Path": Path, "number_from_environment": number_from_environment}
    exec(source, names)
    return {key: value for key, value in names.items() if key.isupper()}


def test_its_badge_opens_itself_in_colab(path, notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    assert COLAB_LINK.findall(text) == [badge(path)]


def test_its_code_names_the_repository_once(notebook):
    code = "\n".join(cell.source for cell in code_cells(notebook))
    assert code.count(ADDRESS) == 1


def test_the_readme_has_the_same_badges():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(COLAB_LINK.findall(readme)) == {badge(path) for path in NOTEBOOKS}


def explored(name: str, function: str, **names: object) -> tuple[object, dict[str, object]]:
    """Run the cell that explores a function, among these names; return it and its choices."""
    path = ROOT / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    (source,) = (c.source for c in code_cells(notebook) if f"def {function}(" in c.source)
    told = {}
    fer = SimpleNamespace(explore=lambda _, **choices: told.update(choices), PictureInput=object)
    names = {"fer": fer, **names}
    exec(source, names)
    return names[function], told


@pytest.mark.slow
def test_two_photos_stand_side_by_side_where_there_is_room():
    compare, _ = explored("inference", "compare", recognizer=quick_recognizer(), HTML=HTML)
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(compare(PAIR, ASTRONAUT).data)
        for width, is_abreast in ((1000, True), (500, False)):
            page.set_viewport_size({"width": width, "height": 800})
            before, after = (page.get_by_text(name).bounding_box() for name in ("before", "after"))
            assert (before["y"] == after["y"]) == is_abreast
            assert (before["x"] < after["x"]) == is_abreast


@pytest.mark.parametrize(("faces", "pages"), [(0, 1), (5, 1), (6, 1), (7, 2), (12, 2), (13, 3)])
def test_the_disagreements_have_as_many_pages_as_they_fill(faces, pages):
    _, choices = explored(
        "evaluation",
        "show_page",
        differing=pd.DataFrame({"true": ["happy"] * faces}),
        split=SimpleNamespace(emotions=EMOTIONS),
        probabilities={"a": None, "b": None},
        first="a",
        second="b",
    )
    assert [*choices["page"]] == [*range(1, pages + 1)]


def test_the_timeline_of_a_webcam_that_saw_nobody_says_so(capsys):
    path = ROOT / "notebooks" / "inference.ipynb"
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    (source,) = (c.source for c in code_cells(notebook) if "plot_timeline(camera" in c.source)
    exec(source, {"camera": SimpleNamespace(to_frame=list)})
    assert capsys.readouterr().out == "No face was seen.\n"


@pytest.mark.slow
def test_training_comes_to_a_network_that_beats_guessing(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("FER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FER_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("FER_EPOCHS", "5")  # half of them tell it from guessing
    # Within a test, ipykernel would leave out what libraries in C write to descriptor 2.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    # Guessing has a balanced accuracy of 0.14.
    outcome = "assert report.balanced_accuracy >= 0.5\nassert difference < 0.03"
    notebook = run_notebook("training", outcome)
    shown = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert shown
    assert red_lines(shown) == ""
