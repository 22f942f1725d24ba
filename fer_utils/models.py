"""The VGG-style network and its weights files."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import keras
from keras import layers

from .emotions import EMOTIONS

# The halvings below bring every one of these sizes to 2x2, so the same weights fit them all.
SMALLEST_SIZE, LARGEST_SIZE = 34, 49

_FILTERS_OF_BLOCK = (64, 128, 256, 512)
_UNITS_OF_DENSE = (1024, 256)


def build_vgg(
    input_shape: tuple[int, int, int] = (48, 48, 1),
    num_classes: int = len(EMOTIONS),
    *,
    dropout: float = 0.1,
    name: str = "vgg",
) -> keras.Model:
    """Build the 15-layer VGG-style network: 8 convolutions, 4 max-pools, 3 dense layers.

    The plan follows Simonyan and Zisserman, "Very Deep Convolutional Networks" (2015): two 3x3
    convolutions before each max-pool. Batch norm (Ioffe and Szegedy, 2015) stands before every
    ReLU, the dense ones included: without it the loss stays at guessing for whole epochs.
    Weights start as in He et al. (2015). Pixels enter as they are, 0 to 255: the rescaling is
    part of the network, so training and inference cannot disagree about it.

    Parameters
    ----------
    input_shape : (int, int, int)
        Height, width and channels of a picture, 34 to 49 px a side. All of these end in
        2x2x512, so weights trained at one size load at any other.
    num_classes : int
        Number of emotions, at least 2.
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
    _check_plan(input_shape, num_classes, dropout)
    inputs = keras.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(inputs)
    padding = "valid"
    for block, filters in enumerate(_FILTERS_OF_BLOCK, start=1):
        for part in (1, 2):
            x = _conv(x, filters, padding, name=f"block{block}_conv{part}")
            padding = "same"
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
        x = layers.Dropout(dropout, name=f"block{block}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(_UNITS_OF_DENSE, start=1):
        x = _dense(x, units, name=f"dense{number}")
    # Probabilities stay float32 when the rest computes in a shorter type.
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="dense3")(x)
    return keras.Model(inputs, outputs, name=name)


def _conv(x: keras.KerasTensor, filters: int, padding: str, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        3,
        padding=padding,
        use_bias=False,  # batch norm adds its own
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return _norm_relu(x, name)


def _dense(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    x = layers.Dense(units, use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return _norm_relu(x, name)


def _norm_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _check_plan(input_shape: Sequence[int], num_classes: int, dropout: float) -> None:
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


def load_weights(path: str | Path) -> keras.Model:
    """Build the network, named after the file, and read its weights from a ``.weights.h5`` file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds the weights of another network.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no weights file {str(path)!r}. Train one with "
            "`python -m fer_utils.training --help`, or clone the repository with its weights."
        )
    if not path.name.endswith(".weights.h5"):
        raise ValueError(
            f"Weights are read from files named *.weights.h5, got {path.name!r}. "
            "Save with model.save_weights('name.weights.h5')."
        )
    # TensorFlow refuses other characters, such as those of a downloaded "best (1).weights.h5".
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", path.name.removesuffix(".weights.h5")).strip("_")
    model = build_vgg(name=name or "vgg")
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise anything from KeyError to OSError here
        raise ValueError(
            f"{str(path)!r} does not hold the weights of build_vgg(): the file is damaged or was "
            f"saved from another network ({type(error).__name__}: {error})"
        ) from error
    return model
