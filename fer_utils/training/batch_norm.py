"""Batch norm's statistics, taken anew for the weights and the faces a network will work with."""

import numpy as np

from ..data.dataset import Split
from ..quiet_keras import keras
from .augmentation import resize

FACES = 4096  # a sample: every validation waits for it
BATCH_SIZE = 256


class NormStatistics(keras.callbacks.Callback):
    """Takes the statistics of whole training faces before every validation.

    While a network trains, batch norm only remembers the last few batches, of augmented faces,
    with activations dropped and by the weights of that moment. Validation and inference are
    without all that and use averaged weights, for which those statistics do not hold (Izmailov
    et al., "Averaging Weights Leads to Wider Optima", 2018; Li et al., "Understanding the
    Disharmony between Dropout and Batch Normalization by Variance Shift", 2019).

    Stands after SwapEMAWeights, which puts the averaged weights in place. Training itself never
    uses these statistics, so it goes on as if they had not been taken.
    """

    def __init__(self, network: keras.Model, split: Split, seed: int) -> None:
        super().__init__()
        self._network = network
        self._faces = sample_faces(split, network.input_shape[1], seed)

    def on_test_begin(self, logs: dict | None = None) -> None:
        take_statistics(self._network, self._faces)


def sample_faces(split: Split, size: int, seed: int) -> np.ndarray:
    """Return up to `FACES` whole faces, drawn at random, float32 (n, size, size, 1)."""
    chosen = np.random.default_rng(seed).permutation(len(split))[:FACES]
    return resize(split.images[chosen], size)[..., None]


def take_statistics(network: keras.Model, faces: np.ndarray) -> None:
    """Set every batch norm's mean and variance to those of these faces, nothing being dropped.

    Parameters
    ----------
    network : keras.Model
        A chain of layers such as `build_vgg` returns. Only those statistics change.
    faces : ndarray, shape (n, height, width, 1)
        Pixels from 0 to 255; at least one face.
    """
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    dropouts = [x for x in network.layers if isinstance(x, keras.layers.Dropout)]
    momenta, rates = [norm.momentum for norm in norms], [dropout.rate for dropout in dropouts]
    try:
        for dropout in dropouts:
            dropout.rate = 0
        batches = np.array_split(faces, -(-len(faces) // BATCH_SIZE))
        for seen, batch in enumerate(batches):
            for norm in norms:
                norm.momentum = seen / (seen + 1)  # makes the average that of all batches so far
            network(batch, training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for dropout, rate in zip(dropouts, rates, strict=True):
            dropout.rate = rate
