"""Changes the faces of a training batch, each a little differently every time.

Ours, not Keras's layers: what those are made with stays, while here one strength grows from epoch
to epoch, and they resample the faces for each of their movements anew.
"""

import math

import numpy as np

from ..argument_checks import checked_share, checked_whole_number
from ..quiet_keras import keras

ops = keras.ops


# Full strength: how far a training face may stray from its original.
ROTATION_DEG = 12
SHIFT = 0.12  # of the side
ZOOM = 0.12  # of the size, in both directions
# A network of `build_vgg` does not see brightness and contrast: light must change a face otherwise.
GAMMA = 1.6  # or its inverse
GAIN = 1.25  # or its inverse; what passes 255 is blown out
SIDE_LIGHT = 0.4  # more on one edge and less on the other
SHADOW = 0.6  # of the light taken, on one side of a line
SHADED_SHARE = 0.3  # of the faces
SHADOW_EDGE = 0.1  # width of its soft border, where the picture's half width is 1
BLUR, SHARPENING = 1.0, 0.5  # share of the 3x3 mean that is mixed in, or taken off
NOISE = 6.0  # standard deviation, at most
ERASED_SHARE = 0.5  # of the faces
ERASED_AREA = (0.02, 0.2)  # of the picture
ERASED_ASPECT = (0.3, 3.3)  # height over width

FIRST_STRENGTH = 0.25
RAMP = 0.2  # of all epochs, after which the strength is full

Tensor = keras.KerasTensor


def strength_at(epoch: int, epochs: int) -> float:
    """Return the share of the full augmentation that an epoch gets, from a quarter up to 1.

    A network that meets the full strength at its first step can stay at guessing for epochs.
    """
    return min(1.0, FIRST_STRENGTH + (1 - FIRST_STRENGTH) * epoch / max(1, RAMP * epochs))


class Augmentation(keras.layers.Layer):
    """Augments faces in training, and brings them to the size a network is training at.

    Being a layer, it runs where the network does: on a GPU too, which would otherwise wait for
    the processor.

    Parameters
    ----------
    size : int
        Side of the square pictures that come out, in px.

    Attributes
    ----------
    strength : keras.Variable
        As `augment` takes it, to be assigned before every epoch; 0 at first.
    seed_generator : keras.random.SeedGenerator
        The only source of chance.
    """

    def __init__(self, size: int) -> None:
        super().__init__(trainable=False, dtype="float32")
        self._size = size
        self.seed_generator = keras.random.SeedGenerator(0)
        self.strength = self.add_weight(name="strength", initializer="zeros", trainable=False)

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Take uint8 (n, height, width, 1) and return float32 (n, size, size, 1), 0 to 255."""
        pixels = ops.cast(images, "float32")
        if training:
            pixels = augment(pixels, self.strength, self.seed_generator)
        return _resized(pixels, self._size)


def augment(pixels: Tensor, strength: Tensor | float, seed: keras.random.SeedGenerator) -> Tensor:
    """Flip, turn, shift, zoom, relight, blur or sharpen, and partly erase faces.

    Parameters
    ----------
    pixels : tensor of float32, shape (n, height, width, 1)
        From 0 to 255.
    strength : tensor or float
        0 leaves the faces as they are but for the mirroring, 1 goes as far as the constants
        above say.
    seed : keras.random.SeedGenerator
        The only source of chance: the same state gives the same faces.

    Returns
    -------
    tensor of float32, shape (n, height, width, 1)
        From 0 to 255.
    """
    pixels = _move(pixels, strength, seed)
    pixels = _relight(pixels, strength, seed)
    pixels = _refocus(pixels, strength, seed)
    return _erase(pixels, strength, seed)


def augmented_copies(
    images: np.ndarray, copies: int, *, strength: float = 1.0, seed: int = 42
) -> np.ndarray:
    """Return what training may make of faces, to be looked at.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
    copies : int
        How many of each face, at least 1.
    strength : float
        0 to 1: the `augmentation` of `train`, as `augment` describes it.
    seed : int
        Seed of the chance.

    Returns
    -------
    ndarray of uint8, shape (n, copies, height, width)

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> augmented_copies(np.zeros((2, 48, 48), np.uint8), 5, strength=0.3).shape
    (2, 5, 48, 48)
    """
    if np.ndim(images) != 3 or images.dtype != np.uint8:
        raise ValueError(
            "images must be uint8 (n, height, width), such as the images of a Split, got "
            f"{getattr(images, 'dtype', type(images).__name__)} of shape {np.shape(images)}."
        )
    checked_whole_number("copies", copies, least=1)
    checked_share("strength", strength)
    pixels = np.repeat(images, copies, axis=0)[..., None].astype(np.float32)
    changed = augment(pixels, strength, keras.random.SeedGenerator(seed))
    rounded = np.rint(ops.convert_to_numpy(changed)).astype(np.uint8)
    return rounded.reshape(len(images), copies, *images.shape[1:])


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Return pictures (n, height, width) as float32 (n, size, size), antialiased."""
    resized = _resized(ops.convert_to_tensor(images[..., None], "float32"), size)
    return ops.convert_to_numpy(resized)[..., 0]


