"""The VGG-style network, as Keras builds, trains and loads it."""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..argument_checks import checked_number, checked_whole_number
from ..emotions import EMOTIONS
from ..processes import native_call
from ..quiet_keras import keras
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
    names_in,
    network_name,
    rescaled_weights,
    standardizes,
)

layers = keras.layers

# Layers and operations that bring pixels into another range, by their names.
_RESCALING = frozenset(
    "Rescaling Normalization LayerNormalization BatchNormalization TrueDivide Divide Multiply "
    "Subtract".split()
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
    TypeError
        If a number is of another type.

    Examples
    --------
    >>> model = fer.build_vgg()
    >>> model.input_shape, model.output_shape
    ((None, 48, 48, 1), (None, 7))
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
    model = keras.Model(inputs, x, name=name)
    model.is_of_build_vgg = True  # one read from a whole file is not: nobody knows what it learned
    return model


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
    checked_whole_number("num_classes", num_classes, least=2)
    checked_number("width", width, above=0, most=1)
    checked_number("dropout", dropout, least=0, below=1)


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

    The names of its emotions, where the file says them, become its attribute `emotions`.

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
    try:
        emotions = names_in(path)
        model = build_vgg(num_classes=len(emotions or EMOTIONS), name=network_name(path))
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise anything from KeyError to OSError here
        raise foreign_weights(path, error) from error
    if emotions:
        model.emotions = emotions
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
        Takes grey pictures of one size, (n, h, w, 1), and returns a number for each of the
        emotions, (n, classes).

    Attributes
    ----------
    name : str
        The model's.
    input_size : tuple of int
        Height and width of the pictures in px.
    classes : int
        How many emotions it tells apart.
    emotions : tuple of str or None
        Their names, where the model has such an attribute, as `train` and `load_weights` set it.
    is_of_build_vgg : bool
        Whether `build_vgg` made it in this process.

    Raises
    ------
    TypeError
        If it is not a keras.Model.
    ValueError
        If it takes or returns other shapes.

    Warns
    -----
    UserWarning
        If it does not rescale pixels before its first weights.
    """

    def __init__(self, model: keras.Model) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"models must be networks, got {model!r}. Weights files go to "
                "SoftVote.from_weights([...])."
            )
        _check_shapes(model)
        _warn_of_pixels(model)
        self.name = model.name
        self.input_size = model.input_shape[1:3]
        self.classes, self.emotions = model.output_shape[-1], getattr(model, "emotions", None)
        self.is_of_build_vgg = getattr(model, "is_of_build_vgg", False)
        # `Model.predict_on_batch` is as quick, but it is traced again when the number of pictures
        # changes, for which TensorFlow prints warnings; `Model.predict` spends more on
        # bookkeeping than on a face.
        pixels = keras.InputSpec(shape=model.input_shape, dtype="float32")
        self._function = keras.export.ExportArchive().add_endpoint("vote", model, [pixels])
        self._process = os.getpid()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return what the model does, float32 (n, classes), for grey pictures, uint8 (n, h, w).

        Raises
        ------
        ValueError
            If this is a forked child, where TensorFlow would wait without end.
        """
        if self._process != os.getpid():
            raise ValueError(
                f"{self.name!r} is computed by Keras, which does not survive a fork: start "
                "processes with multiprocessing.get_context('spawn')."
            )
        pixels = images[..., None].astype(np.float32)
        with native_call():
            return keras.ops.convert_to_numpy(self._function(pixels)).astype(np.float32, copy=False)


def _check_shapes(model: keras.Model) -> None:
    # A network that was never built has no shapes.
    taken, returned = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    gray = isinstance(taken, tuple) and len(taken) == 4 and (taken[0], taken[3]) == (None, 1)
    answers = isinstance(returned, tuple) and len(returned) == 2 and (returned[1] or 0) > 1
    if not gray or None in taken[1:] or not answers:
        raise ValueError(
            f"models must take (None, h, w, 1) and return (None, {len(EMOTIONS)}), a probability "
            f"for each of {', '.join(EMOTIONS)}, or as many as there are other emotions; got "
            f"{model.name!r}, which takes {taken} and returns {returned}.{_how_to_wrap(taken)}"
        )


def _warn_of_pixels(model: keras.Model) -> None:
    """Say what pixels a network is given where it may have learned from others."""
    for step in _steps_of(model):
        if type(step).__name__ in _RESCALING:
            return
        if hasattr(step, "kernel"):
            break
    height, width = model.input_shape[1:3]
    warnings.warn(
        f"{model.name!r} is given pixels of 0 to 255, and nothing before its first weights "
        "rescales them. If it learned from others, such as 0 to 1, let it begin so: "
        f"keras.Sequential([keras.Input(({height}, {width}, 1)), "
        "keras.layers.Rescaling(1 / 255), model]).",
        stacklevel=4,
    )


def _steps_of(model: keras.Model) -> Iterator[object]:
    """Yield what a network does, step by step, nested networks' steps included."""
    for step in getattr(model, "operations", model.layers):
        if isinstance(step, keras.Model):
            yield from _steps_of(step)
        else:
            yield step


def _how_to_wrap(taken: object) -> str:
    match taken:
        case (None, height, width, 3):
            size = f"{height or 48}, {width or 48}"
            return (
                f" For one that takes colours: grey = keras.Input(({size}, 1)); "
                "SoftVote([keras.Model(grey, model(keras.layers.Concatenate()([grey] * 3)))])."
            )
        case (None, None, None, 1):
            return " Settle the size: keras.Sequential([keras.Input((48, 48, 1)), model])."
    return ""
