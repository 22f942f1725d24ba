"""The vote of several networks."""

import functools
import inspect
import json
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, Union

import numpy as np

from ..argument_checks import checked_flag, checked_number, checked_whole_number
from ..emotions import EMOTIONS, checked_names, ours_or, plain_name
from ..files import SAVED_MODELS, sha256_of, write_whole
from .int8 import MAKE_INT8, Int8File, Int8Network, has_fast_int8
from .openvino_network import (
    LightNetwork,
    compute_together,
    load_network,
    threads_for_each,
)
from .weights_file import checked_sha256, names_in

if TYPE_CHECKING:
    import keras

    from .vgg import KerasNetwork

_Network: TypeAlias = Union[LightNetwork, "KerasNetwork"]

Precision: TypeAlias = Literal["float", "int8"]

SHIPPED_VOTE = SAVED_MODELS / "vote.json"

_BATCH = 64
# What the sum of probabilities may differ from 1 by, half precision included.
_ROUNDING = 0.01


class SoftVote:
    """Several networks that vote with their probabilities, or just one.

    The vote is the plain mean of the networks' probabilities. A temperature (Guo et al., "On
    Calibration of Modern Neural Networks", 2017) then sharpens (below 1) or softens (above 1)
    it, as if the vote's logits were divided by it: the order of the emotions stays as it is,
    only the confidence changes.

    Pickled and copied, it is its networks, temperature and `from_logits`, and is made anew from
    them.

    Parameters
    ----------
    models : sequence of LightNetwork or keras.Model
        At least one network. A Keras model, yours or one that others trained, takes grey pictures,
        (n, h, w, 1), with pixels of 0 to 255, and returns the probabilities of the emotions,
        (n, classes). One that does not rescale pixels is warned of. The pictures of all have one
        size.
    temperature : float
        Above 0; 1 leaves the mean as it is.
    emotions : sequence of str, optional
        What the networks tell apart, in the order of what they return. Without it, what they say
        themselves: those that `train` made, and their weights files, know their data set's
        emotions; any other that tells 7 apart is taken to tell ours, in the order of `EMOTIONS`,
        with a warning unless `build_vgg` made it in this process: whole ``.keras`` files do not
        keep what `train` knew.
    from_logits : bool
        Whether the networks return logits, of which the softmax is to be taken.

    Attributes
    ----------
    emotions : tuple of str
        The names of the columns of `predict_proba`: `EMOTIONS`, in this order, where the networks
        tell our seven apart in whatever order and words.
    input_size : tuple of int
        Height and width of the pictures in px.

    Raises
    ------
    ValueError
        If there is no network, one of them takes or returns other shapes, returns no
        probabilities, or probabilities although `from_logits` is True, the temperature is not
        above 0, or the networks tell other emotions apart than one another or than `emotions`.
    TypeError
        If one of them is no network, or `from_logits` neither True nor False.

    Examples
    --------
    A whole network of somebody else, such as ``keras.models.load_model("theirs.keras")`` returns
    (that file may hold code, so be sure of where it is from). This one takes pixels of 0 to 1 and
    returns logits, in AffectNet's order:

    >>> import keras
    >>> theirs = keras.Sequential(
    ...     [keras.Input((64, 64, 1)), keras.layers.Flatten(), keras.layers.Dense(7)]
    ... )
    >>> rescaled = keras.Sequential(
    ...     [keras.Input((64, 64, 1)), keras.layers.Rescaling(1 / 255), theirs]
    ... )
    >>> order = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
    >>> vote = SoftVote([rescaled], emotions=order, from_logits=True)
    >>> vote.predict_proba(np.zeros((2, 64, 64), np.uint8)).shape
    (2, 7)
    """

    def __init__(
        self,
        models: Sequence[Union[LightNetwork, "keras.Model"]],
        temperature: float = 1.0,
        *,
        emotions: Sequence[str] | None = None,
        from_logits: bool = False,
    ) -> None:
        if not isinstance(models, Sequence) or isinstance(models, str) or not models:
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
        self._told = _common_emotions(networks, emotions)
        self.emotions = ours_or(self._told)
        plain = [plain_name(name) for name in self._told]
        self._columns = [plain.index(plain_name(name)) for name in self.emotions]
        self.models = tuple(models)
        self._networks = networks
        self.input_size: tuple[int, int] = networks[0].input_size
        self.temperature = checked_number("temperature", temperature, above=0)
        self.from_logits = checked_flag("from_logits", from_logits)
        for network in networks:
            self._check_output(network)

    @classmethod
    def from_weights(
        cls,
        paths: Sequence[str | Path],
        temperature: float = 1.0,
        *,
        threads: int | None = None,
    ) -> "SoftVote":
        """Let the networks of these weights files vote.

        Parameters
        ----------
        paths : sequence of str or Path
            ``.weights.h5`` files, one at least.
        temperature : float
            As above.
        threads : int, optional
            How many threads the networks compute with, all together, but each with one at least.
            By default one for each core.

        Raises
        ------
        FileNotFoundError, ValueError
            As `load_network` raises them, or if `paths` is a single path.
        TypeError
            If `paths` is no list of paths, or `threads` no whole number.
        """
        if isinstance(paths, str | Path):
            raise ValueError(
                f"Weights files come as a list, even a single one: write [{str(paths)!r}]. "
                "A vote file goes to SoftVote.load."
            )
        if not isinstance(paths, Iterable):
            raise TypeError(
                "Weights files come as a list of their paths, got "
                f"{type(paths).__name__}; write ['mine/best.weights.h5']."
            )
        for path in paths:
            if not isinstance(path, str | Path):
                raise TypeError(
                    f"Weights files are named by their paths, got {type(path).__name__}. Networks "
                    "go to SoftVote([model]), and that to EmotionRecognizer(vote, FaceDetector())."
                )
        return cls(_load_together([(path, None) for path in paths], threads), temperature)

    @classmethod
    def load(
        cls,
        path: str | Path = SHIPPED_VOTE,
        *,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> "SoftVote":
        """Read a vote file, by default the shipped one, and the networks it names.

        Parameters
        ----------
        path : str or Path
            JSON: ``{"networks": [{"file": ..., "sha256": ...}, ...], "temperature": ...}``,
            files relative to it. ``python -m fer_utils.evaluation --int8`` adds ``"int8"``: a copy
            of the networks that computes with 8-bit integers.
        precision : {"float", "int8"}, optional
            "float" for the networks themselves, "int8" for that copy: one network, nearly the same
            answers. By default the copy where there is one and the processor is quick at it.
        threads : int, optional
            As `from_weights` takes it.

        Raises
        ------
        FileNotFoundError
            If the vote file or a weights file is missing.
        ValueError
            If the file is no such JSON, or a weights file's checksum is not the one it names, or
            `threads` is below 1. If "int8" is asked for and there is none, it is damaged or made
            from other weights, or the processor has no instructions for it; by default the
            networks themselves vote then, with a warning of what can be mended.
        TypeError
            If `path` is no path, or `threads` no whole number.
        ImportError
            If "int8" is asked for and OpenVINO is not installed.
        """
        if precision not in (None, "float", "int8"):
            raise ValueError(f"precision must be 'float' or 'int8', got {precision!r}.")
        _check_threads(threads)
        file = read_vote(path)
        copy = None if precision == "float" else _int8_copy(file, precision == "int8", threads)
        if copy is not None:
            return cls([copy], file.int8.temperature)
        return cls(_load_together(file.networks, threads), file.temperature)

    @property
    def precision(self) -> Precision:
        """Whether an int8 copy of networks votes, "int8", or networks themselves, "float"."""
        is_copy = any(isinstance(model, Int8Network) for model in self.models)
        return "int8" if is_copy else "float"

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
        ndarray of float32, shape (n, emotions)
            Rows sum to 1; columns stand in the order of `emotions`.

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

    def apart(self) -> "list[SoftVote]":
        """Return the networks each as a vote of its own, with a temperature of 1."""
        return [
            SoftVote([model], emotions=self._told, from_logits=self.from_logits)
            for model in self.models
        ]

    def __getstate__(self) -> dict[str, Any]:
        # Each argument is kept under its own name, but for the order that was given.
        kept = {name: getattr(self, name) for name in inspect.signature(SoftVote).parameters}
        return kept | {"emotions": self._told}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def _check_output(self, network: _Network) -> None:
        if isinstance(network, LightNetwork) and not self.from_logits:
            return  # it ends in a softmax
        noise = np.random.default_rng(0).integers(0, 256, (3, *self.input_size), dtype=np.uint8)
        returned = network(noise)
        if self.from_logits and _are_probabilities(returned):
            raise ValueError(
                f"models return probabilities already ({network.name!r} does); leave from_logits "
                "out."
            )
        self._to_probabilities(network, returned)

    def _to_probabilities(self, network: _Network, returned: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, 7), in what a network returned.

        ValueError if there are none.
        """
        probabilities = _softmax(returned) if self.from_logits else returned
        if not _are_probabilities(probabilities):
            raise ValueError(_no_probabilities(network.name, returned))
        return probabilities

    def _checked(self, images: np.ndarray) -> np.ndarray:
        expected = self.input_size
        images = np.asarray(images)
        if images.ndim != 3 or images.shape[1:] != expected or images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 of shape (n, {expected[0]}, {expected[1]}), got "
                f"{images.dtype} of shape {images.shape}.{_how_to_fit(images, expected)}"
            )
        return images

    def _mean_proba(self, images: np.ndarray) -> np.ndarray:
        mean = np.empty((len(images), len(self.emotions)), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            returned = compute_together(self._networks, batch)
            votes = list(map(self._to_probabilities, self._networks, returned))
            mean[start : start + _BATCH] = np.mean(votes, axis=0)[:, self._columns]
        return mean


def _as_network(model: Union[LightNetwork, "keras.Model"]) -> _Network:
    if isinstance(model, LightNetwork):
        return model
    from .vgg import KerasNetwork  # takes seconds: it imports TensorFlow

    return KerasNetwork(model)


def _load_together(
    files: Sequence[tuple[str | Path, str | None]], threads: int | None
) -> list[Union[LightNetwork, "keras.Model"]]:
    """Load the networks of weights files, with their checksums, which share the threads."""
    _check_threads(threads)
    each = threads_for_each(len(files), threads) if files else None
    return [load_network(*file, threads=each) for file in files]


def _check_threads(threads: int | None) -> None:
    if threads is not None:
        checked_whole_number("threads", threads, least=1)


def _int8_copy(file: "VoteFile", is_asked_for: bool, threads: int | None) -> Int8Network | None:
    """Load the int8 copy of a vote's networks.

    Where it is not asked for: None if it is not there or the processor is slow at it, and, with a
    warning, if it is damaged or of other networks.
    """
    if not is_asked_for and not (file.int8 and has_fast_int8()):
        return None
    for network in file.networks:
        checked_sha256(*network)
    try:
        return _load_int8(file, threads)
    except (ImportError, OSError, ValueError) as error:
        if is_asked_for:
            raise
        if not isinstance(error, ImportError):  # of which `load_network` tells
            _warn_of_int8(str(error))
    return None


def _load_int8(file: "VoteFile", threads: int | None) -> Int8Network:
    if file.int8 is None:
        raise ValueError(
            f"precision: {str(file.path)!r} names no int8 copy of its networks; leave precision "
            f"out, or {MAKE_INT8}."
        )
    if not has_fast_int8():
        raise ValueError(
            "precision: 'int8' needs a processor with AVX512-VNNI, AVX-VNNI or AMX, which this one "
            "has not, or does not tell of; leave precision out, or name 'float'."
        )
    if file.int8.made_from != [sha256 for _, sha256 in file.networks]:
        raise ValueError(
            f"the int8 copy that {str(file.path)!r} names was made from other networks than those "
            f"it names now; {MAKE_INT8}."
        )
    return Int8Network(file.int8.files, names_in(file.networks[0][0]), threads=threads)


@functools.cache
def _warn_of_int8(reason: str) -> None:
    """Warn once in a process, not for every vote."""
    warnings.warn(f"The networks' int8 copy, which is quicker, is not used: {reason}", stacklevel=5)


def _common_emotions(
    networks: Sequence[Union[LightNetwork, "KerasNetwork"]], given: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the names of what all the networks tell apart; raise ValueError where they differ."""
    asked = () if given is None else checked_names("emotions", given)
    told = [("emotions", asked)] if asked else []
    for network in networks:
        ours = EMOTIONS if network.classes == len(EMOTIONS) else ()
        names = network.emotions or asked or ours
        if len(names) != network.classes:
            raise ValueError(
                f"models: {network.name!r} returns (None, {network.classes}); name its emotions, "
                "as many and in their order: SoftVote([model], emotions=('surprise', 'fear', ...))."
            )
        if not network.emotions and not asked and not _is_of_build_vgg(network):
            warnings.warn(_assumed_order(network.name), stacklevel=3)
        told.append((network.name, names))
    if len({tuple(map(plain_name, names)) for _, names in told}) > 1:
        each = "; ".join(f"{who}: {', '.join(names)}" for who, names in told)
        raise ValueError(f"models must all tell the same emotions apart, in one order, got {each}.")
    return told[0][1]


def _is_of_build_vgg(network: _Network) -> bool:
    return isinstance(network, LightNetwork) or network.is_of_build_vgg


def _assumed_order(name: str) -> str:
    return (
        f"{name!r} does not say which emotions it tells apart. What it returns was taken in "
        f"FER2013's order: {', '.join(EMOTIONS)}. Others have other orders. Name its own: "
        "SoftVote([model], emotions=('surprise', 'fear', ...))."
    )


def _how_to_fit(images: np.ndarray, expected: tuple[int, int]) -> str:
    if images.ndim == 2:
        return " A single face goes in as face[None]."
    if images.ndim != 3 or images.dtype != np.uint8:
        return ""
    return (
        " Networks can be given pictures of another size: keras.Sequential([keras.Input("
        f"{(*images.shape[1:], 1)}), keras.layers.Resizing{expected}, model])."
    )


def _are_probabilities(rows: np.ndarray) -> bool:
    return bool(np.all(rows >= 0) and np.all(np.abs(rows.sum(axis=1) - 1) <= _ROUNDING))


def _no_probabilities(name: str, returned: np.ndarray) -> str:
    found = (
        f"models must return probabilities, 0 to 1, that sum to 1 for each face; {name!r} returns "
        f"{returned.min():.3g} to {returned.max():.3g}, and a sum of {returned[0].sum():.3g}. "
    )
    if not np.isfinite(returned).all():
        return found + "Its training has failed; take other weights."
    if returned.min() >= 0 and returned.max() <= 1:
        return found + "Let it end in a softmax over the emotions, and train it so."
    return found + "If these are logits: SoftVote([model], from_logits=True)."


class VoteFile(NamedTuple):
    """What a vote file says.

    Attributes
    ----------
    path : Path
        The vote file.
    networks : list of (Path, str)
        The networks' weights files, with the SHA-256 of each in hexadecimal.
    temperature : float
        As `SoftVote` takes it.
    int8 : Int8File or None
        The copy of the networks that computes with 8-bit integers.
    """

    path: Path
    networks: list[tuple[Path, str]]
    temperature: float
    int8: Int8File | None


def read_vote(path: str | Path) -> VoteFile:
    """Read a vote file; its networks are not looked at.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no vote file.
    TypeError
        If `path` is no path.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"path must name a vote file, got {type(path).__name__}.")
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no vote file {str(path)!r}. Name your own weights instead: "
            "SoftVote.from_weights(['runs/mine/best.weights.h5'])."
        )

    def files(listed: list[dict[str, str]]) -> list[tuple[Path, str]]:
        return [(path.parent / file["file"], file["sha256"]) for file in listed]

    try:
        vote = json.loads(path.read_text(encoding="utf-8"))
        if (int8 := vote.get("int8")) is not None:
            graph, numbers = files(int8["files"])
            made_from = int8["made_from"]["sha256"]
            int8 = Int8File(dict([graph, numbers]), made_from, float(int8["temperature"]))
        return VoteFile(path, files(vote["networks"]), float(vote["temperature"]), int8)
    except (AttributeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is not a vote file with 'networks' and 'temperature', and what belongs "
            f"to 'int8' if that is there ({type(error).__name__}: {error}). Name another, or "
            "restore the shipped one from the repository."
        ) from error


def write_vote(path: Path, weights: Sequence[Path], temperature: float) -> None:
    """Write the vote file that `SoftVote.load` reads, without an int8 copy of the networks.

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
    _write_json(path, {"networks": networks, "temperature": round(temperature, 4)})


def add_int8(file: VoteFile, copy: Int8File, **how: object) -> None:
    """Add the int8 copy of its networks to a vote file, or replace it there.

    Parameters
    ----------
    file : VoteFile
        As it is now.
    copy : Int8File
        Its files stand beside the vote file.
    **how
        What else is to be told of how it was made.
    """
    vote = json.loads(file.path.read_text(encoding="utf-8"))
    vote["int8"] = {
        "files": [{"file": made.name, "sha256": sha256} for made, sha256 in copy.files.items()],
        "made_from": {"sha256": copy.made_from} | how,
        "temperature": round(copy.temperature, 4),
    }
    _write_json(file.path, vote)


def _write_json(path: Path, vote: dict[str, object]) -> None:
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
    return _softmax(np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / temperature)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
