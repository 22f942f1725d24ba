"""Probing a network: where it looks (Grad-CAM), and how it breaks when pictures get worse."""

import io
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.ticker import PercentFormatter
from PIL import Image
from scipy import ndimage
from scipy.stats import spearmanr
from tqdm.auto import tqdm

from ..data.dataset import Split
from ..emotions import EMOTIONS
from ..evaluation.metrics import probabilities_by_name
from ..network.vote import SoftVote
from ..plots.axes import network_colors, new_grid
from .comparison import wilson_interval

# The last block's convolutions see 5x5 places of a face, those of the block before it 11x11.
LAYER = "block3_conv2_relu"
_BATCH = 64
# Where FER2013's faces have their eyes and mouth, as shares of the height; bench_crop.py prints it.
_EYES_Y, _MOUTH_Y = 0.40, 0.77


def grad_cam(
    model: keras.Model, split: Split, *, layer: str = LAYER, progress: bool = True
) -> np.ndarray:
    """Show which places of each face speak for its true emotion.

    Grad-CAM (Selvaraju et al., 2017): a layer's feature maps, weighted by the mean gradient of
    the emotion's score before the softmax, summed; what speaks against it is cut off.

    Parameters
    ----------
    model : keras.Model
        From `build_vgg` or `load_weights`. The gradient needs Keras on TensorFlow.
    split : Split
        n faces.
    layer : str
        Name of a layer whose output is (rows, columns, channels).
    progress : bool

    Returns
    -------
    ndarray of float32, shape (n, 48, 48)
        Each map from 0 to 1, its maximum; 0 throughout where nothing speaks for the emotion.
    """
    seen = keras.Model(model.inputs, [model.get_layer(layer).output, model.layers[-1].input])
    starts = range(0, len(split), _BATCH)
    batches = [split.take(slice(start, start + _BATCH)) for start in starts]
    shown = tqdm(batches, desc=f"Grad-CAM of {model.name}", disable=not progress)
    maps = [_cam_of_batch(seen, model.layers[-1], batch) for batch in shown]
    return np.concatenate(maps) if maps else np.zeros(split.images.shape, np.float32)


def _cam_of_batch(seen: keras.Model, classifier: keras.Layer, batch: Split) -> np.ndarray:
    # Keras has no word for gradients.
    with tf.GradientTape() as tape:
        maps, features = seen([batch.images[..., None]], training=False)
        scores = keras.ops.matmul(features, classifier.kernel) + classifier.bias
        wanted = keras.ops.take_along_axis(scores, batch.labels[:, None], axis=1)
    weights = keras.ops.mean(tape.gradient(wanted, maps), axis=(1, 2), keepdims=True)
    cam = keras.ops.relu(keras.ops.sum(weights * maps, axis=-1, keepdims=True))
    sides = batch.images.shape[1:]
    cam = keras.ops.convert_to_numpy(
        keras.ops.image.resize(cam, sides, data_format="channels_last")
    )
    most = cam.max(axis=(1, 2), keepdims=True)
    return np.divide(cam, most, out=np.zeros_like(cam), where=most > 0)[..., 0]


def randomization_check(
    model: keras.Model, split: Split, *, layer: str = LAYER, seed: int = 42
) -> pd.DataFrame:
    """Ask whether Grad-CAM's maps depend on what the network has learned, as they should.

    Cascading randomisation (Adebayo et al., "Sanity Checks for Saliency Maps", 2018): the weights
    are drawn anew, from the last layer to the first; a method whose maps stay alike shows the
    picture and not the network.

    Returns
    -------
    pandas.DataFrame
        One row a step: randomized, the layers drawn anew so far; similarity, the mean over the
        faces of Spearman's rank correlation of their map with that of the trained network: 1 is
        the same map, 0 another. Maps that are 0 throughout do not count.
    """
    original = grad_cam(model, split, layer=layer, progress=False)
    broken = keras.models.clone_model(model)
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(model)
    broken.set_weights(model.get_weights())
    rows = [("none", _similarity(original, original))]
    for names in _blocks(model):
        for name in names:
            broken.get_layer(name).set_weights(fresh.get_layer(name).get_weights())
        maps = grad_cam(broken, split, layer=layer, progress=False)
        rows.append((names[0].split("_")[0], _similarity(original, maps)))
    return pd.DataFrame(rows, columns=["randomized", "similarity"])


