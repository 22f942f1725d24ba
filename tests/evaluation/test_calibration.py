import numpy as np
import pytest

from fer_utils.evaluation.calibration import (
    calibration_bins,
    coverage_curve,
    cross_fitted,
    cross_fitted_ece,
    expected_calibration_error,
    fit_temperature,
)
from tests.helpers.made_probabilities import drawn_faces, rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_calibration_error_by_hand(dtype):
    # Two bins: (5/15, 6/15] with accuracy 1/2 and (13/15, 14/15] with accuracy 1.
    probabilities = rows([0, 1, 2], [0.35, 0.39, 0.9], dtype)
    error = expected_calibration_error(probabilities, np.array([0, 0, 2]))
    assert error == pytest.approx(2 / 3 * abs(0.5 - 0.37) + 1 / 3 * abs(1 - 0.9), abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edge", range(3, 15))
def test_a_calibration_bin_holds_its_upper_edge_and_not_its_lower(edge, dtype):
    below, at, above = (edge - 0.1) / 15, edge / 15, (edge + 0.1) / 15
    labels = np.array([0, 0])  # the first right, the second wrong
    together = expected_calibration_error(rows([0, 1], [at, below], dtype), labels)
    assert together == pytest.approx(abs((1 - at) - below) / 2, abs=1e-6)
    apart = expected_calibration_error(rows([0, 1], [at, above], dtype), labels)
    assert apart == pytest.approx(((1 - at) + above) / 2, abs=1e-6)


@pytest.mark.parametrize(("label", "error"), [(0, 0.0), (1, 1.0)])
def test_full_confidence_is_right_or_wrong(label, error):
    assert expected_calibration_error(rows([0], 1.0), np.array([label])) == error


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_probabilities_is_found_again(overconfidence):
    assert fit_temperature(*drawn_faces(overconfidence)) == pytest.approx(overconfidence, rel=0.1)


def test_a_fitted_temperature_calibrates_faces_it_has_not_seen():
    probabilities, labels = drawn_faces(2.5)
    raw = expected_calibration_error(probabilities, labels)
    fitted = cross_fitted_ece(probabilities, labels)
    assert raw > 0.2
    assert fitted < 0.05
    assert cross_fitted_ece(probabilities, labels) == fitted


def test_bins_hold_counts_and_means():
    table = calibration_bins(rows([0, 1, 2], [0.35, 0.39, 0.9]), np.array([0, 0, 2]))
    assert len(table) == 15
    assert table["n"].sum() == 3
    assert table.loc[5].tolist() == pytest.approx([2, 0.37, 0.5])
    assert table.loc[13].tolist() == pytest.approx([1, 0.9, 1])
    assert table.drop(index=[5, 13])[["confidence", "accuracy"]].isna().all(axis=None)


def test_cross_fitting_keeps_the_order_and_the_top_emotion():
    probabilities, labels = drawn_faces(2.5, n=100)
    tempered = cross_fitted(probabilities, labels)
    assert (tempered.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert (tempered.max(axis=1) < probabilities.max(axis=1)).mean() > 0.9


def test_cross_fitting_needs_a_face_for_each_fold():
    with pytest.raises(ValueError, match="labels must hold at least 5 faces, one a fold, got 4"):
        cross_fitted(rows([0, 1, 2, 3]), np.arange(4))


@pytest.mark.parametrize(
    "measure", [expected_calibration_error, coverage_curve, fit_temperature, cross_fitted]
)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p, y: (np.full_like(p, np.nan), y), "must be 0 or above, got NaN"),
        (lambda p, y: (p[:, :6], y), r"a row of 7 for each of the 8 labels.* \(8, 6\)"),
        (lambda p, y: (p, y + 2), "labels must be whole numbers from 0 to 6, got"),
    ],
)
def test_what_is_no_probability_or_label_is_refused(measure, spoil, message):
    labels = np.arange(8) % 6
    with pytest.raises(ValueError, match=message):
        measure(*spoil(rows(labels), labels))


def test_coverage_counts_as_by_hand():
    # By confidence: right, wrong and right together, wrong.
    probabilities = rows([0, 1, 2, 3], [0.9, 0.6, 0.6, 0.3])
    curve = coverage_curve(probabilities, np.array([0, 0, 2, 0]))
    assert curve["min_confidence"].tolist() == [0.9, 0.6, 0.3]
    assert curve["coverage"].tolist() == [0.25, 0.75, 1.0]
    assert curve["accuracy"].tolist() == pytest.approx([1, 2 / 3, 1 / 2])
