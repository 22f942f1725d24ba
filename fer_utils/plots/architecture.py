"""A picture of the network: one box a layer, as high as its feature maps and as deep as many."""

from collections.abc import Sequence

import keras
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Polygon, Rectangle

from .evaluation import panels

_KINDS = {  # layer class: name in the legend, colour
    "Conv2D": ("convolution", "#56B4E9"),
    "MaxPooling2D": ("max-pool", "#D55E00"),
    "Dense": ("dense", "#785EF0"),
}
_GAP = 0.55
_WIDTH = 1.0


def plot_architecture(model: keras.Model, *, ax: Axes | None = None) -> Axes:
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
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    layers = [layer for layer in model.layers if type(layer).__name__ in _KINDS]
    if not layers:
        raise ValueError("model must have convolutions, max-pools or dense layers, has none")
    ax = panels(ax, 1, size=(12, 4.2))[0]
    for place, layer in enumerate(layers):
        _draw_layer(ax, place * (_WIDTH + _GAP), layer)
    _finish(ax, layers, model)
    return ax


def _draw_layer(ax: Axes, x: float, layer: keras.layers.Layer) -> None:
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


def _finish(ax: Axes, layers: Sequence[keras.layers.Layer], model: keras.Model) -> None:
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