def _blocks(model: keras.Model) -> list[list[str]]:
    """Return the names of the layers with weights, block by block, the last block first."""
    blocks: dict[str, list[str]] = {}
    for layer in reversed(model.layers):
        if layer.weights:
            blocks.setdefault(layer.name.split("_")[0], []).append(layer.name)
    return list(blocks.values())


def _similarity(first: np.ndarray, second: np.ndarray) -> float:
    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    ranks = [spearmanr(a, b).statistic for a, b in pairs if np.ptp(a) and np.ptp(b)]
    return float(np.mean(ranks)) if ranks else np.nan


def plot_maps(split: Split, maps: dict[str, np.ndarray]) -> np.ndarray:
    """Show faces, a row each, with each network's map laid over them.

    Parameters
    ----------
    split : Split
        n faces, few enough for a figure.
    maps : dict of str to ndarray, shape (n, 48, 48)
        From `grad_cam`, by the networks' names.

    Returns
    -------
    ndarray of Axes, shape (n, 1 + number of networks)
    """
    grid = new_grid(len(split), 1 + len(maps), (1.9 * (1 + len(maps)), 1.9 * len(split)))
    for row, axes in enumerate(grid):
        for ax in axes:
            ax.imshow(split.images[row], cmap="gray", vmin=0, vmax=255)
            ax.set(xticks=[], yticks=[])
        axes[0].set_ylabel(EMOTIONS[split.labels[row]])
        for ax, each in zip(axes[1:], maps.values(), strict=True):
            ax.imshow(each[row], cmap="magma", vmin=0, vmax=1, alpha=0.5)
    for ax, name in zip(grid[0, 1:], maps, strict=True):
        ax.set_title(name, fontsize="medium")
    return grid


class Damage(NamedTuple):
    """A way in which pictures get worse."""

    unit: str
    undamaged: float
    levels: tuple[float, ...]
    apply: Callable[[np.ndarray, float], np.ndarray]  # float32 (n, h, w) and a level in, same out


def _blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(pixels, (0, sigma, sigma))


