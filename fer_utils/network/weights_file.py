"""Weights files: their names, and what is in them, read without Keras."""

import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from ..emotions import EMOTIONS, checked_names
from ..files import sha256_of
from .vgg_plan import Classifier, Conv, kernel_shapes

if TYPE_CHECKING:  # a vote that reads these files must not load Keras
    import keras

# Weights of before networks standardized their faces (fer_utils 0.1) saw pixels divided by 127.5,
# less 1, of faces that had been equalized: this was their standard deviation.
RESCALED_SPREAD = 74 / 127.5

_SUFFIX = ".weights.h5"
_NAMES = "emotions"  # an attribute of the file

Arrays = list[np.ndarray]


def find_weights(path: str | Path) -> Path:
    """Return the path of a weights file that exists, ``~`` resolved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its name does not end in ``.weights.h5``.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no weights file {str(path)!r}. Train one with "
            "`python -m fer_utils.training --help`, or clone the repository with its weights."
        )
    if not path.name.endswith(_SUFFIX):
        if _is_whole_network(path):
            raise _whole_network(path)
        raise ValueError(
            f"Weights are read from files named *{_SUFFIX}, got {path.name!r}. "
            f"Save with model.save_weights('name{_SUFFIX}')."
        )
    return path


def checked_sha256(path: str | Path, expected: str | None = None) -> str:
    """Return a weights file's SHA-256; raise ValueError if another one is expected."""
    path = find_weights(path)
    found = sha256_of(path)
    if expected not in (None, found):
        raise ValueError(
            f"{str(path)!r} is not the file it was (its SHA-256 is not {expected}): it was "
            "replaced, or a download broke off. Put that file back (the shipped ones come with "
            "the repository), or load what is there now: SoftVote.from_weights([...])."
        )
    return found


def network_name(path: Path) -> str:
    """Return the name of a weights file's network: the file's, without odd characters."""
    # TensorFlow refuses other characters, such as those of a downloaded "best (1).weights.h5".
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", path.name.removesuffix(_SUFFIX)).strip("_")
    return name or "vgg"


def foreign_weights(path: Path, error: Exception) -> ValueError:
    """Return the error to raise where a weights file cannot be read into the network."""
    if _is_whole_network(path):
        return _whole_network(path)
    return ValueError(
        f"{str(path)!r} does not hold the weights of build_vgg(): the file is damaged or was "
        f"saved from another network ({type(error).__name__}: {error})."
    )


def _is_whole_network(path: Path) -> bool:
    """Tell whether Keras saved a network in the file, and not weights alone."""
    if path.suffix == ".keras":
        return True
    with suppress(OSError), h5py.File(path) as file:
        return "model_config" in file.attrs
    return False


def _whole_network(path: Path) -> ValueError:
    return ValueError(
        f"{str(path)!r} holds a whole network, not the weights of build_vgg() alone. Load it "
        f"with Keras and let it vote: vote = SoftVote([keras.models.load_model({str(path)!r})]), "
        "then EmotionRecognizer(vote, FaceDetector())."
    )


def rescaled_weights(path: Path) -> ValueError:
    """Return the error to raise where a weights file is of a network for rescaled pixels."""
    return ValueError(
        f"{str(path)!r} holds the weights of a network that does not standardize its faces, as "
        "fer_utils 0.1 trained it: what it would say is worth little. Train it on for an epoch "
        "or more with `python -m fer_utils.training --weights FILE --rescaled`."
    )


def standardizes(path: Path) -> bool:
    """Tell whether a weights file is of a network that standardizes its faces.

    Keras names a network's layers in the file, also those without weights.
    """
    with h5py.File(path) as file:
        return "layers/layer_normalization" in file


def names_in(path: Path) -> tuple[str, ...] | None:
    """Return the names of the emotions that a weights file's network tells apart.

    None where the file does not say, as one that Keras wrote: it tells ours then.
    """
    with h5py.File(path) as file:
        names = file.attrs.get(_NAMES)
    return None if names is None else checked_names(_NAMES, [str(name) for name in names])


