from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fer_utils.data.dataset import Split
from fer_utils.emotions import EMOTIONS
from fer_utils.evaluation.calibration import calibration_bins, expected_calibration_error
from fer_utils.plots.evaluation import (
    plot_confusion,
    plot_coverage,
    plot_predictions,
    plot_reliability,
)
from fer_utils.plots.training import plot_history
from tests.helpers.made_probabilities import drawn_faces, rows


def make_confusion() -> np.ndarray:
    counts = np.diag([30, 3, 20, 1200, 40, 0, 50])
    counts[0, 3] = 10
    return counts


def cells_of(ax) -> dict[tuple[int, int], str]:
    """What is written in a matrix, by row and column."""
    return {text.get_position()[::-1]: text.get_text() for text in ax.texts}


def texts(axes_texts) -> list[str]:
    return [text.get_text() for text in axes_texts]


@pytest.mark.parametrize("wrap", [np.asarray, lambda counts: SimpleNamespace(confusion=counts)])
def test_confusion_shows_counts_coloured_by_share_of_the_row(wrap):
    ax = plot_confusion(wrap(make_confusion()))
    shares = np.asarray(ax.images[0].get_array())
    assert shares[0, 0] == pytest.approx(0.75)
    assert shares[0, 3] == pytest.approx(0.25)
    cells = cells_of(ax)
    assert cells[0, 0] == "30\n75%"
    assert cells[0, 3] == "10\n25%"
    assert cells[3, 3] == "1,200\n100%"
    assert len(cells) == 7  # no zeros
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted emotion", "True emotion")
    assert texts(ax.get_xticklabels()) == texts(ax.get_yticklabels()) == list(EMOTIONS)
    assert ax.get_title() == "Confusion matrix (1,353 pictures, 99.3% right)"


def test_confusion_row_without_pictures_has_no_shares():
    ax = plot_confusion(make_confusion())
    row = EMOTIONS.index("surprise")
    assert not np.asarray(ax.images[0].get_array())[row].any()
    assert row not in {cell[0] for cell in cells_of(ax)}


def test_confusion_of_nothing():
    ax = plot_confusion(np.zeros((7, 7), dtype=int))
    assert ax.get_title() == "Confusion matrix (0 pictures)"


