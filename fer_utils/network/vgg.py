"""The VGG-style network, as Keras builds, trains and loads it."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from ..emotions import EMOTIONS
from .vgg_plan import (
    KERNEL_SIZE,
    LARGEST_SIZE,
    NORM_EPSILON,
    PIXEL_EPSILON,
    PLAN,
    POOL_SIZE,
    SMALLEST_SIZE,
    Classifier,
    Conv,
    Dense,
    Flatten,
    Pool,
)
from .weights_file import (
    RESCALED_SPREAD,
    find_weights,
    foreign_weights,
    network_name,
    rescaled_weights,
    standardizes,
)


def build_vgg(
    input_shape: tuple[int, int, int] = (48, 48, 1),
    num_classes: int = len(EMOTIONS),
    *,
    width: float = 1.0,
    dropout: float = 0.1,
    name: str = "vgg",
) -> keras.Model:
    """Build the 15-layer VGG-style network: 8 convolutions, 4 max-pools, 3 dense layers.

    The plan follows Simonyan and Zisserman, "Very Deep Convolutional Networks" (2015): two 3x3
    convolutions before each max-pool. Batch norm (Ioffe and Szegedy, 2015) stands before every
    ReLU, the dense ones included: without it the loss stays at guessing for whole epochs.
    Weights start as in He et al. (2015). Pixels enter as they are, 0 to 255: the network brings
    each face to mean 0 and standard deviation 1 itself, so neither brightness nor contrast matter,
    and training and inference cannot disagree about it.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of a picture, 34 to 49 px a side. All of these end in
        2x2x512, so weights trained at one size load at any other.
    num_classes : int
        Number of emotions, at least 2.
    width : float
        Share of the filters and units, above 0 and up to 1: a narrow network trains fast enough
        for experiments. Its weights load into networks of the same width only.
    dropout : float
        Share of activations dropped after each max-pool, from 0 up to but without 1.
    name : str
        Name of the network in summaries and tables.

    Returns
    -------
    keras.Model
        Takes float32 or uint8 (n, height, width, channels) in 0-255 and returns float32
        probabilities (n, num_classes). Not compiled.

    Raises
    ------
    ValueError
        If an argument is outside the range given above.
    """
    _check_plan(input_shape, num_classes, width, dropout)
    inputs = keras.Input(input_shape, name="pixels")
    x = _standardized(inputs)
    for step in PLAN:
        match step:
            case Conv():
                x = _norm_relu(_conv(step, width)(x), step.name)
            case Pool(block):
                x = layers.MaxPooling2D(POOL_SIZE, name=f"{block}_pool")(x)
                x = layers.Dropout(dropout, name=f"{block}_dropout")(x)
            case Flatten(flatten):
                x = layers.Flatten(name=flatten)(x)
            case Dense():
                x = _norm_relu(_dense(step, width)(x), step.name)
            case Classifier(classifier):
                x = _softmax(num_classes, classifier)(x)
    return keras.Model(inputs, x, name=name)


def _standardized(pixels: keras.KerasTensor) -> keras.KerasTensor:
    # float32 throughout: half precision cannot tell apart the greys of a dark face. It has no
    # weights, yet weights files name it: see `weights_file.standardizes`.
    norm = layers.LayerNormalization(
        axis=[1, 2, 3],
        epsilon=PIXEL_EPSILON,
        center=False,
        scale=False,
        dtype="float32",
        name="standardizing",
    )
    return norm(pixels)


def _conv(step: Conv, width: float) -> keras.Layer:
    return layers.Conv2D(
        _scaled(step.filters, width),
        KERNEL_SIZE,
        padding=step.padding,
        use_bias=False,  # batch norm adds its own
        kernel_initializer="he_normal",
        name=step.name,
    )


def _dense(step: Dense, width: float) -> keras.Layer:
    units = _scaled(step.units, width)
    return layers.Dense(units, use_bias=False, kernel_initializer="he_normal", name=step.name)


def _scaled(count: int, width: float) -> int:
    return max(1, round(count * width))


def _norm_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    norm = layers.BatchNormalization(momentum=0.9, epsilon=NORM_EPSILON, name=f"{name}_norm")
    return layers.ReLU(name=f"{name}_relu")(norm(x))


def _softmax(num_classes: int, name: str) -> keras.Layer:
    # Probabilities stay float32 when the rest computes in a shorter type.
    return layers.Dense(num_classes, activation="softmax", dtype="float32", name=name)


def _check_plan(input_shape: Sequence[int], num_classes: int, width: float, dropout: float) -> None:
    whole = isinstance(input_shape, Sequence) and all(isinstance(n, int) for n in input_shape)
    if not whole or len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(
            "input_shape must be (height, width, channels) in whole numbers, such as (48, 48, 1), "
            f"got {input_shape!r}."
        )
    if not all(SMALLEST_SIZE <= side <= LARGEST_SIZE for side in input_shape[:2]):
        raise ValueError(
            f"input_shape must have sides of {SMALLEST_SIZE} to {LARGEST_SIZE} px, got "
            f"{input_shape!r}: resize the pictures, or change the number of blocks in build_vgg."
        )
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(f"num_classes must be a whole number of at least 2, got {num_classes!r}.")
    if not isinstance(width, int | float) or not 0 < width <= 1:
        raise ValueError(f"width must be a number above 0 and at most 1, got {width!r}.")
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ValueError(f"dropout must be a number of at least 0 and below 1, got {dropout!r}.")


def at_size(model: keras.Model, size: int) -> keras.Model:
    """Return the same network, the same layers and weights, for pictures of another size.

    Parameters
    ----------
    model : keras.Model
        A chain of layers such as `build_vgg` returns.
    size : int
        Side of the new, square pictures in px.

    Returns
    -------
    keras.Model
        Shares every layer with `model`: training one trains the other.
    """
    inputs = keras.Input((size, size, model.input_shape[-1]))
    x = inputs
    for layer in model.layers:
        # A keras.Sequential does not list its InputLayer, other models do.
        x = x if isinstance(layer, layers.InputLayer) else layer(x)
    return keras.Model(inputs, x, name=model.name)


def load_weights(path: str | Path, *, rescaled: bool = False) -> keras.Model:
    """Build the network, named after the file, and read its weights from a ``.weights.h5`` file.

    Parameters
    ----------
    path : str or Path
    rescaled : bool
        Also take weights of before networks standardized their faces, when pixels were divided by
        127.5, less 1, to train on from them. Their first kernel is scaled so that a standardized
        face looks to them like one of the spread that they learned from.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or holds the weights of another network or, unless `rescaled`, of
        one for rescaled pixels.
    """
    path = find_weights(path)
    model = build_vgg(name=network_name(path))
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise anything from KeyError to OSError here
        raise foreign_weights(path, error) from error
    if not standardizes(path):
        if not rescaled:
            raise rescaled_weights(path)
        first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
        first.kernel.assign(first.kernel * RESCALED_SPREAD)
    return model


class KerasNetwork:
    """A Keras model as a voter: whole pixels in, probabilities out.

    It computes with the weights that the model has at the time, so a model may train on.

    Parameters
    ----------
    model : keras.Model
        Takes grey pictures of one size, (n, h, w, 1), and returns the probabilities of the 7
        emotions, (n, 7).

    Attributes
    ----------
    name : str
        The model's.
    input_size : tuple of int
        Height and width of the pictures in px.

    Raises
    ------
    TypeError
        If it is not a keras.Model.
    ValueError
        If it takes or returns other shapes.
    """

    def __init__(self, model: keras.Model) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"models must be networks, got {model!r}. Weights files go to "
                "SoftVote.from_weights([...])."
            )
        _check_shapes(model)
        self.name = model.name
        self.input_size = model.input_shape[1:3]
        # `Model.predict_on_batch` is as quick, but it is traced again when the number of pictures
        # changes, for which TensorFlow prints warnings; `Model.predict` spends more on
        # bookkeeping than on a face.
        pixels = keras.InputSpec(shape=model.input_shape, dtype="float32")
        self._function = keras.export.ExportArchive().add_endpoint("vote", model, [pixels])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, 7), of grey pictures, uint8 (n, h, w)."""
        pixels = images[..., None].astype(np.float32)
        return keras.ops.convert_to_numpy(self._function(pixels))


def _check_shapes(model: keras.Model) -> None:
    # A network that was never built has no shapes.
    taken, returned = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    gray = isinstance(taken, tuple) and len(taken) == 4 and (taken[0], taken[3]) == (None, 1)
    if not gray or None in taken[1:] or returned != (None, len(EMOTIONS)):
        raise ValueError(
            f"models must take (None, h, w, 1) and return (None, {len(EMOTIONS)}), a probability "
            f"for each of {', '.join(EMOTIONS)}; got {model.name!r}, which takes {taken} and "
            f"returns {returned}."
        )
