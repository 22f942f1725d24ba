"""Balances the training part: SMOTE on images, and its plain rivals."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Integral

import numpy as np

from ..argument_checks import checked_whole_number
from ..emotions import EMOTIONS
from ..extras import training_extra
from .dataset import Split

with training_extra():
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.utils import check_sampling_strategy

METHODS = ("smote", "random", "none")
K_NEIGHBORS = 5

_OPINION_SCALE = np.float32(1e-3)  # of 1, where pixels go up to 255

_STRATEGIES = ("auto", "minority", "not minority", "not majority", "all")

Targets = Mapping[int | str, int]
Strategy = str | Targets | Callable[[np.ndarray], Targets]


def oversample(
    split: Split,
    method: str = "smote",
    sampling_strategy: Strategy = "auto",
    k_neighbors: int = K_NEIGHBORS,
    random_state: int = 42,
    opinion_share: float = 0.0,
) -> Split:
    """Add faces to the rarer emotions until the classes are balanced.

    SMOTE (Chawla et al., 2002) makes a new face on the line between a face and one of its
    nearest neighbours of the same emotion, pixel by pixel: a cross-fade of two real faces, not
    a new person. Only ever oversample the training part, after the split and after
    `drop_duplicates`: a copy is its own nearest neighbour and would fade into itself.

    Parameters
    ----------
    split : Split
        n faces; only emotions that occur in it are balanced.
    method : {"smote", "random", "none"}
        Cross-fades, exact copies drawn at random, or `split` as it is.
    sampling_strategy : str, dict or callable
        As imbalanced-learn takes it: "auto" (the same as "not majority" and "all") brings every
        emotion up to the most frequent one, "minority" only the rarest and "not minority" all
        but the rarest; a dict gives the number of faces wanted for each label or emotion name;
        a callable makes such a dict of the labels.
    k_neighbors : int
        How many nearest neighbours SMOTE draws from. Each emotion that grows needs at least
        ``k_neighbors + 1`` faces.
    random_state : int
        Seeds both the sampling and the final shuffle; 0 to 2**32 - 1.
    opinion_share : float
        What the network is to learn: 0 for the labels, 1 for the opinions (see `Split.targets`).
        Balanced are the emotions which that blend puts first; of equals, the label.

    Returns
    -------
    Split
        All the original faces and the new ones, shuffled. Opinions are blended with the very
        weights by which SMOTE blends pixels; a new face's label is the emotion it was made for.

    Raises
    ------
    TypeError
        If `split` is no Split, or a number is no whole one.
    ValueError
        If another argument is not one of the above, or an emotion has too few faces.

    Examples
    --------
    >>> split = fer.load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False).train
    >>> balanced = fer.oversample(split, "random")
    >>> max(split.counts().values()), set(balanced.counts().values())
    (72, {72})
    """
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split such as data.train, got {type(split).__name__}.")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    if method == "none":
        return split
    checked_whole_number("random_state", random_state, least=0, most=2**32 - 1)
    # Balanced by these labels, though faces keep their own.
    first = _by_first_emotion(split, opinion_share)
    wanted = _faces_wanted(first, sampling_strategy)
    if method == "smote":
        checked_whole_number("k_neighbors", k_neighbors, least=1, most=len(split))
        _check_enough_faces(first, wanted, k_neighbors)
        smote = SMOTE(sampling_strategy=wanted, k_neighbors=k_neighbors, random_state=random_state)
        resampled = _cross_fade(split, first.labels, smote)
    else:
        sampler = RandomOverSampler(sampling_strategy=wanted, random_state=random_state)
        sampler.fit_resample(np.arange(len(split))[:, None], first.labels)
        resampled = split.take(sampler.sample_indices_)
    # The samplers put every new face at the end.
    return resampled.take(np.random.default_rng(random_state).permutation(len(resampled)))


def _by_first_emotion(split: Split, opinion_share: float) -> Split:
    """Label each face by the emotion that its target puts first; of equals, by its own label."""
    targets = split.targets(opinion_share)
    own = np.take_along_axis(targets, split.labels[:, None], axis=1)[:, 0]
    # Rounding must not decide between equals.
    first = np.where(own >= targets.max(axis=1) - 1e-6, split.labels, targets.argmax(axis=1))
    return replace(split, labels=first)


def _cross_fade(split: Split, first: np.ndarray, smote: SMOTE) -> Split:
    # SMOTE subtracts in the dtype it is given: on uint8 the differences wrap around and the
    # synthetic faces are noise.
    pixels = split.images.reshape(len(split), -1).astype(np.float32)
    opinions = [] if split.opinions is None else [split.opinions, split.elsewhere]
    # As features so small that they do not change who is whose neighbour.
    columns = np.hstack([pixels, *(shares * _OPINION_SCALE for shares in opinions)])
    columns, labels = smote.fit_resample(columns, first)
    labels[: len(split)] = split.labels
    pixels, opinions = np.split(columns, [pixels.shape[1]], axis=1)
    images = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    images = images.reshape(-1, *split.images.shape[1:])
    if split.opinions is None:
        return replace(split, images=images, labels=labels)
    opinions, elsewhere = np.split(opinions / _OPINION_SCALE, [len(EMOTIONS)], axis=1)
    return replace(split, images=images, labels=labels, opinions=opinions, elsewhere=elsewhere)


def _faces_wanted(split: Split, strategy: Strategy) -> dict[int, int]:
    """Return the number of faces that each label is to have after the sampling."""
    counts = list(split.counts().values())
    if np.count_nonzero(counts) < 2:
        raise ValueError(
            f"split must hold faces of two emotions or more to be balanced, got {split!r}."
        )
    if callable(strategy):
        strategy = strategy(split.labels)
    if isinstance(strategy, Mapping):
        return dict(_read_target(key, number, split.counts()) for key, number in strategy.items())
    if strategy not in _STRATEGIES:
        raise ValueError(
            f"sampling_strategy must be one of {', '.join(_STRATEGIES)}, or a dict of the number "
            f"of faces wanted for each emotion, got {strategy!r}."
        )
    added = check_sampling_strategy(strategy, split.labels, "over-sampling")
    return {int(label): counts[label] + int(number) for label, number in added.items()}


def _read_target(key: object, number: object, counts: dict[str, int]) -> tuple[int, int]:
    """Return label and number of one entry of a sampling_strategy."""
    names = list(counts)
    labels = {name: label for label, name in enumerate(names)}
    label = labels.get(key, key)
    if label not in labels.values():
        raise ValueError(
            f"sampling_strategy must be keyed by labels 0-{len(names) - 1} or by the names "
            f"{', '.join(names)}, got {key!r}."
        )
    label = int(label)
    emotion, count = names[label], counts[names[label]]
    if count == 0:
        raise ValueError(
            f"sampling_strategy asks for faces of {emotion!r}, but split holds none to start "
            "from. Leave it out."
        )
    if not isinstance(number, Integral) or number < count:
        raise ValueError(
            f"sampling_strategy must ask for a whole number of {emotion!r}, {count} or more since "
            f"no face is taken away, got {number!r}."
        )
    return label, int(number)


def _check_enough_faces(split: Split, wanted: dict[int, int], k_neighbors: int) -> None:
    for label, (emotion, count) in enumerate(split.counts().items()):
        if count < wanted.get(label, 0) and count <= k_neighbors:
            lower = "Add faces"
            if count > 1:
                lower = (
                    f"Lower k_neighbors to {count - 1} or less (on the command line --k-neighbors "
                    f"{count - 1})"
                )
            raise ValueError(
                f"SMOTE with k_neighbors={k_neighbors} needs at least {k_neighbors + 1} faces of "
                f"every emotion that grows, got {count} of {emotion!r}. {lower}, or draw copies "
                "with method='random' (--method random)."
            )
