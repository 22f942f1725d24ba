"""Pictures of training, evaluation and recognised faces.

All plots take ``ax=None`` (then they make a figure), return the Axes they drew on and never
call ``plt.show()``. Emotions come in FER2013's order, each in its own colour. Text, background
and grey tones follow matplotlib's current style, so the plots fit light and dark notebooks.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..emotions import EMOTION_COLORS, EMOTIONS
from ..recognition.drawing import FaceLike, caption, face_list, ink_on

# They belong to no emotion, are told apart by the colour-blind (IBM's palette) and legible on
# black and on white.
_NETWORK_COLORS = ("#785EF0", "#DC267F", "#648FFF", "#FE6100", "#FFB000")
_ACCENT = _NETWORK_COLORS[0]
_COLORS = [EMOTION_COLORS[name] for name in EMOTIONS]
_HISTORY_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


def plot_history(
    history: Mapping[str, Sequence[float]], *, ax: Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw loss and accuracy over the epochs, and mark where validation was best.

    Parameters
    ----------
    history : DataFrame or mapping of sequences
        Columns ``loss, accuracy, val_loss, val_accuracy``, one entry an epoch; ``epoch``
        (else 1, 2, ...) and ``image_size`` in px (its changes are marked) may be there too.
    ax : two Axes, optional

    Returns
    -------
    ndarray of Axes, shape (2,)
        Loss on the left, accuracy on the right.

    Raises
    ------
    TypeError, ValueError
        If columns are missing, empty, not numbers, or of different lengths.
    """
    columns = _checked_history(history)
    axes = panels(ax, 2, size=(5.5, 4))
    _plot_curves(axes[0], columns, "loss", np.nanargmin, "{x:.3f}")
    _plot_curves(axes[1], columns, "accuracy", np.nanargmax, "{x:.1%}")
    axes[1].yaxis.set_major_formatter(PercentFormatter(1))
    for one in axes if "image_size" in columns else ():
        _mark_sizes(one, columns["epoch"], columns["image_size"])
    return axes


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
    for row, column in np.ndindex(counts.shape):
        ink = ink_on(image.cmap(shares[row, column]))
        text = f"{counts[row, column]:,}" + (f"\n{shares[row, column]:.0%}" if totals[row] else "")
        ax.text(column, row, text, ha="center", va="center", color=ink, fontsize="small")
    _finish_confusion(ax, counts)
    bar = ax.figure.colorbar(image, ax=ax, format=PercentFormatter(1), fraction=0.045, pad=0.03)
    bar.set_label("Share of the true emotion")
    bar.outline.set_visible(False)
    return ax


def plot_probabilities(
    faces: FaceLike | Sequence[FaceLike], *, ax: Axes | Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw the seven probabilities of each face as bars, one panel a face.

    Parameters
    ----------
    faces : FaceEmotion or sequence of FaceEmotion
        None at all gives one empty panel that says so.
    ax : Axes or sequence of Axes, optional
        As many as there are panels.

    Returns
    -------
    ndarray of Axes, shape (max(1, number of faces),)

    Raises
    ------
    TypeError, ValueError
        If `faces` holds anything but faces, or `ax` has another number of Axes.
    """
    faces = face_list(faces)
    axes = panels(ax, max(1, len(faces)), size=(3.6, 2.7), most_columns=3)
    if not faces:
        axes[0].axis("off")
        axes[0].text(0.5, 0.5, "No face found", ha="center", va="center", fontsize="large")
    for number, face in enumerate(faces, start=1):
        prefix = f"Face {number}: " if len(faces) > 1 else ""
        _plot_bars(axes[number - 1], face.emotions)
        axes[number - 1].set_title((prefix + caption(face)).capitalize())
    return axes


def new_grid(rows: int, columns: int, size: tuple[float, float], **pads: float) -> np.ndarray:
    """Return Axes (rows, columns) in a new figure of `size` inches, clear of the figure's edge."""
    figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=size, layout="constrained")
    figure.get_layout_engine().set(rect=(0.01, 0.01, 0.98, 0.98), **pads)
    return grid


