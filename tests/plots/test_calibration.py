import numpy as np
import pytest

from fer_utils import plot_coverage, plot_reliability
from fer_utils.evaluation.calibration import calibration_bins, expected_calibration_error
from tests.helpers.made_probabilities import drawn_faces, rows


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
