"""The vote of several networks."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np

from ..emotions import EMOTIONS
from ..files import SAVED_MODELS, sha256_of, write_whole
from .openvino_network import LightNetwork, load_network

if TYPE_CHECKING:
    import keras

    from .vgg import KerasNetwork

SHIPPED_VOTE = SAVED_MODELS / "vote.json"

_BATCH = 64


class SoftVote:
    """Several networks that vote with their probabilities, or just one.

    The vote is the plain mean of the networks' probabilities. A temperature (Guo et al., "On
    Calibration of Modern Neural Networks", 2017) then sharpens (below 1) or softens (above 1)
    it, as if the vote's logits were divided by it: the order of the emotions stays as it is,
    only the confidence changes.

    Parameters
    ----------
    models : sequence of LightNetwork or keras.Model
        At least one network. Each Keras model takes grey pictures, (n, h, w, 1), and returns the
        probabilities of the 7 emotions, (n, 7); the pictures of all have one size.
    temperature : float
        Above 0; 1 leaves the mean as it is.

    Raises
    ------
    ValueError
        If there is no network, one of them takes or returns other shapes, or the temperature is
        not above 0.
    TypeError
        If one of them is no network.
    """

    def __init__(
        self, models: Sequence[Union[LightNetwork, "keras.Model"]], temperature: float = 1.0
    ) -> None:
        if not isinstance(models, Sequence) or not models:
            raise ValueError(
                f"models must be a list of one network or more, got {models!r}. "
                "Wrap a single network: SoftVote([model])."
            )
        networks = [_as_network(model) for model in models]
        sizes = {network.input_size for network in networks}
        if len(sizes) > 1:
            raise ValueError(
                f"models must all take pictures of one size (h, w), got {sorted(sizes)}."
            )
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}.")
        self.models = tuple(models)
        self._networks = networks
        self.temperature = float(temperature)

    @classmethod
    def from_weights(cls, paths: Sequence[str | Path], temperature: float = 1.0) -> "SoftVote":
        """Let the networks of these weights files vote.

        Parameters
        ----------
        paths : sequence of str or Path
            ``.weights.h5`` files, one at least.
        temperature : float
            As above.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_network` raises them, or if `paths` is a single path.
        """
        if isinstance(paths, str | Path):
            raise ValueError(
                f"Weights files come as a list, even a single one: write [{str(paths)!r}]."
            )
        return cls([load_network(path) for path in paths], temperature)

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
        path = Path(os.path.expanduser(path))
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
        expected = self._networks[0].input_size
        images = np.asarray(images)
        if images.ndim != 3 or images.shape[1:] != expected or images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 of shape (n, {expected[0]}, {expected[1]}), got "
                f"{images.dtype} of shape {images.shape}. A single face goes in as face[None]."
            )
        return images

    def _mean_proba(self, images: np.ndarray) -> np.ndarray:
        mean = np.empty((len(images), len(EMOTIONS)), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            votes = [network(batch) for network in self._networks]
            mean[start : start + _BATCH] = np.mean(votes, axis=0)
        return mean


def _as_network(model: Union[LightNetwork, "keras.Model"]) -> Union[LightNetwork, "KerasNetwork"]:
    if isinstance(model, LightNetwork):
        return model
    from .vgg import KerasNetwork  # takes seconds: it imports TensorFlow

    return KerasNetwork(model)


def write_vote(path: Path, weights: Sequence[Path], temperature: float) -> None:
    """Write the vote file that `SoftVote.load` reads.

    Parameters
    ----------
    path : Path
        The vote file.
    weights : sequence of Path
        The networks' weights files, in the vote file's folder or below it.
    temperature : float
        As `SoftVote` takes it.

    Raises
    ------
    FileNotFoundError
        If a weights file is missing.
    ValueError
        If a weights file is named twice or stands outside the vote file's folder.
    """
    names = [_name_within(path.parent, file) for file in weights]
    if len(set(names)) < len(names):
        raise ValueError(f"weights must name each file once, got {names}.")
    networks = [
        {"file": name, "sha256": sha256_of(file)} for name, file in zip(names, weights, strict=True)
    ]
    vote = {"networks": networks, "temperature": round(temperature, 4)}
    write_whole(path, lambda part: part.write_text(json.dumps(vote, indent=2) + "\n"))


def _name_within(folder: Path, file: Path) -> str:
    if not file.is_file():
        raise FileNotFoundError(f"There is no weights file {str(file)!r}; check the path.")
    # Not `resolve`, so that a link in the folder counts as being there.
    folder, file = Path(os.path.abspath(folder)), Path(os.path.abspath(file))
    if not file.is_relative_to(folder):
        raise ValueError(
            f"weights must stand in the vote file's folder {str(folder)!r} or below it, got "
            f"{str(file)!r}; copy it there first."
        )
    return file.relative_to(folder).as_posix()


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities (n, k) by a temperature; float32 rows sum to 1."""
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _check_sha256(path: Path, expected: str) -> None:
    if path.is_file() and sha256_of(path) != expected:
        raise ValueError(
            f"{str(path)!r} is not the file its vote names (its SHA-256 is not {expected}): a "
            "download broke off or the file was replaced. Fetch it from the repository again."
        )
