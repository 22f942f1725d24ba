"""Charts of an evaluation: what is mistaken for what, and whether confidence may be believed.

The conventions are those of `plots.axes`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ..argument_checks import checked_share
from ..emotions import EMOTIONS, ink_on
from ..evaluation.calibration import (
    BINS,
    Probabilities,
    calibration_bins,
    check_probabilities,
    coverage_curve,
    expected_calibration_error,
)
from .axes import network_colors, panels


def plot_confusion(report: Any, *, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: counts in the cells, coloured by their share of the row.

    Parameters
    ----------
    report : report of `evaluate`, or int array (7, 7)
        Counts, true emotions down and predicted ones across.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If the matrix has another shape or holds anything but counts.
    """
    counts = _checked_confusion(report)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    ax = panels(ax, 1, size=(7.5, 6.4))[0]
    image = ax.imshow(shares, cmap="Purples", vmin=0, vmax=1)
    # Not seaborn's annotations: on middle shades they are white where black is easier to read.
    for row, column in np.ndindex(counts.shape):
        ink = ink_on(image.cmap(shares[row, column]))
        text = f"{counts[row, column]:,}" + (f"\n{shares[row, column]:.0%}" if totals[row] else "")
        ax.text(column, row, text, ha="center", va="center", color=ink, fontsize="small")
    _finish_confusion(ax, counts)
    bar = ax.figure.colorbar(image, ax=ax, format=PercentFormatter(1), fraction=0.045, pad=0.03)
    bar.set_label("Share of the true emotion")
    bar.outline.set_visible(False)
    return ax


def plot_reliability(
    probabilities: Probabilities, labels: np.ndarray, *, ax: Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw how often a network is right at each level of its confidence, one panel a network.

    A bar is as high as the accuracy of its faces and as strong as they are many; on the diagonal
    confidence and accuracy agree (DeGroot and Fienberg, 1983).

    Parameters
    ----------
    probabilities : mapping of str to ndarray, shape (n, 7)
        By the networks' names.
    labels : ndarray of int, shape (n,)
    ax : Axes, optional
        As many as there are networks.

    Returns
    -------
    ndarray of Axes, shape (number of networks,)

    Raises
    ------
    ValueError
        If `probabilities` is empty or an array in it does not fit `labels`.
    """
    check_probabilities(probabilities, labels)
    axes = panels(ax, len(probabilities), size=(3.6, 3.6), most_columns=3)
    colors = network_colors(probabilities)
    for one, (name, each) in zip(axes, probabilities.items(), strict=True):
        table = calibration_bins(each, labels)
        strength = 0.25 + 0.75 * table["n"] / table["n"].max()
        fill = [(colors[name], alpha) for alpha in strength]
        middles = (np.arange(BINS) + 0.5) / BINS
        one.bar(middles, table["accuracy"].fillna(0), 0.94 / BINS, color=fill)
        one.plot([0, 1], [0, 1], "--", color="grey")
        error = expected_calibration_error(each, labels)
        one.set_title(f"{name}\nexpected calibration error {error:.3f}", fontsize="medium")
        one.set(xlabel="Confidence", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        _percent_axes(one)
    axes[0].set_ylabel("Accuracy")
    return axes


def plot_coverage(
    probabilities: Probabilities,
    labels: np.ndarray,
    *,
    min_confidence: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the accuracy of networks that only answer where they are surest.

    Parameters
    ----------
    probabilities, labels
        As for `plot_reliability`.
    min_confidence : float, optional
        Mark on each curve where the faces of at least this confidence, 0 to 1, end.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        As `plot_reliability` does, or `min_confidence` is outside 0-1.
    TypeError
        `min_confidence` is no number.
    """
    check_probabilities(probabilities, labels)
    if min_confidence is not None:
        checked_share("min_confidence", min_confidence)
    ax = panels(ax, 1, size=(7, 4.5))[0]
    for name, color in network_colors(probabilities).items():
        curve = coverage_curve(probabilities[name], labels)
        ax.plot(curve["coverage"], curve["accuracy"], color=color, label=name)
        if min_confidence is not None:
            sure = curve[curve["min_confidence"] >= min_confidence].tail(1)
            ax.plot(sure["coverage"], sure["accuracy"], "o", color=color)
    title = "Accuracy where the network answers"
    if min_confidence is not None:
        title += f" (dot: confidence of at least {min_confidence:.0%})"
    ax.set_title(title, fontsize="medium")
    ax.set(xlabel="Coverage: share of the faces answered, the surest first", ylabel="Accuracy")
    ax.set_xlim(0, 1)
    _percent_axes(ax)
    ax.legend(frameon=False)
    return ax


def name_confusion_axes(ax: Axes) -> None:
    """Name the sides and cells of a confusion matrix, true emotions down, predicted across."""
    ax.set(xlabel="Predicted emotion", ylabel="True emotion")
    ax.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    ax.set_yticks(range(len(EMOTIONS)), EMOTIONS)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _checked_confusion(report: Any) -> np.ndarray:
    counts = np.asarray(getattr(report, "confusion", report))
    shape = (len(EMOTIONS), len(EMOTIONS))
    if counts.shape != shape:
        raise ValueError(f"report must be of evaluate, or counts {shape}; got {counts.shape}")
    if not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError("report must hold counts, whole and not negative, not shares")
    return counts


def _finish_confusion(ax: Axes, counts: np.ndarray) -> None:
    total = counts.sum()
    right = f", {np.trace(counts) / total:.1%} right" if total else ""
    ax.set_title(f"Confusion matrix ({total:,} pictures{right})")
    name_confusion_axes(ax)


def _percent_axes(ax: Axes) -> None:
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.spines[["top", "right"]].set_visible(False)
