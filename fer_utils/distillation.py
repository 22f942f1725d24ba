"""Soft labels: what trained networks say about the training faces, blended with their labels."""

import numpy as np

from .augmentation import one_hot
from .data import Split
from .evaluation import probabilities_by_name
from .vote import SoftVote


def blend_labels(
    split: Split, teachers: SoftVote, share: float = 0.5, *, progress: bool = True
) -> np.ndarray:
    """Make soft labels of the labels and of what teachers say about the same faces.

    Distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015) from
    networks of the student's own kind (Furlanello et al., "Born-Again Neural Networks", 2018).
    FER2013's labels are often doubtful: where teachers contradict a label, the student is
    allowed to doubt it too.

    Parameters
    ----------
    split : Split
        n faces to be learned, and never those of a validation or test part.
    teachers : SoftVote
        The networks, of which the plain mean counts.
    share : float
        How much the teachers count, from 0 (labels only) to 1 (teachers only).
    progress : bool
        Whether to show how many teachers have been asked.

    Returns
    -------
    ndarray of float32, shape (n, 7)
        Probabilities; columns stand in the order of `EMOTIONS`.

    Raises
    ------
    ValueError
        If `share` lies outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, got {share!r}.")
    taught = probabilities_by_name(teachers, split.images, progress=progress)["vote"]
    return (share * taught + (1 - share) * one_hot(split.labels)).astype(np.float32)
