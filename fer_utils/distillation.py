"""Soft labels: what trained networks say about the training faces, blended with their labels."""

import numpy as np

from .augmentation import one_hot
from .data import Split
from .evaluation import probabilities_by_name
from .vote import SoftVote


def blend_labels(split: Split, teachers: SoftVote, *, progress: bool = True) -> np.ndarray:
    """Make soft labels: half the labels, half what teachers say about the same faces.

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
    progress : bool
        Whether to show how many teachers have been asked.

    Returns
    -------
    ndarray of float32, shape (n, 7)
        Probabilities; columns stand in the order of `EMOTIONS`.
    """
    taught = probabilities_by_name(teachers, split.images, progress=progress)["vote"]
    return ((taught + one_hot(split.labels)) / 2).astype(np.float32)