def luminance(rgb) -> float:
    """The relative luminance of WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_numbers_in_the_confusion_have_the_contrast_that_wcag_asks_of_text():
    counts = np.arange(7) ** np.arange(7)[:, None] + 200 * np.eye(7, dtype=int)
    ax = plot_confusion(counts)
    (image,) = ax.images
    for text in ax.texts:
        column, row = text.get_position()
        behind = luminance(image.to_rgba(image.get_array()[row, column]))
        pair = sorted([behind, luminance(to_rgb(text.get_color()))])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5
    assert {text.get_color() for text in ax.texts} == {"black", "white"}


def test_confusion_draws_on_the_given_axes():
    _, ax = plt.subplots()
    assert plot_confusion(make_confusion(), ax=ax) is ax


@pytest.mark.parametrize(
    ("report", "match"),
    [
        (np.zeros((6, 7), dtype=int), r"counts \(7, 7\); got \(6, 7\)"),
        (np.full((7, 7), 0.5), "whole and not negative"),
        (np.full((7, 7), -1), "whole and not negative"),
        ("report", r"counts \(7, 7\); got \(\)"),
    ],
)
def test_confusion_refuses(report, match):
    with pytest.raises(ValueError, match=match):
        plot_confusion(report)


CURVES = {name: [0.5, 0.4] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}


@pytest.mark.parametrize(
    "style", ["default", "dark_background", {"figure.facecolor": (1, 1, 1, 0)}]
)
def test_figures_are_opaque_and_their_text_stands_out(style):
    with plt.style.context(style):
        axes = [plot_confusion(make_confusion()), *plot_history(CURVES)]
    for ax in axes:
        background = ax.figure.get_facecolor()
        assert background[3] == 1
        assert abs(np.mean(to_rgb(ax.title.get_color())) - np.mean(background[:3])) > 0.8


def test_bars_are_as_high_as_the_accuracy_of_their_bin():
    probabilities, labels = drawn_faces(2.5, n=500)
    axes = plot_reliability({"bold": probabilities, "vote": probabilities}, labels)
    accuracy = calibration_bins(probabilities, labels)["accuracy"].fillna(0)
    assert len(axes) == 2
    for ax, name in zip(axes, ("bold", "vote"), strict=True):
        assert [bar.get_height() for bar in ax.patches] == pytest.approx(accuracy.tolist())
        error = expected_calibration_error(probabilities, labels)
        assert ax.get_title() == f"{name}\nexpected calibration error {error:.3f}"


def test_the_curve_ends_at_the_accuracy_and_a_dot_marks_the_confidence():
    probabilities = rows([0, 1, 2, 3], [0.9, 0.8, 0.6, 0.3])
    ax = plot_coverage({"one": probabilities}, np.array([0, 1, 0, 0]), min_confidence=0.6)
    curve, dot = ax.lines
    assert (curve.get_xdata()[-1], curve.get_ydata()[-1]) == (1, 0.5)
    assert dot.get_xydata().tolist() == [[0.75, pytest.approx(2 / 3)]]


def test_ticks_stand_at_round_numbers():
    figure = plot_coverage({"one": rows([0] * 9, 0.9)}, np.array([0, 1, 2] * 3)).figure
    figure.set_size_inches(16, 9)  # room for ticks in steps of 2.5%
    figure.draw_without_rendering()
    steps = np.diff(figure.axes[0].get_xticks())
    assert np.round(steps / 10 ** np.floor(np.log10(steps)), 6)[0] in (1, 2, 5)


def test_without_a_confidence_there_is_no_dot():
    ax = plot_coverage({"one": rows([0, 1], 0.9)}, np.array([0, 1]))
    assert len(ax.lines) == 1


@pytest.mark.parametrize(("min_confidence", "points"), [(0, [[1, 0.5]]), (0.9, [])])
def test_the_dot_is_where_everybody_answers_or_nowhere(min_confidence, points):
    probabilities = {"one": rows([0, 1], 0.5)}
    ax = plot_coverage(probabilities, np.array([0, 0]), min_confidence=min_confidence)
    assert ax.lines[1].get_xydata().tolist() == points


def test_an_impossible_confidence_is_refused():
    with pytest.raises(ValueError, match="min_confidence must be between 0 and 1, got 60"):
        plot_coverage({"one": rows([0, 1])}, np.array([0, 1]), min_confidence=60)


@pytest.mark.parametrize("plot", [plot_reliability, plot_coverage])
@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ({}, "probabilities must hold those of one network at least, got none"),
        ({"one": rows([0, 1])}, r"probabilities\['one'\] must have a row of 7 for each of the 3"),
        ({"one": np.ones((3, 6))}, r"got the shape \(3, 6\)"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(plot, probabilities, message):
    with pytest.raises(ValueError, match=message):
        plot(probabilities, np.array([0, 1, 2]))


# Faces 0 and 2 are named wrong, 2 more surely; in doubt are 3, then 0.
SAID = rows([3, 1, 6, 4], [0.6, 0.9, 0.8, 0.4])
SEEN = Split(np.full((4, 48, 48), [[[0]], [[1]], [[2]], [[3]]], np.uint8), np.array([0, 1, 5, 4]))


def faces_shown(grid) -> list[int]:
    return [int(ax.images[0].get_array()[0, 0]) for ax in grid.flat if ax.images]


@pytest.mark.parametrize(
    ("which", "places", "title"),
    [
        ("surest mistakes", [2, 0], "Surest mistakes: 2 of 4 faces"),
        ("most doubtful", [3, 0, 2, 1], "Most doubtful: 4 of 4 faces"),
    ],
)
def test_faces_are_shown_in_the_order_asked_for(which, places, title):
    grid = plot_predictions(SEEN, SAID, which=which, columns=3)
    assert grid.shape == (-(-len(places) // 3), 3)
    assert faces_shown(grid) == places
    assert grid[0, 0].figure.get_suptitle() == title


def test_faces_drawn_at_random_say_so():
    grid = plot_predictions(SEEN, SAID, count=2)
    assert grid[0, 0].figure.get_suptitle() == "At random: 2 of 4 faces"


def test_a_face_has_the_two_likeliest_emotions_and_its_label_bold_if_that_is_another():
    grid = plot_predictions(SEEN, SAID, which="most doubtful")
    doubtful, wrong = grid[0, :2]
    assert doubtful.get_title() == "sad 40%\nangry 10%"
    assert (doubtful.get_xlabel(), doubtful.xaxis.label.get_weight()) == ("label: sad", "normal")
    assert (wrong.get_xlabel(), wrong.xaxis.label.get_weight()) == ("label: angry", "bold")


def test_faces_at_random_are_drawn_by_the_seed_and_at_most_so_many():
    first, again, other = (
        faces_shown(plot_predictions(SEEN, SAID, count=3, random_state=seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(set(first)) == 3


def test_without_mistakes_it_says_so():
    grid = plot_predictions(SEEN, np.eye(7)[SEEN.labels], which="surest mistakes")
    assert grid[0, 0].figure.get_suptitle() == "Surest mistakes: none found"
    assert faces_shown(grid) == []


@pytest.mark.parametrize(
    ("said", "options", "message"),
    [
        (SAID[:3], {}, "must have a row of 7 for each of the 4"),
        (SAID, {"which": "best"}, "which must be one of any, surest mistakes, .* got 'best'"),
        (SAID, {"count": 0}, "count must be a whole number of at least 1, got 0"),
    ],
)
def test_predictions_that_cannot_be_shown_are_refused(said, options, message):
    with pytest.raises(ValueError, match=message):
        plot_predictions(SEEN, said, **options)
