"""Probing a network: where it looks (Grad-CAM), and how it breaks when pictures get worse.

Ours, not tf-keras-vis: that is written for the Keras 2 that came inside TensorFlow.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image
from tqdm.auto import tqdm

from ..data.dataset import Split
from ..data.parsing import IMAGE_SHAPE
from ..emotions import EMOTIONS
from ..evaluation.metrics import probabilities_by_name
from ..extras import training_extra
from ..faces.crop import crop_face
from ..faces.detector import FaceDetector
from ..images import ImageSource, load_image
from ..network.vote import SoftVote
from ..plots.axes import network_colors, new_grid, round_ticks
from ..quiet_keras import keras
from .comparison import wilson_interval

with training_extra():
    from scipy import ndimage
    from scipy.stats import spearmanr

# The last block's convolutions see 5x5 places of a face, those of the block before it 11x11.
LAYER = "block3_conv2_relu"
_BATCH = 64
_MAPS_WIDTH = 10  # of a figure of maps, in inches
_LARGEST_MAP = 2.5  # its side, in inches
_MOST_IN_A_ROW = 8  # faces; of more, the captions would run into each other
# Where FER2013's faces have their eyes and mouth, as shares of the height; bench_crop.py prints it.
_EYES_Y, _MOUTH_Y = 0.40, 0.77


def grad_cam(
    model: keras.Model, split: Split, *, layer: str = LAYER, progress: bool = True
) -> np.ndarray:
    """Show which places of each face speak for its label: the true emotion, or any other.

    Grad-CAM (Selvaraju et al., 2017): a layer's feature maps, weighted by the mean gradient of
    the emotion's score before the softmax, summed; what speaks against it is cut off.

    Parameters
    ----------
    model : keras.Model
        From `build_vgg` or `load_weights`. The gradient needs Keras on TensorFlow.
    split : Split
        n faces. See `explain` for what speaks for the emotion that the network names.
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
    shown = tqdm(batches, desc=f"Maps of {model.name}", disable=not progress)
    maps = [_cam_of_batch(seen, model.layers[-1], batch) for batch in shown]
    return np.concatenate(maps) if maps else np.zeros(split.images.shape, np.float32)


def _cam_of_batch(seen: keras.Model, classifier: keras.Layer, batch: Split) -> np.ndarray:
    with training_extra():
        import tensorflow as tf  # Keras has no word for gradients

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


class Explanation(NamedTuple):
    """What a network says of n faces, and which places speak for it."""

    probabilities: np.ndarray  # float32 (n, emotions)
    maps: np.ndarray  # float32 (n, 48, 48), Grad-CAM's


def explain(model: keras.Model, images: np.ndarray, *, progress: bool = False) -> Explanation:
    """Show which places of each face speak for the emotion that a network names.

    Parameters
    ----------
    model : keras.Model
        As for `grad_cam`.
    images : ndarray of uint8, shape (n, 48, 48)
        No label is needed: a face of your own will do.
    progress : bool

    Examples
    --------
    >>> from fer_utils import build_vgg
    >>> explain(build_vgg(width=0.1), np.zeros((1, 48, 48), np.uint8)).maps.shape
    (1, 48, 48)
    """
    vote = SoftVote([model])
    probabilities = vote.predict_proba(images)
    named = Split(images, probabilities.argmax(axis=1), emotions=vote.emotions)
    return Explanation(probabilities, grad_cam(model, named, progress=progress))


def faces_in(picture: ImageSource, detector: FaceDetector) -> np.ndarray:
    """Cut the faces out of a picture as networks see them, from left to right.

    Parameters
    ----------
    picture : str, Path, bytes, PIL.Image.Image or numpy.ndarray
        Any picture that `load_image` takes.
    detector : FaceDetector

    Returns
    -------
    ndarray of uint8, shape (number of faces, 48, 48)

    Examples
    --------
    >>> from matplotlib.cbook import get_sample_data
    >>> with FaceDetector() as detector:
    ...     faces_in(get_sample_data("grace_hopper.jpg", asfileobj=False), detector).shape
    (1, 48, 48)
    """
    pixels = load_image(picture)
    crops = [crop_face(pixels, box) for box in detector.detect(pixels)]
    return np.array(crops, np.uint8).reshape(-1, *IMAGE_SHAPE)


