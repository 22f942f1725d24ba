"""Charts of an evaluation: what is mistaken for what, and whether confidence may be believed.

The conventions are those of `plots.axes`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ..argument_checks import checked_share, checked_whole_number
from ..emotions import EMOTIONS
from ..evaluation.calibration import (
    BINS,
    Probabilities,
    calibration_bins,
    check_probabilities,
    coverage_curve,
    expected_calibration_error,
)
from ..evaluation.hard_faces import most_doubtful, surest_mistakes
from .axes import MATRIX_SIZE, network_colors, panels, round_ticks, write_in_cells
from .data import SplitLike, checked_pictures, picture_grid


def plot_confusion(report: Any, *, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: counts in the cells, coloured by their share of the row.

    Where none was counted, the cell stays blank.

    Parameters
    ----------
    report : report of `evaluate`, or int array (7, 7)
        Counts, true emotions down and predicted ones across. A report may be of other emotions.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If the matrix has another shape or holds anything but counts.

    Examples
    --------
    >>> fer.plot_confusion(np.eye(7, dtype=int)).get_xlabel()
    'Predicted emotion'
    """
    emotions = list(getattr(report, "recall", EMOTIONS))
    counts = _checked_confusion(report, emotions)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    ax = panels(ax, 1, size=MATRIX_SIZE)[0]
    image = ax.imshow(shares, cmap="Purples", vmin=0, vmax=1, aspect="auto")
    rows = zip(counts, shares, strict=True)
    write_in_cells(image, [[*map(_counted, *row)] for row in rows])
    _finish_confusion(ax, counts, emotions)
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
    probabilities : mapping of str to ndarray, shape (n, emotions)
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

    Examples
    --------
    >>> said = np.full((7, 7), 0.1, np.float32) + 0.3 * np.eye(7, dtype=np.float32)
    >>> fer.plot_reliability({"made up": said}, np.arange(7)).shape
    (1,)
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
        If `min_confidence` is no number.

    Examples
    --------
    >>> said = np.full((7, 7), 0.1, np.float32) + 0.3 * np.eye(7, dtype=np.float32)
    >>> fer.plot_coverage({"made up": said}, np.arange(7)).get_xlabel()
    'Coverage: share of the faces answered, the surest first'
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


def plot_predictions(
    split: SplitLike,
    probabilities: np.ndarray,
    *,
    which: str = "any",
    count: int = 16,
    columns: int = 8,
    random_state: int | np.random.Generator | None = 0,
) -> np.ndarray:
    """Show faces with the two emotions a network finds most probable, and the label.

    Parameters
    ----------
    split : Split
        `images` uint8 (n, 48, 48) and `labels` int64 (n,).
    probabilities : ndarray, shape (n, classes)
        What the network says of them.
    which : str
        "any" draws faces at random; "surest mistakes" begins with the most probable of the
        emotions that are not the label; "most doubtful" with the faces whose two most probable
        emotions are nearest to each other.
    count : int
        Faces at most.
    columns : int
        Faces in a row.
    random_state : int, Generator or None
        Seed of the choice of "any".

    Returns
    -------
    ndarray of Axes, shape (rows, columns)
        By row; a bold label is not what the network says. Where there is no such face, one row
        that says so.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from fer_utils import Split
    >>> faces = Split(np.zeros((2, 48, 48), np.uint8), np.array([0, 3]))
    >>> grid = plot_predictions(faces, np.eye(7)[[3, 3]], which="surest mistakes")
    >>> grid[0, 0].get_xlabel()
    'label: angry'
    """
    images, labels = checked_pictures(split)
    check_probabilities({"of the network": probabilities}, labels)
    checked_whole_number("count", count, least=1)
    checked_whole_number("columns", columns, least=1)
    if which not in _CHOICES:
        raise ValueError(f"which must be one of {', '.join(_CHOICES)}; got {which!r}.")
    chosen = _CHOICES[which](probabilities, labels, np.random.default_rng(random_state))[:count]
    emotions = getattr(split, "emotions", EMOTIONS)
    rows = [chosen[i : i + columns] for i in range(0, max(len(chosen), 1), columns)]
    grid = picture_grid(images, rows, columns, cell=(1.15, 1.9))
    found = f"{len(chosen)} of {len(labels):,} faces" if len(chosen) else "none found"
    title = "at random" if which == "any" else which
    grid[0, 0].figure.suptitle(f"{title.capitalize()}: {found}")
    for ax, place in zip(grid.flat, chosen, strict=False):
        _caption_prediction(ax, probabilities[place], labels[place], emotions)
    return grid


_CHOICES: Mapping[str, Callable[..., np.ndarray]] = {
    "any": lambda said, labels, rng: rng.permutation(len(labels)),
    "surest mistakes": lambda said, labels, rng: surest_mistakes(said, labels),
    "most doubtful": lambda said, labels, rng: most_doubtful(said),
}


def _caption_prediction(ax: Axes, said: np.ndarray, label: int, emotions: Sequence[str]) -> None:
    first, second = np.argsort(-said, kind="stable")[:2]
    lines = [f"{emotions[place]} {said[place]:.0%}" for place in (first, second)]
    ax.set_title("\n".join(lines), fontsize="small")
    weight = "normal" if first == label else "bold"
    ax.set_xlabel(f"label: {emotions[label]}", fontsize="small", weight=weight)


def name_confusion_axes(ax: Axes, emotions: Sequence[str] = EMOTIONS) -> None:
    """Name the sides and cells of a confusion matrix, true emotions down, predicted across."""
    ax.set(xlabel="Predicted emotion", ylabel="True emotion")
    ax.set_xticks(range(len(emotions)), emotions)
    ax.set_yticks(range(len(emotions)), emotions)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _counted(count: int, share: float) -> str:
    return f"{count:,}\n{share:.0%}" if count else ""


def _checked_confusion(report: Any, emotions: Sequence[str]) -> np.ndarray:
    counts = np.asarray(getattr(report, "confusion", report))
    shape = (len(emotions), len(emotions))
    if counts.shape != shape:
        raise ValueError(f"report must be of evaluate, or counts {shape}; got {counts.shape}.")
    if not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError("report must hold counts, whole and not negative, not shares.")
    return counts


def _finish_confusion(ax: Axes, counts: np.ndarray, emotions: Sequence[str]) -> None:
    total = counts.sum()
    right = f", {np.trace(counts) / total:.1%} right" if total else ""
    ax.set_title(f"Confusion matrix ({total:,} pictures{right})")
    name_confusion_axes(ax, emotions)


def _percent_axes(ax: Axes) -> None:
    round_ticks(ax.xaxis, percent=True)
    round_ticks(ax.yaxis, percent=True)
    ax.spines[["top", "right"]].set_visible(False)