def _resized(pixels: Tensor, size: int) -> Tensor:
    if tuple(pixels.shape[1:3]) == (size, size):
        return pixels
    return ops.image.resize(pixels, (size, size), antialias=True, data_format="channels_last")


def _move(pixels: Tensor, strength: Tensor | float, seed: keras.random.SeedGenerator) -> Tensor:
    """Mirror, turn, zoom and shift in one resampling, so that the faces blur only once."""
    _, height, width, _ = pixels.shape
    chance = keras.random.uniform((5, ops.shape(pixels)[0]), -1, 1, seed=seed)
    angle = math.radians(ROTATION_DEG) * strength * chance[0]
    scale = ops.exp(math.log(1 + ZOOM) * strength * chance[1])
    shift_x = SHIFT * width * strength * chance[2]
    shift_y = SHIFT * height * strength * chance[3]
    mirror = ops.where(chance[4] < 0, -1.0, 1.0)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    # Rows of the matrix that maps an output pixel to the input pixel it is taken from.
    a0, a1 = mirror * ops.cos(angle) / scale, -ops.sin(angle) / scale
    b0, b1 = mirror * ops.sin(angle) / scale, ops.cos(angle) / scale
    a2 = centre_x - a0 * centre_x - a1 * centre_y + shift_x
    b2 = centre_y - b0 * centre_x - b1 * centre_y + shift_y
    zero = ops.zeros_like(a0)
    matrices = ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
    return ops.image.affine_transform(
        pixels, matrices, fill_mode="nearest", data_format="channels_last"
    )


def _relight(pixels: Tensor, strength: Tensor | float, seed: keras.random.SeedGenerator) -> Tensor:
    """Change gamma and exposure, light the face from a side, and lay a shadow on some."""
    _, height, width, _ = pixels.shape
    chance = keras.random.uniform((7, ops.shape(pixels)[0], 1, 1, 1), -1, 1, seed=seed)
    gamma = ops.exp(math.log(GAMMA) * strength * chance[0])
    gain = ops.exp(math.log(GAIN) * strength * chance[1])
    y = ops.reshape(ops.linspace(-1.0, 1.0, height), (1, height, 1, 1))
    x = ops.reshape(ops.linspace(-1.0, 1.0, width), (1, 1, width, 1))
    light = 1 + SIDE_LIGHT * strength * chance[2] * _across(x, y, chance[3])
    beyond = ops.sigmoid((_across(x, y, chance[4]) - 0.5 * chance[5]) / SHADOW_EDGE)
    shaded = ops.cast((chance[6] + 1) / 2 < SHADED_SHARE, "float32")
    shadow = 1 - SHADOW * strength * shaded * beyond
    # The gradient of a power is infinite at 0, though nothing here is learned.
    exposed = 255 * ops.power(ops.maximum(pixels, 1e-3) / 255, gamma) * gain
    return ops.clip(ops.where(strength > 0, exposed * light * shadow, pixels), 0, 255)


def _across(x: Tensor, y: Tensor, turn: Tensor) -> Tensor:
    """Return how far a pixel lies from the middle, -1.4 to 1.4, in a direction: turn * 180 deg."""
    return x * ops.cos(math.pi * turn) + y * ops.sin(math.pi * turn)


def _refocus(pixels: Tensor, strength: Tensor | float, seed: keras.random.SeedGenerator) -> Tensor:
    """Blur or sharpen faces, and add a camera's noise."""
    chance = keras.random.uniform((2, ops.shape(pixels)[0], 1, 1, 1), seed=seed)
    blurred = ops.average_pool(pixels, 3, 1, padding="same", data_format="channels_last")
    share = strength * (chance[0] * (BLUR + SHARPENING) - SHARPENING)
    noise = keras.random.normal(ops.shape(pixels), stddev=NOISE, seed=seed)
    noisy = pixels + share * (blurred - pixels) + strength * chance[1] * noise
    return ops.clip(noisy, 0, 255)


def _erase(pixels: Tensor, strength: Tensor | float, seed: keras.random.SeedGenerator) -> Tensor:
    """Cover a rectangle of some faces with noise (Zhong et al., "Random Erasing", 2020)."""
    _, height, width, _ = pixels.shape
    chance = keras.random.uniform((5, ops.shape(pixels)[0], 1, 1, 1), seed=seed)
    least, most = ERASED_AREA
    area = (least + (most - least) * chance[0]) * height * width
    lowest, highest = map(math.log, ERASED_ASPECT)
    aspect = ops.exp(lowest + (highest - lowest) * chance[1])
    h = ops.clip(ops.round(ops.sqrt(area * aspect)), 1, height)
    w = ops.clip(ops.round(ops.sqrt(area / aspect)), 1, width)
    top, left = ops.floor(chance[2] * (height - h + 1)), ops.floor(chance[3] * (width - w + 1))
    y = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1))
    x = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1))
    inside = (y >= top) & (y < top + h) & (x >= left) & (x < left + w)
    noise = keras.random.uniform(ops.shape(pixels), 0, 255, seed=seed)
    return ops.where(inside & (chance[4] < ERASED_SHARE * strength), noise, pixels)
