"""Networks side by side: intervals, paired tests, and the faces on which they disagree.

The tests are SciPy's. The bootstrap is ours, neither SciPy's nor statsmodels': a draw of the
confusion matrix, of which all metrics are made, is a draw of the faces, and much quicker.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..data.dataset import Split
from ..emotions import EMOTIONS
from ..evaluation.calibration import Probabilities, check_probabilities
from ..evaluation.metrics import Report, report_on
from ..extras import training_extra
from ..plots.axes import (
    MATRIX_SIZE,
    network_colors,
    new_grid,
    panels,
    round_ticks,
    write_in_cells,
)
from ..plots.evaluation import name_confusion_axes

with training_extra():
    from scipy.stats import binomtest

SUMMARIES = ("accuracy", "balanced accuracy", "macro F1")
_LEVEL = 0.05  # of the intervals and tests, two-sided


def bootstrap_table(
    probabilities: Probabilities,
    labels: np.ndarray,
    *,
    emotions: Sequence[str] = EMOTIONS,
    resamples: int = 2000,
    seed: int = 42,
) -> pd.DataFrame:
    """Measure networks, with 95% intervals of what other faces of the same kind would have given.

    Of the summaries by percentile bootstrap (Efron and Tibshirani, 1993): to draw n faces with
    replacement is to draw the confusion matrix from a multinomial distribution, so only that is
    drawn. Of a recall by Wilson's formula (1927), which has a width even where all faces of a rare
    emotion are found, or none.

    Parameters
    ----------
    probabilities : mapping of str to ndarray, shape (n, emotions)
        By the networks' names.
    labels : ndarray of int, shape (n,)
    emotions : sequence of str
        What the labels are positions in.
    resamples, seed : int
        How many draws of the bootstrap, and the seed of their chance.

    Returns
    -------
    pandas.DataFrame
        Columns network, metric, value, low and high, the latter three 0 to 1. The metrics are
        those of `SUMMARIES`, whose means are over the emotions that occur, and the recall of each
        emotion under its name, which is NaN where it does not occur.

    Raises
    ------
    ValueError
        If `probabilities` is empty, an array in it does not fit `labels` or holds what is no
        probability, or `resamples` is below 1.
    """
    check_probabilities(probabilities, labels)
    check_resamples(resamples)
    rows = []
    for name, each in probabilities.items():
        counts = report_on(each, labels, emotions=emotions).confusion
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(labels), counts.ravel() / len(labels), size=resamples)
        measured = _metrics(counts, emotions)
        spread = _metrics(drawn.reshape(-1, *counts.shape), emotions)
        intervals = {metric: percentile_interval(spread[metric]) for metric in SUMMARIES}
        recalls = map(wilson_interval, np.diagonal(counts), counts.sum(axis=1))
        intervals |= dict(zip(emotions, recalls, strict=True))
        rows += [(name, metric, float(v), *intervals[metric]) for metric, v in measured.items()]
    return pd.DataFrame(rows, columns=["network", "metric", "value", "low", "high"])


def check_resamples(resamples: int) -> None:
    """Raise ValueError unless a bootstrap draws once at least."""
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}.")


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """Return where the middle 95% of the values that are numbers begin and end."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [_LEVEL / 2, 1 - _LEVEL / 2])
    return float(low), float(high)


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Return the 95% interval (Wilson, 1927) of the share hits / n; NaN where n is 0."""
    if n == 0:
        return np.nan, np.nan
    interval = binomtest(int(hits), int(n)).proportion_ci(1 - _LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def _metrics(counts: np.ndarray, emotions: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the metrics of confusion matrices (..., k, k); NaN where they are undefined."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    true, named = counts.sum(axis=-1), counts.sum(axis=-2)
    recall = share_of(right, true)
    f1 = np.where(true > 0, share_of(2 * right, true + named), np.nan)
    summaries = (
        right.sum(axis=-1) / counts.sum(axis=(-2, -1)),
        mean_of_known(recall),
        mean_of_known(f1),
    )
    recalls = np.moveaxis(recall, -1, 0)
    return dict(zip((*SUMMARIES, *emotions), (*summaries, *recalls), strict=True))


def share_of(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean over the emotions that have a value."""
    return np.nansum(values, axis=-1) / np.isfinite(values).sum(axis=-1)


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out a `bootstrap_table` to be read: a row a metric, a column a network."""
    texts = [
        "does not occur"
        if np.isnan(row.value)
        else f"{row.value:.1%} ({100 * row.low:.1f}\N{NON-BREAKING HYPHEN}{100 * row.high:.1f})"
        for row in table.itertuples()
    ]
    wide = table.assign(text=texts).pivot(index="metric", columns="network", values="text")
    return wide.loc[table["metric"].unique(), table["network"].unique()]


def plot_intervals(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a `bootstrap_table`: a point and its interval for each metric and network."""
    networks, metrics = table["network"].unique(), table["metric"].unique()
    ax = panels(ax, 1, size=(10, 4.5))[0]
    colors = network_colors(networks)
    for place, name in enumerate(networks):
        rows = table[table["network"] == name].set_index("metric").loc[metrics]
        x = np.arange(len(metrics)) + 0.7 / len(networks) * (place - (len(networks) - 1) / 2)
        lengths = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        style = {"fmt": "o", "capsize": 3, "color": colors[name], "label": name}
        ax.errorbar(x, rows["value"], yerr=np.maximum(lengths, 0), **style)
    summaries = sum(str(metric).startswith(SUMMARIES) for metric in metrics)
    ax.axvline(summaries - 0.5, color="grey", linestyle=":")
    ax.set_xticks(range(len(metrics)), [str(m).replace(" ", "\n") for m in metrics])
    ax.set(ylabel="Share (emotions: recall)", ylim=(0, 1))
    round_ticks(ax.yaxis, percent=True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, ncols=len(networks), loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def mcnemar_table(probabilities: Probabilities, labels: np.ndarray) -> pd.DataFrame:
    """Test for each pair of networks whether one is right more often than the other.

    McNemar's exact test (1947): of the faces that only one of the two has right, each should have
    about half if they were equally good. The verdict allows for the number of pairs (Bonferroni).

    Parameters
    ----------
    probabilities, labels
        As for `bootstrap_table`; two networks at least.

    Returns
    -------
    pandas.DataFrame
        Columns first, second; only first right, only second right: numbers of faces; p; verdict.

    Raises
    ------
    ValueError
        As for `bootstrap_table`, or if there is one network alone.
    """
    check_probabilities(probabilities, labels)
    right = {name: each.argmax(axis=1) == labels for name, each in probabilities.items()}
    pairs = list(itertools.combinations(right, 2))
    if not pairs:
        raise ValueError("probabilities must hold those of two networks or more, got one.")
    rows = []
    for first, second in pairs:
        only_first = int((right[first] & ~right[second]).sum())
        only_second = int((right[second] & ~right[first]).sum())
        differing = only_first + only_second
        p = float(binomtest(only_first, differing).pvalue) if differing else 1.0
        better = first if only_first > only_second else second
        verdict = f"{better} is better" if p < _LEVEL / len(pairs) else "no difference shown"
        rows.append((first, second, only_first, only_second, p, verdict))
    columns = ["first", "second", "only first right", "only second right", "p", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def plot_confusion_difference(
    first: Report, second: Report, *, names: tuple[str, str], ax: Axes | None = None
) -> Axes:
    """Draw by how many points the second network's confusion shares exceed the first's.

    Parameters
    ----------
    first, second : Report
        Of the same faces.
    names : tuple of str
        The networks', for the title.
    ax : Axes, optional
    """
    shares = [
        share_of(r.confusion, r.confusion.sum(axis=1, keepdims=True)) for r in (first, second)
    ]
    points = 100 * (shares[1] - shares[0])
    most = max(np.nanmax(np.abs(points)), 1)
    ax = panels(ax, 1, size=MATRIX_SIZE)[0]
    image = ax.imshow(points, cmap="PuOr_r", vmin=-most, vmax=most, aspect="auto")
    write_in_cells(image, [[_signed(value) for value in row] for row in points])
    ax.set_title(f"Share of the true emotion: {names[1]} minus {names[0]}, in points")
    name_confusion_axes(ax, list(first.recall))
    return ax


def _signed(points: float) -> str:
    return f"{points:+.1f}" if abs(points) >= 0.05 else ""  # also where it is not known


def find_disagreements(
    first: np.ndarray,
    second: np.ndarray,
    labels: np.ndarray,
    *,
    emotions: Sequence[str] = EMOTIONS,
) -> pd.DataFrame:
    """List the faces that two networks call differently, the widest apart first.

    Parameters
    ----------
    first, second : ndarray, shape (n, emotions)
        The two networks' probabilities.
    labels : ndarray of int, shape (n,)
    emotions : sequence of str
        What the labels are positions in.

    Returns
    -------
    pandas.DataFrame
        Columns index, the face's place among the n; true, first and second: emotions; distance,
        half the sum of the probabilities' differences (total variation), 0 to 1; right: "first",
        "second" or "neither".
    """
    check_probabilities({"first": first, "second": second}, labels)
    said = first.argmax(axis=1), second.argmax(axis=1)
    right = np.select([said[0] == labels, said[1] == labels], ["first", "second"], "neither")
    names = np.array(emotions)
    table = pd.DataFrame(
        {
            "index": np.arange(len(labels)),
            "true": names[labels],
            "first": names[said[0]],
            "second": names[said[1]],
            "distance": np.abs(first.astype(float) - second).sum(axis=1) / 2,
            "right": right,
        }
    )
    differing = table[said[0] != said[1]]
    return differing.sort_values("distance", ascending=False, kind="stable", ignore_index=True)


def plot_disagreements(
    split: Split, disagreements: pd.DataFrame, probabilities: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Show faces with the probabilities of the two networks that disagree on them.

    Parameters
    ----------
    split : Split
    disagreements : pandas.DataFrame
        Some rows, at least one, of `find_disagreements`.
    probabilities : mapping of str to ndarray, shape (n, emotions)
        Of the first and the second network, by their names.

    Returns
    -------
    ndarray of Axes, shape (number of rows, 2)
        Face and bars.

    Raises
    ------
    ValueError
        If there are no rows, or not two networks.
    """
    if len(disagreements) == 0:
        raise ValueError("disagreements must hold one row at least, got none: pick others.")
    if len(probabilities) != 2:
        raise ValueError(f"probabilities must hold those of 2 networks, got {len(probabilities)}.")
    grid = _face_grid(len(disagreements))
    names = dict(zip(("first", "second"), probabilities, strict=True))
    for (face, bars), row in zip(grid, disagreements.itertuples(index=False), strict=True):
        face.imshow(split.images[row.index], cmap="gray", vmin=0, vmax=255)
        face.axis("off")
        face.set_title(f"labelled {row.true}", fontsize="medium")
        said = {name: each[row.index] for name, each in probabilities.items()}
        _plot_pair(bars, said, split.emotions)
        who = names.get(row.right, "neither")
        bars.set_title(f"right: {who}", fontsize="medium")
    grid[0, 1].legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.15))
    return grid


def _face_grid(count: int) -> np.ndarray:
    """Return Axes (count, 2), for a face and its bars each, in a figure with two faces a row."""
    abreast = min(count, 2)
    rows = -(-count // abreast)
    grid = new_grid(rows, 2 * abreast, (5.5 * abreast, 2.2 * rows))
    grid[0, 0].get_gridspec().set_width_ratios([2, 3] * abreast)
    pairs = grid.reshape(-1, 2)
    for spare in pairs[count:].flat:
        spare.remove()
    return pairs[:count]


def _plot_pair(ax: Axes, rows: Mapping[str, np.ndarray], emotions: Sequence[str]) -> None:
    colors = network_colors(rows)
    for offset, (name, row) in zip((-0.2, 0.2), rows.items(), strict=True):
        ax.barh(np.arange(len(emotions)) + offset, row, 0.4, color=colors[name], label=name)
    ax.set_yticks(range(len(emotions)), emotions)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    round_ticks(ax.xaxis, percent=True)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)