def plot_maps(
    images: np.ndarray,
    explanations: Mapping[str, Explanation],
    labels: np.ndarray | None = None,
    *,
    emotions: Sequence[str] = EMOTIONS,
) -> np.ndarray:
    """Show faces, and what each network says of them over the places that speak for it.

    A face has its maps below it where all the faces fit into one row, else beside it.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 48, 48)
        Few enough for a figure.
    explanations : mapping of str to Explanation
        From `explain`, by the networks' names.
    labels : ndarray of int, shape (n,), optional
        The true emotions, where they are known.
    emotions : sequence of str
        Those that the networks tell apart, and labels are positions in.

    Returns
    -------
    ndarray of Axes, shape (n, 1 + number of networks)
        Where there is no face, one empty row that says so.
    """
    pictures, faces = 1 + len(explanations), max(len(images), 1)
    in_a_row = pictures < faces <= _MOST_IN_A_ROW
    rows, columns = (pictures, faces) if in_a_row else (faces, pictures)
    side = min(_MAPS_WIDTH / columns, _LARGEST_MAP)
    grid = new_grid(rows, columns, (side * columns, (side + 0.25) * rows))
    grid = grid.T if in_a_row else grid
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[])
    if not len(images):
        grid[0, 0].text(0.5, 0.5, "No face found", ha="center", va="center")
    for place, axes in enumerate(grid[: len(images)]):
        for ax in axes:
            ax.imshow(images[place], cmap="gray", vmin=0, vmax=255)
        if labels is not None:
            axes[0].set_xlabel(f"label: {emotions[labels[place]]}")
        for ax, (said, maps) in zip(axes[1:], explanations.values(), strict=True):
            ax.imshow(maps[place], cmap="magma", vmin=0, vmax=1, alpha=0.5)
            ax.set_xlabel(f"{emotions[said[place].argmax()]} {said[place].max():.0%}")
    for ax, name in zip(grid[0, 1:], explanations, strict=True):
        if in_a_row:
            ax.set_ylabel(name)
        else:
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
        measured = _accuracies(vote, Split(_to_uint8(worse), split.labels, emotions=split.emotions))
        rows += [(name, level, DAMAGES[name].unit, *row) for row in measured]
    columns = ["damage", "level", "unit", "network", "accuracy", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _accuracies(vote: SoftVote, split: Split) -> list[tuple[str, float, float, float, int]]:
    rows = []
    for name, each in probabilities_by_name(vote, split.images, progress=False).items():
        right = int((each.argmax(axis=1) == split.labels).sum())
        rows.append((name, right / len(split), *wilson_interval(right, len(split)), len(split)))
    return rows


def plot_robustness(table: pd.DataFrame, face: np.ndarray) -> np.ndarray:
    """Draw a `robustness_table`: a curve with its interval for each damage and network.

    Parameters
    ----------
    table : pandas.DataFrame
    face : ndarray of uint8, shape (48, 48)
        Is shown above each panel, damaged in each of its degrees.

    Returns
    -------
    ndarray of Axes, shape (2 * rows, 3)
        In turn a row of damaged faces and one of the curves below them, whose dotted line is the
        vote's accuracy on undamaged faces.
    """
    names = table["damage"].unique()
    grid = new_grid(2 * -(-len(names) // 3), 3, (12, 3.9 * -(-len(names) // 3)))
    grid[0, 0].get_gridspec().set_height_ratios([1, 3] * (len(grid) // 2))
    colors = network_colors(table["network"].unique())
    for strip, ax, name in zip(grid[::2].flat, grid[1::2].flat, names, strict=False):
        rows = table[table["damage"] == name].sort_values("level")
        _show_damaged(strip, name, face, rows["level"].unique())
        for network, each in rows.groupby("network", sort=False):
            ax.plot(each["level"], each["accuracy"], ".-", color=colors[network], label=network)
            ax.fill_between(
                each["level"], each["low"], each["high"], color=colors[network], alpha=0.12, lw=0
            )
        clean = rows[(rows["network"] == "vote") & (rows["level"] == DAMAGES[name].undamaged)]
        ax.axhline(clean["accuracy"].iloc[0], color="grey", linestyle=":")
        ax.set(xlabel=rows["unit"].iloc[0], ylim=(0, 1))
        round_ticks(ax.xaxis)
        round_ticks(ax.yaxis, percent=True)
        ax.spines[["top", "right"]].set_visible(False)
    handles = grid[1, 0].get_legend_handles_labels()
    grid[0, 0].figure.legend(*handles, frameon=False, loc="outside upper center", ncols=len(colors))
    return grid


def _show_damaged(ax: Axes, name: str, face: np.ndarray, levels: np.ndarray) -> None:
    pixels = face[None].astype(np.float32)
    worse = [_to_uint8(DAMAGES[name].apply(pixels, level))[0] for level in levels]
    # What is no number stays empty: a column on either side keeps the faces apart.
    apart = [np.pad(one.astype(float), ((0, 0), (1, 1)), constant_values=np.nan) for one in worse]
    ax.imshow(np.hstack(apart), cmap="gray", vmin=0, vmax=255)
    middles = apart[0].shape[1] * (np.arange(len(levels)) + 0.5) - 0.5
    ax.set_xticks(middles, [f"{level:g}" for level in levels], fontsize="small")
    ax.set(title=name, yticks=[])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
