"""What is committed of each notebook; nbval, which `make test` also starts, runs them."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

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


def test_it_has_one_parameters_cell(notebook):
    tags = [tag for cell in code_cells(notebook) for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == 1


def test_its_badge_opens_itself_in_colab(path, notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    assert COLAB_LINK.findall(text) == [badge(path)]


def test_its_code_names_the_repository_once(notebook):
    code = "\n".join(cell.source for cell in code_cells(notebook))
    assert code.count(ADDRESS) == 1


def test_the_readme_has_the_same_badges():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(COLAB_LINK.findall(readme)) == {badge(path) for path in NOTEBOOKS}
