"""A network that is trained in seconds, where a test is about something else than `build_vgg`."""

import keras
from keras import layers


def narrow(input_shape: tuple[int, int, int] = (48, 48, 1), name: str | None = None) -> keras.Model:
    """Return a network with all that a run must restore: batch norm, dropout, any picture size."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(16, 5, strides=3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Dropout(0.2),
            layers.Conv2D(16, 3, strides=2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(7, activation="softmax", dtype="float32"),
        ],
        name=name,
    )
