import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from fer_utils import explore

WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = {
    "import": "import ipywidgets, matplotlib.pyplot as plt, numpy as np, fer_utils as fer",
    "untouched": "fer.explore(lambda emotion, page: f'**{emotion}**, {page}', "
    "emotion={'joy': 'happy', 'grief': 'sad'}, page=range(1, 4))",
    "changed": "choice = ipywidgets.Dropdown(options=['happy', 'sad'])\n"
    "fer.explore(lambda emotion: f'{emotion}', emotion=choice)",
    "change": "choice.value = 'sad'",
    "figure": "slider = ipywidgets.IntSlider(1)\n"
    "fer.explore(lambda size: plt.subplots(figsize=(size, 1))[1], size=slider)",
    "figures": "fer.explore(lambda n: plt.subplots(1, n, figsize=(2, 1))[1], n=[2])",
    "photo": "own = fer.PictureInput()\n"
    "fer.explore(lambda picture='none': getattr(picture, 'shape', picture), picture=own)",
    "photos": "fer.explore(lambda before, as_it_is: 'both', "
    "before=fer.PictureInput(), as_it_is=fer.PictureInput())",
    "default": "fer.explore(lambda before='none': before, before=fer.PictureInput())",
    "no choice": "fer.explore(lambda emotion: f'{emotion}', emotion={'any': None, 'happy': 1})",
    "arrives": "own.set_trait('image', np.zeros((4, 5, 3), np.uint8))",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, list[dict]]:
    """What each cell shows when all have run, by the cells' names."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS.values()])
    folder = str(tmp_path_factory.mktemp("notebook"))
    NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    nbformat.validate(notebook)
    shown = ([out.get("data", out) for out in cell.outputs] for cell in notebook.cells)
    return dict(zip(CELLS, shown, strict=True))


def test_the_controls_stand_above_what_the_first_choices_give(answers):
    *controls, result = answers["untouched"]
    assert [WIDGET in control for control in controls] == [True, True]
    assert result["text/markdown"] == "**happy**, 1"


def test_the_result_follows_the_choice_and_stays_one_output(answers):
    _, result = answers["changed"]
    assert result["text/markdown"] == "sad"
    assert answers["change"] == []


def test_axes_are_shown_once_by_their_figure(answers):
    for cell in ("figure", "figures"):
        _, result = answers[cell]
        assert "image/png" in result


def test_the_result_follows_a_photo(answers):
    _, result = answers["photo"]
    assert result["text/plain"] == "(4, 5, 3)"
    assert answers["arrives"] == []


def test_several_photos_have_their_names_above_them(answers):
    before, one, as_it_is, two, waits = answers["photos"]
    assert [name["text/markdown"] for name in (before, as_it_is)] == ["**before**", "**as it is**"]
    assert WIDGET in one
    assert WIDGET in two
    assert waits["text/markdown"] == "The result appears here when the picture arrives."


def test_until_a_photo_arrives_a_default_is_drawn_and_none_may_be_a_choice(answers):
    assert answers["default"][-1]["text/markdown"] == "none"
    assert answers["no choice"][-1]["text/markdown"] == "None"


@pytest.mark.parametrize(
    ("draw", "choices", "error", "message"),
    [
        ("happy", {"emotion": ["happy"]}, TypeError, "draw must be a function, got str"),
        (str, {}, ValueError, "choices must name one argument of draw at least, got none"),
        (str, {"emotion": 5}, TypeError, "emotion must be a widget or a list of choices, got 5"),
        (str, {"emotion": []}, ValueError, "emotion must offer one choice at least, got none"),
    ],
)
def test_what_cannot_be_explored_is_refused(draw, choices, error, message):
    with pytest.raises(error, match=message):
        explore(draw, **choices)
