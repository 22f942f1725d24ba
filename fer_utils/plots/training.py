"""Charts of training: its course, and the network that is trained.

The conventions are those of `plots.axes`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Polygon, Rectangle
from matplotlib.ticker import MaxNLocator

from .axes import NETWORK_COLORS, panels, round_ticks

if TYPE_CHECKING:
    import keras

_ACCENT = NETWORK_COLORS[0]
_HISTORY_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")
_KINDS = {  # layer class: name in the legend, colour
    "Conv2D": ("convolution", "#56B4E9"),
    "MaxPooling2D": ("max-pool", "#D55E00"),
    "Dense": ("dense", "#785EF0"),
}
_GAP = 0.55
_WIDTH = 1.0


def plot_history(
    history: Mapping[str, Sequence[float]], *, ax: Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw loss and accuracy over the epochs, and mark the epoch whose weights `train` keeps.

    That is the one of the highest validation accuracy, the first of several, among those at the
    last picture size.

    Parameters
    ----------
    history : DataFrame or mapping of sequences
        Columns ``loss, accuracy, val_loss, val_accuracy``, one entry an epoch; `epoch`
        (else 1, 2, ...) and `image_size` in px (its changes are marked) may be there too.
    ax : two Axes, optional

    Returns
    -------
    ndarray of Axes, shape (2,)
        Loss on the left, accuracy on the right.

    Raises
    ------
    TypeError, ValueError
        If columns are missing, empty, not numbers, or of different lengths.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.5], "accuracy": [0.2, 0.4]})
    >>> history[["val_loss", "val_accuracy"]] = [[1.9, 0.3], [1.6, 0.4]]
    >>> [ax.get_ylabel() for ax in fer.plot_history(history)]
    ['Loss', 'Accuracy']
    """
    columns = _checked_history(history)
    axes = panels(ax, 2, size=(5.5, 4))
    kept = _kept(columns)
    _plot_curves(axes[0], columns, "loss", kept, "{x:.3f}")
    _plot_curves(axes[1], columns, "accuracy", kept, "{x:.1%}")
    round_ticks(axes[0].yaxis)
    round_ticks(axes[1].yaxis, percent=True)
    for one in axes if "image_size" in columns else ():
        _mark_sizes(one, columns["epoch"], columns["image_size"])
    return axes


def plot_architecture(model: "keras.Model", *, ax: Axes | None = None) -> Axes:
    """Draw the convolutions, max-pools and dense layers of a network in their order.

    Parameters
    ----------
    model : keras.Model
        A chain of layers such as `build_vgg` returns. Layers of other kinds (batch norm, ReLU,
        dropout) are left out.
    ax : Axes, optional

    Returns
    -------
    Axes
        Holds one labelled box a layer: its output is "46x46" high and wide and "64" deep.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    ValueError
        If it has no layer of these kinds.

    Examples
    --------
    >>> fer.plot_architecture(fer.build_vgg()).get_title()
    '15 layers, 7.1 million parameters'
    """
    from ..quiet_keras import keras  # takes seconds: it imports TensorFlow

    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}.")
    layers = [layer for layer in model.layers if type(layer).__name__ in _KINDS]
    if not layers:
        raise ValueError("model must have convolutions, max-pools or dense layers, has none.")
    ax = panels(ax, 1, size=(12, 4.2))[0]
    for place, layer in enumerate(layers):
        _draw_layer(ax, place * (_WIDTH + _GAP), layer)
    _finish_architecture(ax, layers, model)
    return ax


def _checked_history(history: Any) -> dict[str, np.ndarray]:
    if not hasattr(history, "keys"):
        raise TypeError(
            "history must be a DataFrame or a mapping of columns, such as pandas.read_csv gives of "
            f"a run's log; got {type(history).__name__}."
        )
    missing = [name for name in _HISTORY_COLUMNS if name not in history]
    if missing:
        raise ValueError(f"history must have the columns {_HISTORY_COLUMNS}, lacks {missing}.")
    names = [name for name in (*_HISTORY_COLUMNS, "epoch", "image_size") if name in history]
    try:
        table = np.array([history[name] for name in names], dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"history must hold numbers, as many in each column: {error}.") from None
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError("history is empty; train for at least one epoch.")
    return {"epoch": np.arange(1, table.shape[1] + 1)} | dict(zip(names, table, strict=True))


def _kept(columns: Mapping[str, np.ndarray]) -> int | None:
    """Return the place of the epoch that is kept; None where no accuracy is a number."""
    accuracies = columns["val_accuracy"].copy()
    if "image_size" in columns:
        changes = np.flatnonzero(np.diff(columns["image_size"])) + 1
        accuracies[: changes[-1] if len(changes) else 0] = np.nan
    return int(np.nanargmax(accuracies)) if np.isfinite(accuracies).any() else None


def _plot_curves(
    ax: Axes, columns: Mapping[str, np.ndarray], name: str, kept: int | None, form: str
) -> None:
    epochs, values = columns["epoch"], columns[f"val_{name}"]
    marker = "." if len(epochs) == 1 else ""  # one point makes no line
    grey = plt.rcParams["text.color"]
    ax.plot(epochs, columns[name], f"{marker}--", color=grey, alpha=0.6, label="training")
    ax.plot(epochs, values, f"{marker}-", color=_ACCENT, label="validation")
    if kept is not None:
        label = f"kept: {form.format(x=values[kept])} (epoch {epochs[kept]:.0f})"
        ax.plot(epochs[kept], values[kept], "o", color=_ACCENT, label=label)
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


def _draw_layer(ax: Axes, x: float, layer: "keras.layers.Layer") -> None:
    _, *sides, channels = layer.output.shape
    _, color = _KINDS[type(layer).__name__]
    # Dense layers have no sides: they are as high as their share of 1024 units, at most.
    height = sides[0] if sides else max(2, 40 * channels / 1024)
    slant = 0.35
    edge = {"facecolor": color, "edgecolor": plt.rcParams["axes.facecolor"], "linewidth": 0.8}
    low, high = -height / 2, height / 2
    roof = [(x, high), (x + slant, high + 2), (x + _WIDTH + slant, high + 2), (x + _WIDTH, high)]
    flank = [(x + _WIDTH, low), (x + _WIDTH, high), (x + _WIDTH + slant, high + 2)]
    flank.append((x + _WIDTH + slant, low + 2))
    ax.add_patch(Polygon(roof, alpha=0.7, **edge))
    ax.add_patch(Polygon(flank, alpha=0.5, **edge))
    ax.add_patch(Rectangle((x, low), _WIDTH, height, **edge))
    text = {"ha": "center", "fontsize": "small"}
    ax.text(x + _WIDTH / 2, high + 3, "x".join(map(str, sides)), va="bottom", **text)
    ax.text(x + _WIDTH / 2, low - 1.5, str(channels), va="top", weight="bold", **text)


def _finish_architecture(
    ax: Axes, layers: Sequence["keras.layers.Layer"], model: "keras.Model"
) -> None:
    counts = {kind: sum(type(layer).__name__ == kind for layer in layers) for kind in _KINDS}
    handles = [
        Patch(facecolor=color, label=f"{counts[kind]} x {name}")
        for kind, (name, color) in _KINDS.items()
        if counts[kind]
    ]
    ax.legend(handles=handles, loc="upper right", frameon=False)
    ax.set_title(f"{len(layers)} layers, {model.count_params() / 1e6:.1f} million parameters")
    ax.set_xlim(-0.3, len(layers) * (_WIDTH + _GAP) + 0.3)
    ax.set_ylim(-31, 35)
    ax.axis("off")
