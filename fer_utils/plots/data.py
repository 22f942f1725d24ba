"""Pictures of a data set: how many pictures each emotion has, and what they look like.

The conventions are those of `plots.axes`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from ..argument_checks import checked_whole_number
from ..emotions import EMOTIONS, colors_of, ink_on
from .axes import new_grid, panels

Counts = Mapping[str, int]


class SplitLike(Protocol):
    """What the plots need of a `Split`."""

    images: np.ndarray
    labels: np.ndarray

    def counts(self) -> Counts: ...


def plot_distribution(
    splits: SplitLike | Counts | Mapping[str, SplitLike | Counts], *, ax: Axes | None = None
) -> Axes:
    """Draw how many pictures each emotion has, with the counts on the bars.

    Parameters
    ----------
    splits : Split, counts or mapping of names to those
        One split, or several to compare side by side, such as
        ``{"Before SMOTE": split, "After SMOTE": balanced}``. Counts are ``{emotion: n}``, of our
        emotions; one left out counts as 0. A split may have others.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If `splits` holds neither splits nor counts, or nothing at all.

    Examples
    --------
    >>> fer.plot_distribution({"happy": 30, "disgust": 2}).get_title()
    'Pictures per emotion (32 in all)'
    """
    groups = _counts_by_name(splits)
    emotions = _emotions_of(groups)
    colors = list(colors_of(emotions).values())
    ax = panels(ax, 1, size=(6 + 1.5 * len(groups), 4))[0]
    shades = np.linspace(1, 0.35, len(groups))[::-1]
    width = 0.86 / len(groups)
    for i, (counts, shade) in enumerate(zip(groups.values(), shades, strict=True)):
        places = np.arange(len(emotions)) + (i - (len(groups) - 1) / 2) * width
        heights = [counts.get(name, 0) for name in emotions]
        fill = [(color, shade) for color in colors]
        bars = ax.bar(places, heights, 0.92 * width, color=fill, edgecolor=colors)
        ax.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize="small")
    ax.set_xticks(range(len(emotions)), emotions)
    _finish_distribution(ax, groups, shades)
    return ax


def plot_samples(
    split: SplitLike,
    *,
    columns: int = 8,
    rows: int = 3,
    emotion: str | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> np.ndarray:
    """Show pictures drawn at random: a row for each emotion, or a grid of one emotion.

    Parameters
    ----------
    split : Split
        `images` uint8 (n, 48, 48) and `labels` int64 (n,).
    columns : int
        Pictures in a row.
    rows : int
        Rows at most when `emotion` is given; else every emotion has one row.
    emotion : str, optional
        Show this emotion only.
    random_state : int, Generator or None
        Seed of the choice.

    Returns
    -------
    ndarray of Axes, shape (rows, columns)
        Places for which the split has no picture stay empty.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> data = fer.load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False)
    >>> fer.plot_samples(data.train).shape
    (7, 8)
    """
    images, labels = checked_pictures(split)
    checked_whole_number("columns", columns, least=1)
    checked_whole_number("rows", rows, least=1)
    emotions = list(getattr(split, "emotions", EMOTIONS))
    if emotion is not None and emotion not in emotions:
        raise ValueError(f"emotion must be one of {', '.join(emotions)}; got {emotion!r}.")
    rng = np.random.default_rng(random_state)
    if emotion is None:
        chosen = [_pick(labels, label, columns, rng) for label in range(len(emotions))]
    else:
        picked = _pick(labels, emotions.index(emotion), rows * columns, rng)
        chosen = [picked[i : i + columns] for i in range(0, max(len(picked), 1), columns)]
    grid = picture_grid(images, chosen, columns)
    there = len(labels) if emotion is None else np.count_nonzero(labels == emotions.index(emotion))
    title = f"{sum(map(len, chosen)):,} of {there:,} pictures"
    grid[0, 0].figure.suptitle(title if emotion is None else f"{emotion.capitalize()}: {title}")
    if emotion is None:
        _name_rows(grid, emotions)
    return grid


def plot_variants(split: SplitLike, variants: np.ndarray) -> np.ndarray:
    """Show pictures, a row each, and beside each what was made of it.

    Parameters
    ----------
    split : Split
        The originals: `images` uint8 (n, 48, 48) and `labels` int64 (n,).
    variants : ndarray of uint8, shape (n, k, 48, 48)
        Such as `fer_utils.training.augmentation.augmented_copies` returns them.

    Returns
    -------
    ndarray of Axes, shape (n, 1 + k)

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or there is no picture.

    Examples
    --------
    >>> from fer_utils import Split
    >>> faces = Split(np.zeros((2, 48, 48), np.uint8), np.array([0, 3]))
    >>> plot_variants(faces, np.zeros((2, 5, 48, 48), np.uint8)).shape
    (2, 6)
    """
    images, labels = checked_pictures(split)
    variants = np.asarray(variants)
    # So there is one picture at least, and one variant of it.
    fits = variants.size and variants.ndim == 4 and variants[:, 0].shape == images.shape
    if not fits or variants.dtype != np.uint8:
        raise ValueError(
            f"variants must be uint8 {(len(images), 'k', *images.shape[1:])}, some for each "
            f"picture of the split, one at least; got {variants.dtype} {variants.shape}."
        )
    columns = 1 + variants.shape[1]
    together = np.concatenate([images[:, None], variants], axis=1).reshape(-1, *images.shape[1:])
    grid = picture_grid(together, [*np.arange(len(together)).reshape(-1, columns)], columns)
    grid[0, 0].set_title("original", fontsize="medium")
    grid[0, 1].set_title("changed by chance", fontsize="medium", loc="left")
    emotions = getattr(split, "emotions", EMOTIONS)
    _name_rows(grid, [emotions[label] for label in labels])
    return grid


def picture_grid(
    images: np.ndarray,
    chosen: Sequence[np.ndarray],
    columns: int,
    *,
    cell: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Draw pictures on a grid: row by row those at the `chosen` places.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
    chosen : sequence of ndarray of int
        A row's places in `images`, `columns` at most. A row without any says so.
    columns : int
    cell : tuple of float
        Width and height of a picture with the text around it, in inches.

    Returns
    -------
    ndarray of Axes, shape (number of rows, columns)
    """
    size = (cell[0] * columns + 0.8, cell[1] * len(chosen) + 0.4)
    grid = new_grid(len(chosen), columns, size, w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
        ax.patch.set_visible(False)
    for axes, row in zip(grid, chosen, strict=True):
        for ax, place in zip(axes, row, strict=False):
            ax.imshow(images[place], cmap="gray", vmin=0, vmax=255)
        if len(row) == 0:
            axes[0].text(0.1, 0.5, "no pictures", va="center", transform=axes[0].transAxes)
    return grid


def _counts_by_name(splits: Any) -> dict[str, Counts]:
    if isinstance(splits, Mapping) and not _is_counts(splits):
        return {str(name): _counts(split, f"splits[{name!r}]") for name, split in splits.items()}
    counts = _counts(splits, "splits")
    if not counts:
        raise ValueError("splits is empty; pass a Split, or counts such as {'happy': 3}.")
    return {"": counts}


def _emotions_of(groups: Mapping[str, Counts]) -> list[str]:
    """Name ours, or those of the splits if there are others, in the order in which they come."""
    named = list(dict.fromkeys(name for counts in groups.values() for name in counts))
    return list(EMOTIONS) if set(named) <= set(EMOTIONS) else named


def _is_counts(mapping: Mapping[Any, Any]) -> bool:
    """Tell counts from named splits, whose names may be emotions too."""
    holds_splits = any(isinstance(v, Mapping) or hasattr(v, "counts") for v in mapping.values())
    return set(mapping) <= set(EMOTIONS) and not holds_splits


def _counts(split: Any, argument: str) -> Counts:
    if callable(getattr(split, "counts", None)):
        return split.counts()
    counts = split
    if not isinstance(counts, Mapping) or not set(counts) <= set(EMOTIONS):
        what = repr(counts) if isinstance(counts, Mapping) else type(split).__name__
        raise TypeError(f"{argument} must be a Split or counts {{emotion: n}}, got {what}.")
    for name, n in counts.items():
        checked_whole_number(f"{argument}: the count of {name!r}", n, least=0)
    return counts


def _finish_distribution(ax: Axes, groups: Mapping[str, Counts], shades: Sequence[float]) -> None:
    totals = [f"{sum(counts.values()):,}" for counts in groups.values()]
    several = len(groups) > 1
    title = "Pictures per emotion" if several else f"Pictures per emotion ({totals[0]} in all)"
    ax.set_title(title, pad=28 if several else None)  # the legend goes between title and bars
    ax.set_ylabel("Pictures")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0.02, y=0.08)
    if several:
        grey = plt.rcParams["text.color"]
        handles = [Patch(facecolor=(grey, 0.8 * shade), edgecolor=grey) for shade in shades]
        names = [f"{name} ({total})" for name, total in zip(groups, totals, strict=True)]
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": len(names)}
        ax.legend(handles, names, frameon=False, **place)


def checked_pictures(split: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's images and labels; TypeError or ValueError if it holds no such thing."""
    try:
        images, labels = np.asarray(split.images), np.asarray(split.labels)
    except AttributeError:
        got = type(split).__name__
        raise TypeError(f"split must be a Split with images and labels, got {got}.") from None
    if images.ndim != 3 or images.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            "split must hold images uint8 (n, height, width) and labels (n,); got images "
            f"{images.dtype} {images.shape} and labels {labels.shape}."
        )
    return images, labels


def _pick(labels: np.ndarray, label: int, most: int, rng: np.random.Generator) -> np.ndarray:
    places = np.flatnonzero(labels == label)
    return rng.choice(places, size=min(most, len(places)), replace=False)


def _name_rows(grid: np.ndarray, names: Sequence[str]) -> None:
    colors = colors_of(dict.fromkeys(names))
    for ax, name in zip(grid[:, 0], names, strict=True):
        color = colors[name]
        ax.set_ylabel(name, rotation=0, ha="right", va="center", color=ink_on(to_rgb(color)))
        ax.yaxis.label.set_bbox({"facecolor": color, "edgecolor": "none", "boxstyle": "round"})
