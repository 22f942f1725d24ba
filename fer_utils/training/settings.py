"""What `train` asks of its arguments."""

import math
import numbers
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from ..data.dataset import Split
from ..emotions import EMOTIONS
from ..network.vgg import LARGEST_SIZE, SMALLEST_SIZE

_WHOLE_NUMBERS = ("epochs", "batch_size", "validation_freq", "seed")
_LIMITS = {
    "epochs": (lambda value: value >= 1, "at least 1"),
    "batch_size": (lambda value: value >= 2, "at least 2 for batch norm"),
    "learning_rate": (lambda value: value > 0, "above 0"),
    "weight_decay": (lambda value: value >= 0, "at least 0"),
    "label_smoothing": (lambda value: 0 <= value < 1, "at least 0 and below 1"),
    "augmentation": (lambda value: 0 <= value <= 1, "between 0 and 1"),
    "opinion_share": (lambda value: 0 <= value <= 1, "between 0 and 1"),
    "mixup": (lambda value: 0 <= value < math.inf, "at least 0 and finite"),
    "validation_freq": (lambda value: value >= 1, "at least 1"),
    "seed": (lambda value: value >= 0, "at least 0"),
}


def check_data(model: keras.Model, train_split: Split, validation_split: Split) -> None:
    """Raise TypeError or ValueError unless the network can train on these splits."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}.")
    for name, split in (("train_split", train_split), ("validation_split", validation_split)):
        if not isinstance(split, Split):
            raise TypeError(
                f"{name} must be a Split, such as load_dataset(...).train, got "
                f"{type(split).__name__}."
            )
        if len(split) == 0:
            raise ValueError(f"{name} must hold at least one face, got none.")
    if model.output_shape[-1] != len(EMOTIONS):
        raise ValueError(
            f"model must tell {len(EMOTIONS)} emotions apart, got {model.output_shape[-1]}: build "
            "it with build_vgg()."
        )
    if model.input_shape[-1] != 1:
        raise ValueError(
            f"model must take grey pictures with 1 channel, got {model.input_shape[-1]}: build it "
            "with build_vgg()."
        )


def check_opinions(opinion_share: float, **splits: Split) -> None:
    """Raise ValueError where opinions are to be learned and a split has none."""
    for name, split in splits.items():
        if opinion_share and split.opinions is None:
            raise ValueError(
                f"opinion_share={opinion_share} needs opinions, and {name} holds none. Load the "
                "data set with load_dataset('fer2013.csv', opinions='fer2013new.csv'), or leave "
                "opinion_share at 0."
            )


def check_teachers(teachers: Sequence[keras.Model], model: keras.Model) -> None:
    """Raise TypeError or ValueError unless these networks can teach `model`."""
    if not isinstance(teachers, Sequence) or isinstance(teachers, str):
        raise TypeError(f"teachers must be a list of networks, got {teachers!r}.")
    for teacher in teachers:
        if not isinstance(teacher, keras.Model):
            raise TypeError(
                f"teachers must be networks, got {teacher!r}. On the command line, --teachers "
                "takes weights files."
            )
        if teacher is model:
            raise ValueError("teachers must not hold the network that is to learn.")
        # A network that was never built has no shapes.
        taken, returned = (
            getattr(teacher, "input_shape", None),
            getattr(teacher, "output_shape", None),
        )
        if taken is None or (taken[-1], returned) != (model.input_shape[-1], model.output_shape):
            raise ValueError(
                f"teachers must take and return what model does, got {teacher.name!r}, which "
                f"takes {taken} and returns {returned}."
            )


def checked_settings(**settings: Any) -> dict[str, int | float]:
    """Return the settings as plain numbers; raise TypeError or ValueError for what is none."""
    plain = {}
    for name, value in settings.items():
        plain[name] = _plain_number(name, value)
        holds, expected = _LIMITS[name]
        if not holds(plain[name]):
            raise ValueError(f"{name} must be {expected}, got {value!r}.")
    return plain


def _plain_number(name: str, value: Any) -> int | float:
    if name in _WHOLE_NUMBERS:
        return _whole_number(name, value)
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    return float(value)


def _whole_number(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}.") from None


def checked_sizes(
    image_sizes: Mapping[int, int] | None, epochs: int, model_size: int
) -> dict[int, int]:
    """Return {first epoch: size} in order of the epochs; raise TypeError or ValueError."""
    if image_sizes is None:
        return {0: model_size}
    if not isinstance(image_sizes, Mapping) or not image_sizes:
        raise TypeError(
            "image_sizes must map first epochs to sizes in px, such as {0: 36, 40: 48}, got "
            f"{image_sizes!r}."
        )
    plain = {
        _whole_number("image_sizes", first): _whole_number("image_sizes", side)
        for first, side in image_sizes.items()
    }
    sizes = dict(sorted(plain.items()))
    if min(sizes) != 0 or max(sizes) >= epochs:
        raise ValueError(
            f"image_sizes must start at epoch 0 and change before epoch {epochs}, got {sizes!r}."
        )
    if not all(SMALLEST_SIZE <= side <= LARGEST_SIZE for side in sizes.values()):
        raise ValueError(
            f"image_sizes must lie between {SMALLEST_SIZE} and {LARGEST_SIZE} px, got {sizes!r}."
        )
    if sizes[max(sizes)] != model_size:
        raise ValueError(
            f"image_sizes must end with the size of the model, {model_size} px, got {sizes!r}: "
            "the best weights are chosen at the size they are used at."
        )
    return sizes


def checked_class_weights(class_weights: Mapping[str, float] | None) -> list[float] | None:
    """Return the weights in the order of `EMOTIONS`; raise TypeError or ValueError for others."""
    if class_weights is None:
        return None
    if not isinstance(class_weights, Mapping):
        raise TypeError(
            "class_weights must map each emotion to a number, such as {'angry': 1.0, ...}, got "
            f"{class_weights!r}."
        )
    if set(class_weights) != set(EMOTIONS):
        raise ValueError(
            f"class_weights must name each of {', '.join(EMOTIONS)} once, got "
            f"{', '.join(map(str, class_weights))}."
        )
    plain = [_plain_number(f"class_weights[{name!r}]", class_weights[name]) for name in EMOTIONS]
    if not all(0 < weight < math.inf for weight in plain):
        raise ValueError(f"class_weights must be above 0 and finite, got {dict(class_weights)!r}.")
    return plain
