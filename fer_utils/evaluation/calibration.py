"""Confidence: how far it may be believed, and the temperature that mends it.

Ours, not netcal: that brings PyTorch with it, for the one number that SciPy fits here.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..emotions import EMOTIONS
from ..extras import training_extra
from ..network.vote import apply_temperature

with training_extra():
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax
    from sklearn.model_selection import KFold

BINS = 15
FOLDS = 5
# By the networks' names, each of the shape (n, emotions).
Probabilities = Mapping[str, np.ndarray]


def check_probabilities(probabilities: Probabilities, labels: np.ndarray) -> None:
    """Raise ValueError unless there is a network, and each gives each label's face a row."""
    if not probabilities:
        raise ValueError("probabilities must hold those of one network at least, got none.")
    for name, each in probabilities.items():
        _check_rows(f"probabilities[{name!r}]", each, labels)


def _check_rows(argument: str, rows: np.ndarray, labels: np.ndarray) -> None:
    shape = np.shape(rows)
    is_table = len(shape) == 2
    # With a column missing, rows do not sum to 1.
    fits = is_table and (shape[1] == len(EMOTIONS) or np.allclose(rows.sum(axis=1), 1, atol=0.01))
    if not fits or shape[0] != len(labels) or len(labels) == 0:
        raise ValueError(
            f"{argument} must have a row of {len(EMOTIONS)} for each of the {len(labels)} labels, "
            "at least one, or of as many as there are other emotions, summing to 1; "
            f"got the shape {shape}."
        )
    if not np.isin(labels, range(shape[1])).all():
        raise ValueError(
            f"labels must be whole numbers from 0 to {shape[1] - 1}, got {np.unique(labels)}."
        )
    if not np.greater_equal(rows, 0).all():
        raise ValueError(f"{argument} must be 0 or above, got NaN or negative numbers.")


def calibration_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> pd.DataFrame:
    """Sort faces into equally wide bins by the probability of their most probable emotion.

    Parameters
    ----------
    probabilities : ndarray, shape (n, emotions)
    labels : ndarray of int, shape (n,)
    bins : int

    Returns
    -------
    pandas.DataFrame
        One row a bin: n, its number of faces, and the means of their confidence and accuracy,
        0 to 1; both are NaN in an empty bin.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or hold what is no probability or no label.
    """
    _check_rows("probabilities", probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # Bins are open on the left and closed on the right, as in Guo et al.
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    faces = pd.DataFrame({"confidence": confidence.astype(float), "accuracy": right.astype(float)})
    means = faces.groupby(bin_of).mean().reindex(range(bins))
    means.insert(0, "n", np.bincount(bin_of, minlength=bins))
    return means.rename_axis("bin")


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> float:
    """Return how far confidence and accuracy lie apart, from 0 (calibrated) to 1.

    The mean distance of a bin's accuracy from its mean confidence, weighted by the number of
    faces (Guo et al., "On Calibration of Modern Neural Networks", 2017). Parameters are those of
    `calibration_bins`.
    """
    table = calibration_bins(probabilities, labels, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((table["n"] * gaps).sum() / len(labels))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature that makes probabilities (n, emotions) fit labels (n,) best.

    The one with the lowest log loss, between 0.2 and 5 (Guo et al., 2017). Raises as
    `calibration_bins` does.
    """
    _check_rows("probabilities", probabilities, labels)
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny, dtype=np.float64))

    # Not scikit-learn's: it checks its arguments for ten times as long as it computes.
    def loss(log_temperature: float) -> float:
        tempered = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -tempered[np.arange(len(labels)), labels].mean()

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.2, 5]), method="bounded").x))


def cross_fitted(
    probabilities: np.ndarray, labels: np.ndarray, *, folds: int = FOLDS, seed: int = 42
) -> np.ndarray:
    """Temper each fold of the faces with the temperature that fits the other folds.

    So nobody's confidence is mended with the help of the own label.

    Returns
    -------
    ndarray, shape (n, emotions)
        In the order of `probabilities`.

    Raises
    ------
    ValueError
        As `calibration_bins` does, or if there are fewer faces than folds.
    """
    _check_rows("probabilities", probabilities, labels)
    if len(labels) < folds:
        raise ValueError(f"labels must hold at least {folds} faces, one a fold, got {len(labels)}.")
    tempered = np.empty_like(probabilities)
    folding = KFold(folds, shuffle=True, random_state=seed)
    for fitted, held_out in folding.split(probabilities):
        temperature = fit_temperature(probabilities[fitted], labels[fitted])
        tempered[held_out] = apply_temperature(probabilities[held_out], temperature)
    return tempered


def cross_fitted_ece(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the calibration error that a fitted temperature leaves on faces it has not seen.

    That of all faces together; see `cross_fitted`.
    """
    return expected_calibration_error(cross_fitted(probabilities, labels), labels)


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Tell how accurate a network is when it may keep silent where it is least sure.

    The risk-coverage curve of selective classification (El-Yaniv and Wiener, 2010), as accuracy.

    Parameters
    ----------
    probabilities : ndarray, shape (n, emotions)
    labels : ndarray of int, shape (n,)

    Returns
    -------
    pandas.DataFrame
        One row for each confidence that occurs, from the highest down: min_confidence; coverage,
        the share of faces with at least that confidence; accuracy on those. All 0 to 1.

    Raises
    ------
    ValueError
        As `calibration_bins` does.
    """
    _check_rows("probabilities", probabilities, labels)
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order]
    answered = np.arange(1, len(labels) + 1)
    curve = pd.DataFrame(
        {
            "min_confidence": confidence[order].astype(float),
            "coverage": answered / len(labels),
            "accuracy": right.cumsum() / answered,
        }
    )
    # Faces of equal confidence are answered together or not at all.
    return curve.drop_duplicates("min_confidence", keep="last", ignore_index=True)