def _noise(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return pixels + np.random.default_rng(42).normal(0, sigma, pixels.shape)


def _contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    return (pixels - mean) * factor + mean


def _rotate(pixels: np.ndarray, degrees: float) -> np.ndarray:
    return ndimage.rotate(pixels, degrees, axes=(2, 1), reshape=False, order=1, mode="nearest")


def _cover(middle: float) -> Callable[[np.ndarray, float], np.ndarray]:
    """Return what lays a grey bar over the whole width, its middle at this share of the height."""

    def cover(pixels: np.ndarray, height: float) -> np.ndarray:
        top = round(middle * pixels.shape[1] - height / 2)
        covered = pixels.copy()
        covered[:, top : top + round(height)] = pixels.mean(axis=(1, 2), keepdims=True)
        return covered

    return cover


def _jpeg(pixels: np.ndarray, quality: float) -> np.ndarray:
    def through_file(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=round(quality))
        return Image.open(file)

    return _each(pixels, through_file)


def _shrink(pixels: np.ndarray, side: float) -> np.ndarray:
    def down_and_up(image: Image.Image) -> Image.Image:
        small = image.resize((round(side), round(side)), Image.Resampling.BOX)
        return small.resize(image.size, Image.Resampling.BICUBIC)

    return _each(pixels, down_and_up)


def _each(pixels: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    images = (Image.fromarray(one) for one in _to_uint8(pixels))
    return np.stack([np.asarray(change(image), np.float32) for image in images])


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


DAMAGES = {
    "blur": Damage("sigma, px", 0, (0.5, 1, 1.5, 2, 3), _blur),
    "noise": Damage("sigma, grey levels", 0, (8, 16, 32, 48, 64), _noise),
    "brightness": Damage("grey levels added", 0, (-120, -80, -40, 40, 80, 120), np.add),
    "contrast": Damage("factor", 1, (0.1, 0.25, 0.5, 0.75, 1.5, 2), _contrast),
    "rotation": Damage("degrees", 0, (-45, -30, -15, 15, 30, 45), _rotate),
    "eyes covered": Damage("height of the bar, px", 0, (4, 8, 12, 16), _cover(_EYES_Y)),
    "mouth covered": Damage("height of the bar, px", 0, (4, 8, 12, 16), _cover(_MOUTH_Y)),
    "JPEG": Damage("quality (100: no JPEG)", 100, (5, 10, 20, 40, 70), _jpeg),
    "face size": Damage("px", 48, (8, 12, 16, 24, 32), _shrink),
}


def robustness_table(vote: SoftVote, split: Split, *, progress: bool = True) -> pd.DataFrame:
    """Measure the networks and their vote on faces that are damaged in each way and degree.

    Parameters
    ----------
    vote : SoftVote
    split : Split
        n faces, at least one.
    progress : bool

    Returns
    -------
    pandas.DataFrame
        Columns damage, level, unit, network; accuracy, low and high, its 95% interval (Wilson,
        1927), 0 to 1; n. The level at which nothing is damaged is there for each damage.

    Raises
    ------
    ValueError
        If the split is empty.
    """
    if len(split) == 0:
        raise ValueError("split must hold at least one face, got none.")
    cases = [(name, level) for name, damage in DAMAGES.items() for level in damage.levels]
    undamaged = _accuracies(vote, split)
    rows = [(name, d.undamaged, d.unit, *row) for name, d in DAMAGES.items() for row in undamaged]
    for name, level in tqdm(cases, desc="Damaging faces", disable=not progress):
        worse = DAMAGES[name].apply(split.images.astype(np.float32), level)
        measured = _accuracies(vote, Split(_to_uint8(worse), split.labels))
        rows += [(name, level, DAMAGES[name].unit, *row) for row in measured]
    columns = ["damage", "level", "unit", "network", "accuracy", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _accuracies(vote: SoftVote, split: Split) -> list[tuple[str, float, float, float, int]]:
    rows = []
    for name, each in probabilities_by_name(vote, split.images, progress=False).items():
        right = int((each.argmax(axis=1) == split.labels).sum())
        rows.append((name, right / len(split), *wilson_interval(right, len(split)), len(split)))
    return rows


def plot_robustness(table: pd.DataFrame) -> np.ndarray:
    """Draw a `robustness_table`: a panel a damage, a curve with its interval for each network.

    Returns
    -------
    ndarray of Axes, shape (3, 3)
        The dotted line is the vote's accuracy on undamaged faces.
    """
    names = table["damage"].unique()
    grid = new_grid(-(-len(names) // 3), 3, (12, 9))
    colors = network_colors(table["network"].unique())
    for ax, name in zip(grid.flat, names, strict=False):
        rows = table[table["damage"] == name].sort_values("level")
        for network, each in rows.groupby("network", sort=False):
            ax.plot(each["level"], each["accuracy"], ".-", color=colors[network], label=network)
            ax.fill_between(
                each["level"], each["low"], each["high"], color=colors[network], alpha=0.12, lw=0
            )
        clean = rows[(rows["network"] == "vote") & (rows["level"] == DAMAGES[name].undamaged)]
        ax.axhline(clean["accuracy"].iloc[0], color="grey", linestyle=":")
        ax.set(title=name, xlabel=rows["unit"].iloc[0], ylim=(0, 1))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.spines[["top", "right"]].set_visible(False)
    handles = grid[0, 0].get_legend_handles_labels()
    grid[0, 0].figure.legend(*handles, frameon=False, loc="outside upper center", ncols=len(colors))
    return grid