def save_half(
    model: "keras.Model", path: str | Path, emotions: Sequence[str] | None = None
) -> None:
    """Save a network's weights as Keras does, in half the size.

    Kernels are rounded to half precision: that changes no answer that matters, and a weights file
    is mostly kernels. Biases and batch norm's vectors, which are few, stay float32, for a variance
    may be too large or too small for half precision. Keras and `read_weights` read such a file as
    any other, and give the same float32 numbers; the model itself is left as it is.

    Parameters
    ----------
    model : keras.Model
    path : str or Path
        A ``.weights.h5`` file, replaced where there is one.
    emotions : sequence of str, optional
        What the network tells apart; `names_in` reads it.

    Raises
    ------
    ValueError
        If half precision, which ends at 65504, cannot hold a kernel. No file is written then.
    """
    for variable, array in zip(model.weights, model.get_weights(), strict=True):
        if np.isinf(_stored(array)).any():
            raise ValueError(
                f"{variable.path} holds a value of {np.abs(array).max():.3g}, too large for half "
                "precision, which ends at 65504. Train anew with a lower learning_rate."
            )
    path = Path(path)
    model.save_weights(path)
    # From memory into a new file: what is replaced within an HDF5 file keeps its space there.
    with h5py.File(io.BytesIO(path.read_bytes())) as full, h5py.File(path, "w") as half:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                copied = half.create_dataset(name, data=_stored(item[()]))
            else:
                copied = half.require_group(name)
            copied.attrs.update(item.attrs)

        half.attrs.update(full.attrs)
        if emotions is not None:
            half.attrs[_NAMES] = list(emotions)
        full.visititems(copy)


def _stored(array: np.ndarray) -> np.ndarray:
    """Return a kernel in half precision, and any other array as it is."""
    if array.ndim < 2 or array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):  # `save_half` asks for infinite values itself
        return array.astype(np.float16)


def read_weights(path: str | Path) -> dict[str, Arrays]:
    """Read the weights of a network for grey pictures.

    Parameters
    ----------
    path : str or Path
        A ``.weights.h5`` file that Keras wrote.

    Returns
    -------
    dict of str to list of ndarray of float32
        By the name of the step in `vgg_plan.PLAN`: kernel, then batch norm's gamma, beta, mean and
        variance; the classifier's kernel, then its bias. Axes are as Keras has them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or holds the weights of another network or of one for rescaled
        pixels.
    """
    path = find_weights(path)
    try:
        with h5py.File(path) as file:
            weights = _read_steps(file, len(names_in(path) or EMOTIONS))
    except Exception as error:  # h5py raises anything from KeyError to RuntimeError here
        raise foreign_weights(path, error) from error
    if not standardizes(path):
        raise rescaled_weights(path)
    return weights


def _read_steps(file: h5py.File, num_classes: int) -> dict[str, Arrays]:
    """Read layer after layer: Keras numbers the layers of a kind in their order."""
    seen: Counter[str] = Counter()

    def read_next(kind: str, *shapes: tuple[int, ...]) -> Arrays:
        number = seen[kind]
        seen[kind] += 1
        return _read_layer(file, f"layers/{kind}_{number}" if number else f"layers/{kind}", shapes)

    weights = {}
    for step, shape in kernel_shapes(channels=1, num_classes=num_classes):
        vector = shape[-1:]
        if isinstance(step, Classifier):
            weights[step.name] = read_next("dense", shape, vector)
            continue
        kernel = read_next("conv2d" if isinstance(step, Conv) else "dense", shape)
        weights[step.name] = kernel + read_next("batch_normalization", *[vector] * 4)
    return weights


def _read_layer(file: h5py.File, layer: str, shapes: tuple[tuple[int, ...], ...]) -> Arrays:
    arrays = [np.asarray(value, np.float32) for value in file[f"{layer}/vars"].values()]
    found = tuple(array.shape for array in arrays)
    if found != shapes:
        raise ValueError(f"{layer} has weights of shapes {found} instead of {shapes}")
    return arrays
