"""Endless batches of training faces, each a little different every time."""

import math
from collections.abc import Iterator

import keras
import numpy as np

from .data import Split
from .emotions import EMOTIONS

# Full strength: how far a training face may stray from its original.
ROTATION_DEG = 12
SHIFT = 0.12  # of the side
ZOOM = 0.12  # of the size, in both directions
BRIGHTNESS = 0.25  # of the mean grey, up or down
CONTRAST = 0.25  # up or down
ERASED_SHARE = 0.5  # of the faces
ERASED_AREA = (0.02, 0.2)  # of the picture
ERASED_ASPECT = (0.3, 3.3)  # height over width

FIRST_STRENGTH = 0.25
RAMP = 0.2  # of all epochs, after which the strength is full


def strength_at(epoch: int, epochs: int) -> float:
    """Return the share of the full augmentation that an epoch gets, from a quarter up to 1.

    A network that meets the full strength at its first step can stay at guessing for epochs.
    """
    return min(1.0, FIRST_STRENGTH + (1 - FIRST_STRENGTH) * epoch / max(1, RAMP * epochs))


def augment(images: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Flip, turn, shift, zoom, relight and partly erase faces.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        Pixels from 0 to 255.
    rng : numpy.random.Generator
        The only source of chance: the same state gives the same faces.
    strength : float
        0 leaves the faces as they are but for the mirroring, 1 goes as far as the constants
        above say.

    Returns
    -------
    ndarray of float32, shape (n, height, width)
        Pixels from 0 to 255; `images` is left as it is.
    """
    pixels = _move(images.astype(np.float32), rng, strength)
    pixels = _relight(pixels, rng, strength)
    _erase(pixels, rng, strength)
    return pixels


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Return pictures (n, height, width) as float32 (n, size, size), antialiased."""
    if images.shape[1:] == (size, size):
        return images.astype(np.float32)
    resized = keras.ops.image.resize(
        images[..., None].astype(np.float32),
        (size, size),
        antialias=True,
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(resized)[..., 0]


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Return labels (n,) as float32 (n, 7)."""
    return np.eye(len(EMOTIONS), dtype=np.float32)[labels]


def training_batches(
    split: Split,
    *,
    batch_size: int,
    image_size: int,
    epochs: int,
    first_step: int,
    seed: int,
    strength: float = 1.0,
    class_weights: np.ndarray | None = None,
    soft_labels: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield augmented batches without end, every epoch in a new order.

    What a step yields depends on `seed` and the step's number alone, so a run that was cut off
    continues at `first_step` with the very batches it would have seen. The augmentation grows up
    to `strength` as `strength_at` says.

    Yields
    ------
    (ndarray of float32 (batch, size, size, 1), ndarray of float32 (batch, 7))
        Pixels from 0 to 255 and one-hot labels, or their rows of `soft_labels`, float (n, 7); with
        `class_weights`, float (7,), also the weight of each face, (batch,).
    """
    targets = one_hot(split.labels) if soft_labels is None else soft_labels
    steps = steps_per_epoch(split, batch_size)
    step = first_step
    while True:
        epoch, batch = divmod(step, steps)
        if batch == 0 or step == first_step:
            order = np.random.default_rng([seed, epoch]).permutation(len(split))
        chosen = order[batch * batch_size : (batch + 1) * batch_size]
        rng = np.random.default_rng([seed, epoch, batch])
        faces = augment(split.images[chosen], rng, strength * strength_at(epoch, epochs))
        weights = ()
        if class_weights is not None:
            weights = (class_weights[split.labels[chosen]].astype(np.float32),)
        yield resize(faces, image_size)[..., None], targets[chosen], *weights
        step += 1


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """Return how many full batches an epoch has; the few faces left over sit it out."""
    return max(1, len(split) // batch_size)


def _move(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Mirror, turn, zoom and shift in one resampling, so that the faces blur only once."""
    n, height, width = pixels.shape
    angle = np.radians(ROTATION_DEG) * strength * rng.uniform(-1, 1, n)
    scale = (1 + ZOOM) ** (strength * rng.uniform(-1, 1, n))
    mirror = rng.choice([-1.0, 1.0], n)
    shift_x, shift_y = SHIFT * strength * rng.uniform(-1, 1, (2, n)) * [[width], [height]]
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    # Rows of the matrix that maps an output pixel to the input pixel it is taken from.
    a0, a1 = mirror * np.cos(angle) / scale, -np.sin(angle) / scale
    b0, b1 = mirror * np.sin(angle) / scale, np.cos(angle) / scale
    a2 = centre_x - a0 * centre_x - a1 * centre_y + shift_x
    b2 = centre_y - b0 * centre_x - b1 * centre_y + shift_y
    zero = np.zeros(n)
    matrices = np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)
    moved = keras.ops.image.affine_transform(
        pixels[..., None], matrices, fill_mode="nearest", data_format="channels_last"
    )
    return keras.ops.convert_to_numpy(moved)[..., 0]


def _relight(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    n = len(pixels)
    contrast = 1 + CONTRAST * strength * rng.uniform(-1, 1, (n, 1, 1))
    offset = 128 * BRIGHTNESS * strength * rng.uniform(-1, 1, (n, 1, 1))
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    return np.clip((pixels - mean) * contrast + mean + offset, 0, 255).astype(np.float32)


def _erase(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> None:
    """Cover a rectangle of some faces with noise (Zhong et al., "Random Erasing", 2020)."""
    _, height, width = pixels.shape
    for index in np.flatnonzero(rng.random(len(pixels)) < ERASED_SHARE * strength):
        area = rng.uniform(*ERASED_AREA) * height * width
        aspect = math.exp(rng.uniform(*np.log(ERASED_ASPECT)))
        h = min(height, max(1, round(math.sqrt(area * aspect))))
        w = min(width, max(1, round(math.sqrt(area / aspect))))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        pixels[index, top : top + h, left : left + w] = rng.uniform(0, 255, (h, w))
