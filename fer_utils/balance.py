"""Balances the training part: SMOTE on images, and its plain rivals."""

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler

from .data import Split
from .emotions import EMOTIONS

METHODS = ("smote", "random", "none")


def oversample(
    split: Split,
    method: str = "smote",
    sampling_strategy: str | dict = "auto",
    k_neighbors: int = 5,
    random_state: int = 42,
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
    sampling_strategy : str or dict
        As imbalanced-learn takes it: "auto" brings every emotion up to the most frequent one;
        a dict gives the number of faces wanted for each label or emotion name.
    k_neighbors : int
        How many nearest neighbours SMOTE draws from. Each emotion that grows needs at least
        ``k_neighbors + 1`` faces.
    random_state : int
        Seeds both the sampling and the final shuffle.

    Returns
    -------
    Split
        All the original faces and the new ones, shuffled.

    Raises
    ------
    ValueError
        If an argument is not one of the above, or an emotion has too few faces.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    if method == "none":
        return split
    sampling_strategy = _with_labels(sampling_strategy)
    if method == "smote":
        _check_enough_faces(split, sampling_strategy, k_neighbors)
        sampler = SMOTE(
            sampling_strategy=sampling_strategy, k_neighbors=k_neighbors, random_state=random_state
        )
    else:
        sampler = RandomOverSampler(sampling_strategy=sampling_strategy, random_state=random_state)
    images, labels = _resample(sampler, split)
    # The samplers put every new face at the end.
    order = np.random.default_rng(random_state).permutation(len(labels))
    return Split(images[order], labels[order])


def _resample(sampler: SMOTE | RandomOverSampler, split: Split) -> tuple[np.ndarray, np.ndarray]:
    # SMOTE subtracts in the dtype it is given: on uint8 the differences wrap around and the
    # synthetic faces are noise.
    pixels = split.images.reshape(len(split), -1).astype(np.float32)
    pixels, labels = sampler.fit_resample(pixels, split.labels)
    np.rint(pixels, out=pixels)
    np.clip(pixels, 0, 255, out=pixels)
    return pixels.astype(np.uint8).reshape(-1, *split.images.shape[1:]), labels


def _with_labels(strategy: str | dict) -> str | dict:
    if not isinstance(strategy, dict):
        return strategy
    unknown = [key for key in strategy if key not in EMOTIONS and key not in range(len(EMOTIONS))]
    if unknown:
        raise ValueError(
            f"sampling_strategy must be keyed by labels 0-{len(EMOTIONS) - 1} or by the names "
            f"{', '.join(EMOTIONS)}, got {unknown[0]!r}."
        )
    return {EMOTIONS.index(k) if k in EMOTIONS else k: n for k, n in strategy.items()}


def _check_enough_faces(split: Split, strategy: str | dict, k_neighbors: int) -> None:
    if k_neighbors < 1:
        raise ValueError(f"k_neighbors must be at least 1, got {k_neighbors!r}.")
    counts = split.counts()
    most = max(counts.values(), default=0)
    for label, (emotion, count) in enumerate(counts.items()):
        grows = strategy.get(label, 0) > count if isinstance(strategy, dict) else count < most
        if grows and 0 < count <= k_neighbors:
            raise ValueError(
                f"SMOTE with k_neighbors={k_neighbors} needs at least {k_neighbors + 1} faces of "
                f"every emotion that grows, got {count} of {emotion!r}. Lower k_neighbors to "
                f"{count - 1 or 'at least 1 and add faces'}, or use method='random'."
            )