def panels(ax: Any, count: int, *, size: tuple[float, float], most_columns: int = 2) -> np.ndarray:
    """Return `count` Axes in a flat array: those given, else a new figure of `size` inches each."""
    if ax is None:
        columns = min(count, most_columns)
        rows = -(-count // columns)
        grid = new_grid(rows, columns, (size[0] * columns, size[1] * rows))
        for spare in grid.flat[count:]:
            spare.remove()
        return grid.flat[:count]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if not all(isinstance(one, Axes) for one in axes):
        raise TypeError(f"ax must be matplotlib Axes, got {type(ax).__name__}")
    if len(axes) != count:
        raise ValueError(f"ax must hold {count} Axes, one a panel; got {len(axes)}")
    return axes


def network_colors(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each network, in the same order; "vote" has that of the text."""
    colors = itertools.cycle(_NETWORK_COLORS)
    text = plt.rcParams["text.color"]
    return {name: text if name == "vote" else next(colors) for name in names}


def _checked_history(history: Any) -> dict[str, np.ndarray]:
    if not hasattr(history, "keys"):
        raise TypeError(
            "history must be a DataFrame or a mapping of columns, such as pandas.read_csv gives of "
            f"a run's log; got {type(history).__name__}"
        )
    missing = [name for name in _HISTORY_COLUMNS if name not in history]
    if missing:
        raise ValueError(f"history must have the columns {_HISTORY_COLUMNS}, lacks {missing}")
    names = [name for name in (*_HISTORY_COLUMNS, "epoch", "image_size") if name in history]
    try:
        table = np.array([history[name] for name in names], dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"history must hold numbers, as many in each column: {error}") from None
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError("history is empty; train for at least one epoch")
    return {"epoch": np.arange(1, table.shape[1] + 1)} | dict(zip(names, table, strict=True))


def _plot_curves(
    ax: Axes, columns: Mapping[str, np.ndarray], name: str, argbest: Callable, form: str
) -> None:
    epochs, values = columns["epoch"], columns[f"val_{name}"]
    marker = "." if len(epochs) == 1 else ""  # one point makes no line
    grey = plt.rcParams["text.color"]
    ax.plot(epochs, columns[name], f"{marker}--", color=grey, alpha=0.6, label="training")
    ax.plot(epochs, values, f"{marker}-", color=_ACCENT, label="validation")
    if np.isfinite(values).any():
        best = argbest(values)
        label = f"best: {form.format(x=values[best])} (epoch {epochs[best]:.0f})"
        ax.plot(epochs[best], values[best], "o", color=_ACCENT, label=label)
    ax.set(title=name.capitalize(), xlabel="Epoch", ylabel=name.capitalize())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend()


def _mark_sizes(ax: Axes, epochs: np.ndarray, sizes: np.ndarray) -> None:
    changes = np.flatnonzero(np.diff(sizes))
    for place in changes:
        between = (epochs[place] + epochs[place + 1]) / 2
        ax.axvline(between, color=plt.rcParams["text.color"], alpha=0.4, linestyle=":")
        note = {"xycoords": ax.get_xaxis_transform(), "ha": "center", "fontsize": "small"}
        ax.annotate(f"{sizes[place + 1]:.0f} px", (between, 1.01), **note)
    if len(changes):
        ax.set_title(ax.get_title(), pad=18)  # above the sizes


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


def name_confusion_axes(ax: Axes) -> None:
    """Name the sides and cells of a confusion matrix, true emotions down, predicted across."""
    ax.set(xlabel="Predicted emotion", ylabel="True emotion")
    ax.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    ax.set_yticks(range(len(EMOTIONS)), EMOTIONS)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _plot_bars(ax: Axes, emotions: Mapping[str, float]) -> None:
    bars = ax.barh(EMOTIONS, [emotions[name] for name in EMOTIONS], color=_COLORS)
    ax.bar_label(bars, fmt="{:.0%}", padding=3, fontsize="small")
    ax.set_xlim(0, 1.15)
    ax.invert_yaxis()
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
