"""Copies: the pictures of a data set that are the same in every pixel."""

from dataclasses import replace

import numpy as np

from .dataset import FerDataset


def find_duplicates(data: FerDataset) -> list[list[tuple[str, int]]]:
    """Find the images that are the same in every pixel, within and across splits.

    Parameters
    ----------
    data : FerDataset

    Returns
    -------
    list of list of (split name, index)
        One list per image that stands in the data set more than once, such as
        ``[("train", 17), ("train", 305), ("validation", 4)]``.

    Examples
    --------
    >>> faces = np.zeros((2, 48, 48), np.uint8)
    >>> split = fer.Split(faces, np.array([0, 3]))
    >>> fer.find_duplicates(fer.FerDataset(split, split.take([0])))
    [[('train', 0), ('train', 1), ('validation', 0)]]
    """
    places: dict[bytes, list[tuple[str, int]]] = {}
    for name, split in data.splits().items():
        for index, image in enumerate(split.images):
            places.setdefault(image.tobytes(), []).append((name, index))
    return [group for group in places.values() if len(group) > 1]


def drop_duplicates(data: FerDataset) -> FerDataset:
    """Clear the training part of copies; validation and test stay as they are.

    Of the copies within the training part the first is kept. None is kept where an image also
    stands in validation or test, which would make those scores too good, or where the copies'
    labels contradict each other, since no one can say which of them is right.

    Parameters
    ----------
    data : FerDataset

    Returns
    -------
    FerDataset

    Examples
    --------
    >>> faces = np.zeros((3, 48, 48), np.uint8)
    >>> faces[2] = 255
    >>> split = fer.Split(faces, np.array([3, 3, 0]))
    >>> len(fer.drop_duplicates(fer.FerDataset(split, split.take([2]))).train)
    1
    """
    keep = np.ones(len(data.train), dtype=bool)
    for group in find_duplicates(data):
        in_train = [index for name, index in group if name == "train"]
        leaks = len(in_train) < len(group)
        contradicts = len(set(data.train.labels[in_train])) > 1
        keep[in_train if leaks or contradicts else in_train[1:]] = False
    return replace(data, train=data.train.take(keep))


def stands_in_training(data: FerDataset, part: str = "validation") -> np.ndarray:
    """Return, as bool (n,), which pictures of another part also stand in the training part.

    None of the training part's own: it cannot leak into itself.

    Raises
    ------
    ValueError
        If the data set has no part of that name.
    """
    if part not in data.splits():
        raise ValueError(f"part must be one of {', '.join(data.splits())}, got {part!r}.")
    if part == "train":
        return np.zeros(len(data.train), bool)
    copied = [
        index
        for group in find_duplicates(data)
        if any(name == "train" for name, _ in group)
        for name, index in group
        if name == part
    ]
    return np.isin(np.arange(len(data.splits()[part])), copied)
