"""Data sets of labelled faces: reading, splitting, caching, finding copies."""

import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..argument_checks import checked_number, checked_share, checked_whole_number
from ..emotions import EMOTIONS, checked_names
from .cache import read_cached
from .dataset_formats import Reading, read_source
from .labels import Labels
from .opinions import ELSEWHERE, Opinions, read_opinions, speaks, strict_majority
from .parsing import IMAGE_SHAPE

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """One part of a data set.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (n, 48, 48), grey.
    labels : numpy.ndarray
        int64 (n,), positions in `emotions`.
    opinions : numpy.ndarray, optional
        float32 (n, 7): the shares of the emotions in what several people said, summing to 1.
    elsewhere : numpy.ndarray, optional
        float32 (n, 3): the shares of `ELSEWHERE` (contempt, unknown, no face) among all that
        people said. Together with `opinions` or not at all.
    emotions : sequence of str
        The names of the classes. Opinions are of our seven alone.

    Raises
    ------
    TypeError
        If `emotions` is no list of names.
    ValueError
        If an array has another shape or dtype, a label is no position in `emotions`, or opinions
        are no shares.

    Examples
    --------
    >>> faces = np.zeros((3, 48, 48), np.uint8)
    >>> Split(faces, np.array([0, 1, 1]), emotions=("bored", "awake")).counts()
    {'bored': 1, 'awake': 2}
    """

    images: np.ndarray
    labels: np.ndarray
    opinions: np.ndarray | None = None
    elsewhere: np.ndarray | None = None
    emotions: tuple[str, ...] = EMOTIONS

    def __post_init__(self) -> None:
        object.__setattr__(self, "emotions", checked_names("emotions", self.emotions))
        _check_array("images", self.images, np.uint8, IMAGE_SHAPE)
        _check_array("labels", self.labels, np.int64, ())
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"images and labels must be equally long, got {len(self.images)} images and "
                f"{len(self.labels)} labels."
            )
        last = len(self.emotions) - 1
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() <= last:
            raise ValueError(
                f"labels must lie in 0 to {last} (positions in {', '.join(self.emotions)}), got "
                f"{self.labels.min()} to {self.labels.max()}."
            )
        if (self.opinions is None) != (self.elsewhere is None):
            raise ValueError("opinions and elsewhere come together or not at all.")
        if self.opinions is not None:
            self._check_opinions()

    def _check_opinions(self) -> None:
        if self.emotions != EMOTIONS:
            raise ValueError(
                f"opinions are of {', '.join(EMOTIONS)}; emotions are {', '.join(self.emotions)}. "
                "Leave one of the two out."
            )
        _check_array("opinions", self.opinions, np.float32, (len(EMOTIONS),))
        _check_array("elsewhere", self.elsewhere, np.float32, (len(ELSEWHERE),))
        if not len(self.labels) == len(self.opinions) == len(self.elsewhere):
            raise ValueError(
                f"opinions and elsewhere must be as long as labels, {len(self.labels)}, got "
                f"{len(self.opinions)} and {len(self.elsewhere)}."
            )
        shares = (self.opinions >= 0).all() and np.allclose(self.opinions.sum(axis=1), 1, atol=1e-3)
        if not (shares and (self.elsewhere >= 0).all()):
            raise ValueError(
                "opinions must be shares of 0 and above that sum to 1 in every row, and elsewhere "
                "shares of 0 and above."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self)} images: {self.counts()})"

    def counts(self) -> dict[str, int]:
        """Return the number of images per emotion, in the order of `emotions`."""
        numbers = np.bincount(self.labels, minlength=len(self.emotions))
        return dict(zip(self.emotions, numbers.tolist(), strict=True))

    def take(self, indices: np.ndarray | slice) -> "Split":
        """Return the images that an index chooses.

        Parameters
        ----------
        indices : ndarray or slice
            Positions, a mask, or a slice.

        Returns
        -------
        Split
        """
        arrays = (self.images, self.labels, self.opinions, self.elsewhere)
        chosen = (None if array is None else array[indices] for array in arrays)
        return Split(*chosen, self.emotions)

    def among(self, emotions: Sequence[str]) -> "Split":
        """Return the same faces, with labels that are positions in another list of names.

        So that a network that knows more emotions, or the same in another order, can be measured.

        Parameters
        ----------
        emotions : sequence of str
            With all names in it of which there are faces.

        Returns
        -------
        Split

        Raises
        ------
        TypeError
            If it is no list of names.
        ValueError
            If there are faces of an emotion that it lacks.

        Examples
        --------
        >>> faces = np.zeros((2, 48, 48), np.uint8)
        >>> few = Split(faces, np.array([0, 1]), emotions=("happy", "sad"))
        >>> few.among(EMOTIONS).labels.tolist()
        [3, 4]
        """
        names = checked_names("emotions", emotions)
        if names == self.emotions:
            return self
        there = [name for name, count in self.counts().items() if count]
        lacking = [name for name in there if name not in names]
        if lacking:
            raise ValueError(
                f"there are faces of {', '.join(lacking)}, but the emotions asked for are "
                f"{', '.join(names)}."
            )
        position = np.array([names.index(n) if n in names else -1 for n in self.emotions])
        return replace(self, labels=position[self.labels].astype(np.int64), emotions=names)

    def majority(self) -> np.ndarray:
        """Return the emotion that more than half of the people named, int64 (n,), else -1.

        Raises
        ------
        ValueError
            If there are no opinions.
        """
        self._check_heard()
        return strict_majority(self.opinions, self.elsewhere)

    def heard(self) -> np.ndarray:
        """Return, as bool (n,), which faces' opinions are people's own.

        Where at least half of the votes lie elsewhere, the label stands for the opinions.

        Raises
        ------
        ValueError
            If there are no opinions.
        """
        self._check_heard()
        return speaks(self.elsewhere)

    def targets(self, opinion_share: float = 0.0) -> np.ndarray:
        """Return what a network should say of each face, float32 (n, emotions), summing to 1.

        Parameters
        ----------
        opinion_share : float
            0 for the labels, 1 for the opinions, between them for a blend of both.

        Raises
        ------
        TypeError, ValueError
            If it is no number from 0 to 1, or above 0 where there are no opinions.
        """
        share = checked_share("opinion_share", opinion_share)
        labels = np.eye(len(self.emotions), dtype=np.float32)[self.labels]
        if share == 0:
            return labels
        self._check_heard()
        return (1 - share) * labels + np.float32(share) * self.opinions

    def _check_heard(self) -> None:
        if self.opinions is None:
            raise ValueError(
                "This data set holds no opinions. Load it with "
                "load_dataset('fer2013.csv', opinions='fer2013new.csv')."
            )

    def sample(self, n: int, *, random_state: int = 42) -> "Split":
        """Draw n images without replacement, stratified by emotion.

        Parameters
        ----------
        n : int
            At least 1; all images where there are fewer.
        random_state : int
            Seed of the draw.

        Returns
        -------
        Split

        Raises
        ------
        TypeError, ValueError
            If n is no whole number of at least 1.
        """
        checked_whole_number("n", n, least=1)
        shuffled = np.random.default_rng(random_state).permutation(len(self))
        by_emotion = shuffled[np.argsort(self.labels[shuffled], kind="stable")]
        # Every so-manieth of what stands in order of the emotions: each has its share, give or
        # take one.
        n = min(n, len(self))
        return self.take(by_emotion[np.arange(n) * len(self) // max(n, 1)])

    def fingerprint(self) -> str:
        """Return a short text that tells this split's images, labels and their order from others'.

        Such as ``"28709 faces, sha256 0123456789abcdef"``: the first 64 bits of the SHA-256 of the
        bytes of images, labels and, where there are any, opinions and names other than ours.
        """
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.labels.tobytes())
        if self.opinions is not None:
            digest.update(self.opinions.tobytes())
        if self.emotions != EMOTIONS:
            digest.update("|".join(self.emotions).encode())
        return f"{len(self)} faces, sha256 {digest.hexdigest()[:16]}"


def _check_array(name: str, array: object, dtype: type, item_shape: tuple[int, ...]) -> None:
    expected = f"{name} must be a {np.dtype(dtype)} array of shape {('n', *item_shape)}"
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{expected}, got {type(array).__name__}.")
    if array.dtype != dtype or array.ndim == 0 or array.shape[1:] != item_shape:
        raise ValueError(f"{expected}, got {array.dtype} of shape {array.shape}.")


@dataclass(frozen=True, eq=False)
class FerDataset:
    """A data set in its parts.

    Parameters
    ----------
    train, validation : Split
    test : Split, optional
        None where the source holds none.
    is_validation_split_off : bool
        Whether the source holds no validation part, so that it was drawn from what others may
        have trained on.

    Examples
    --------
    >>> data = fer.load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False)
    >>> {name: len(split) for name, split in data.splits().items()}
    {'train': 304, 'validation': 76, 'test': 76}
    """

    train: Split
    validation: Split
    test: Split | None = None
    is_validation_split_off: bool = False

    @property
    def emotions(self) -> tuple[str, ...]:
        """The names of the classes; those of the training part."""
        return self.train.emotions

    def splits(self) -> dict[str, Split]:
        """Return the parts that there are, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in parts.items() if split is not None}

    def all_faces(self) -> Split:
        """Return the faces of all parts together."""
        parts = self.splits().values()
        columns = zip(*((s.images, s.labels, s.opinions, s.elsewhere) for s in parts), strict=True)
        joined = (None if c[0] is None else np.concatenate(c) for c in columns)
        return Split(*joined, self.emotions)

    def summary(self) -> "pd.DataFrame":
        """Return the number of images per emotion (rows; the last is the total) and split."""
        import pandas as pd

        table = pd.DataFrame({name: split.counts() for name, split in self.splits().items()})
        table.loc["total"] = table.sum()
        return table.rename_axis("emotion")


def load_dataset(
    source: str | os.PathLike[str],
    *,
    opinions: str | os.PathLike[str] | None = None,
    label_order: Sequence[str] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    validation_fraction: float = 0.1,
    random_state: int = 42,
    cache: bool = True,
    progress: bool = True,
) -> FerDataset:
    """Read a data set of faces from any of the shapes in which FER2013 is passed around.

    `source` may be

    - ``fer2013.csv`` with the columns emotion, pixels and Usage;
    - folders ``train/<emotion>/*`` and ``test/<emotion>/*``, or ``<emotion>/*`` alone;
    - folders of images with a CSV of the columns image_id and emotion;

    each also inside a zip archive, which is not unpacked. Images of another size or with colour
    become 48x48 grey. The official parts are kept where Usage or the file names' prefixes tell
    them: Training is train, PublicTest is validation, PrivateTest is test. Without them folders
    called train, validation or test, or by a like word (training, val, dev, testing), are taken
    at their word. Where no name tells any part, all is train. A missing validation part is split
    off train, stratified, with a warning.

    Labels are names of emotions, in any case and with their synonyms (anger, happiness), or
    numbers. Data sets number emotions in orders of their own, so numbers are taken in FER2013's
    order with a warning, unless the file has FER2013's own form (emotion, pixels and Usage) or
    `label_order` tells what they mean.

    What was read is kept as an ``.npz`` in the user's cache folder, or in the folder that the
    environment variable ``FER_CACHE_DIR`` names, until the source changes.

    Parameters
    ----------
    source : str or path
        The CSV, folder or archive.
    opinions : str or path, optional
        FER+'s ``fer2013new.csv``, which tells row by row what ten people said of the pictures of
        ``fer2013.csv``: the parts then carry it too. See `read_opinions`. For ``fer2013.csv``
        only, zipped or not: pictures in folders have no order of rows.
    label_order : sequence of str, optional
        The data set's emotions, in the order of the numbers that stand for them, which count from
        0 or from 1: RAF-DB's, for example, ``("surprise", "fear", "disgust", "happy", "sad",
        "angry", "neutral")``. If these are our seven, labels become positions in `EMOTIONS` as
        always; other names, in any number, become the data set's own classes (`Split.emotions`),
        and folders or rows may bear them too.
    on_error : {"raise", "skip"}
        What to do about an entry that cannot be used: stop, or leave it out and warn.
    validation_fraction : float
        Share of train, between 0 and 1, that is split off where there is no validation part.
    random_state : int
        Seed of that split.
    cache : bool
        Whether to read and write the cache.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    FerDataset

    Raises
    ------
    FileNotFoundError
        If nothing stands at `source` or `opinions`.
    TypeError
        If `source` is no path, `label_order` no list of names, or a number of another type.
    ValueError
        If an option is out of range, or the source is of no known shape, damaged, without
        training images, or names the part of some pictures but not of others, has numbers for
        labels that fit no known order, or `opinions` do not go with it. The message names the
        file, row or entry and the remedy.

    Examples
    --------
    >>> data = load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False)
    >>> len(data.train), len(data.validation), len(data.test)
    (304, 76, 76)
    """
    _check_options(source, on_error, validation_fraction, random_state)
    path = Path(os.path.expanduser(source))
    read = read_cached if cache else read_source
    labels = Labels(label_order)
    reading = read(path, labels, on_error == "skip", progress)
    for note in reading.notes:
        warnings.warn(f"{path}: {note}", UserWarning, stacklevel=2)
    said = {} if opinions is None else _read_opinions(path, opinions, reading, labels)
    splits = {
        name: Split(*arrays, *said.get(name, (None, None)), labels.emotions)
        for name, arrays in reading.parts.items()
    }
    if "train" not in splits:
        raise ValueError(
            f"{path}: no training images found. Look whether this is the whole data set: "
            "pictures in train/<emotion>/ or <emotion>/, or rows with the Usage Training."
        )
    is_split_off = "validation" not in splits
    if is_split_off:
        try:
            splits |= split_off_validation(splits["train"], validation_fraction, random_state)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        warnings.warn(
            f"{path}: No validation part found, so {len(splits['validation'])} images, stratified "
            f"by emotion, were split off the training part (validation_fraction="
            f"{validation_fraction}, random_state={random_state}). Networks that have learned this "
            "data set elsewhere may know them.",
            UserWarning,
            stacklevel=2,
        )
    return FerDataset(**splits, is_validation_split_off=is_split_off)


def _read_opinions(
    path: Path, opinions: str | os.PathLike[str], reading: Reading, labels: Labels
) -> dict[str, Opinions]:
    if labels.emotions != EMOTIONS:
        raise ValueError(
            f"opinions are of {', '.join(EMOTIONS)}, but label_order names "
            f"{', '.join(labels.emotions)}. Leave one of the two out."
        )
    if not reading.in_rows:
        raise ValueError(
            f"opinions go with the rows of fer2013.csv, but {path} holds pictures in files, which "
            "have no order of rows. Give the path of fer2013.csv, or leave opinions out."
        )
    return read_opinions(opinions, {name: labels for name, (_, labels) in reading.parts.items()})


def _check_options(
    source: object, on_error: str, validation_fraction: float, random_state: int
) -> None:
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"source must be the path of a data set, got {type(source).__name__}.")
    if not os.fspath(source):
        raise ValueError(
            'source must be the path of a data set, got an empty text. Pass "." for the current '
            "folder."
        )
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error must be "raise" or "skip", got {on_error!r}.')
    checked_number("validation_fraction", validation_fraction, above=0, below=1)
    checked_whole_number("random_state", random_state, least=0)


def split_off_validation(train: Split, fraction: float, random_state: int) -> dict[str, Split]:
    """Take `fraction` of every emotion's images, at random.

    Returns
    -------
    dict
        ``{"train": the rest, "validation": what was taken}``.

    Raises
    ------
    ValueError
        If no emotion has two images.
    """
    rng = np.random.default_rng(random_state)
    chosen = np.zeros(len(train), dtype=bool)
    for label in np.unique(train.labels):
        members = rng.permutation(np.flatnonzero(train.labels == label))
        # Of two or more, at least one goes and at least one stays.
        chosen[members[: min(max(1, round(fraction * len(members))), len(members) - 1)]] = True
    if not chosen.any():
        raise ValueError(
            f"Too few training images ({len(train)}) to split off a validation part: there must "
            "be two of some emotion at least."
        )
    return {"train": train.take(~chosen), "validation": train.take(chosen)}
