"""The VGG-style network, its weights files, and the vote of several networks."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from .emotions import EMOTIONS
from .paths import SAVED_MODELS

SHIPPED_VOTE = SAVED_MODELS / "vote.json"

# The halvings below bring every one of these sizes to 2x2, so the same weights fit them all.
SMALLEST_SIZE, LARGEST_SIZE = 34, 49

_FILTERS_OF_BLOCK = (64, 128, 256, 512)
_UNITS_OF_DENSE = (1024, 256)
_BATCH = 64


def build_vgg(
    input_shape: tuple[int, int, int] = (48, 48, 1),
    num_classes: int = len(EMOTIONS),
    *,
    dropout: float = 0.1,
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
    return keras.Model(inputs, outputs, name="vgg")


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
    if len(input_shape) != 3 or not all(isinstance(n, int) and n > 0 for n in input_shape):
        raise ValueError(
            "input_shape must be (height, width, channels) in whole numbers, such as (48, 48, 1), "
            f"got {input_shape!r}."
        )
    if not all(SMALLEST_SIZE <= side <= LARGEST_SIZE for side in input_shape[:2]):
        raise ValueError(
            f"input_shape must have sides of {SMALLEST_SIZE} to {LARGEST_SIZE} px, got "
            f"{input_shape!r}: resize the pictures, or change the number of blocks in build_vgg."
        )
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes!r}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout!r}.")


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
    for layer in model.layers[1:]:
        x = layer(x)
    return keras.Model(inputs, x, name=model.name)


def load_weights(path: str | Path) -> keras.Model:
    """Build the network and read its weights from a ``.weights.h5`` file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds the weights of another network.
    """
    path = Path(path)
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
    model = build_vgg()
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise anything from KeyError to OSError here
        raise ValueError(
            f"{str(path)!r} does not hold the weights of build_vgg(): the file is damaged or was "
            f"saved from another network ({type(error).__name__}: {error})"
        ) from error
    return model


class SoftVote:
    """Several networks that vote with their probabilities, or just one.

    The vote is the plain mean of the networks' probabilities. A temperature (Guo et al., "On
    Calibration of Modern Neural Networks", 2017) then sharpens (below 1) or softens (above 1)
    it, as if the vote's logits were divided by it: the order of the emotions stays as it is,
    only the confidence changes.

    Parameters
    ----------
    models : sequence of keras.Model
        At least one network; all take the same input and name the same number of emotions.
    temperature : float
        Above 0; 1 leaves the mean as it is.

    Raises
    ------
    ValueError
        If there is no network, the networks do not fit together, or the temperature is not
        above 0.
    """

    def __init__(self, models: Sequence[keras.Model], temperature: float = 1.0) -> None:
        if isinstance(models, keras.Model) or not models:
            raise ValueError(
                f"models must be a list of one network or more, got {models!r}. "
                "Wrap a single network: SoftVote([model])."
            )
        shapes = {(model.input_shape, model.output_shape) for model in models}
        if len(shapes) > 1:
            raise ValueError(
                f"models must all take and return the same shapes, got {sorted(map(str, shapes))}."
            )
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}.")
        self.models = tuple(models)
        self.temperature = float(temperature)
        # One graph for all networks: one call a batch, and they compute side by side.
        pixels = keras.Input(self.models[0].input_shape[1:])
        self._all = keras.Model(pixels, [model(pixels) for model in self.models])

    @classmethod
    def from_weights(cls, paths: Sequence[str | Path], temperature: float = 1.0) -> "SoftVote":
        """Let the networks of these weights files vote; see `load_weights` for the errors."""
        if isinstance(paths, str | Path):
            raise ValueError(f"paths must be a list of weights files: write [{str(paths)!r}].")
        return cls([load_weights(path) for path in paths], temperature)

    @classmethod
    def load(cls, path: str | Path = SHIPPED_VOTE) -> "SoftVote":
        """Read a vote file, by default the shipped one, and the networks it names.

        Parameters
        ----------
        path : str or Path
            JSON: ``{"networks": [{"file": ..., "sha256": ...}, ...], "temperature": ...}``,
            files relative to it.

        Raises
        ------
        FileNotFoundError
            If the vote file or a weights file is missing.
        ValueError
            If the file is no such JSON, or a weights file's checksum is not the one it names.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no vote file {str(path)!r}. Name your own weights instead: "
                "SoftVote.from_weights(['runs/mine/best.weights.h5'])."
            )
        try:
            vote = json.loads(path.read_text(encoding="utf-8"))
            files = [(path.parent / n["file"], n["sha256"]) for n in vote["networks"]]
            temperature = float(vote["temperature"])
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{str(path)!r} is not a vote file with 'networks' and 'temperature': {error!r}. "
                "Restore it from the repository."
            ) from error
        for file, expected in files:
            _check_sha256(file, expected)
        return cls.from_weights([file for file, _ in files], temperature)

    def predict_proba(self, images: np.ndarray, *, flip: bool = False) -> np.ndarray:
        """Return each face's probability of each emotion.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 48, 48)
            Grey faces; n may be 0.
        flip : bool
            Average each face with its mirror image: a little more accurate, twice the work.

        Returns
        -------
        ndarray of float32, shape (n, 7)
            Rows sum to 1; columns stand in the order of `EMOTIONS`.

        Raises
        ------
        ValueError
            If `images` has another shape or dtype.
        """
        images = self._checked(images)
        mean = self._mean_proba(images)
        if flip:
            mean = (mean + self._mean_proba(images[:, :, ::-1])) / 2
        return apply_temperature(mean, self.temperature)

    def _checked(self, images: np.ndarray) -> np.ndarray:
        expected = self.models[0].input_shape[1:3]
        images = np.asarray(images)
        if images.ndim != 3 or images.shape[1:] != expected or images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 of shape (n, {expected[0]}, {expected[1]}), got "
                f"{images.dtype} of shape {images.shape}. A single face goes in as face[None]."
            )
        return images

    def _mean_proba(self, images: np.ndarray) -> np.ndarray:
        batches = [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]
        # predict_on_batch, because predict's own bookkeeping takes 100 ms a call.
        votes = [
            np.mean(self._all.predict_on_batch(batch[..., None].astype("float32")), axis=0)
            for batch in batches
        ]
        empty = np.empty((0, self.models[0].output_shape[-1]), np.float32)
        return np.concatenate([empty, *votes])


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities (n, k) by a temperature; float32 rows sum to 1."""
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 checksum in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_sha256(path: Path, expected: str) -> None:
    if path.is_file() and sha256_of(path) != expected:
        raise ValueError(
            f"{str(path)!r} is not the file its vote names (its SHA-256 is not {expected}): a "
            "download broke off or the file was replaced. Fetch it from the repository again."
        )
