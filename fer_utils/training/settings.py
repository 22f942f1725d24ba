"""The settings of a training: defaults, limits, command line; what `train` asks of the rest.

A new setting is a field of `Settings` here and a keyword of `train` with its docstring.
"""

import argparse
import dataclasses
import inspect
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..argument_checks import checked_number, checked_whole_number
from ..data.dataset import Split
from ..data.options import add_data_options
from ..data.oversampling import K_NEIGHBORS, METHODS
from ..emotions import EMOTIONS
from ..graceful_exit import HelpWithDefaults
from ..network.vgg import LARGEST_SIZE, SMALLEST_SIZE, build_vgg
from ..quiet_keras import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def _setting(default: float, help_text: str, **limits: Any) -> Any:
    """Return a field of `Settings`; the limits are those of `argument_checks`."""
    return dataclasses.field(default=default, metadata={"help": help_text, "limits": limits})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The numbers of a training, checked; `train` says what each is.

    A default stands here alone: `train` takes it from here, and so does the command line, whose
    options these are too; ``run.json`` holds what a run was given. What depends on the network or
    the data set, such as `image_sizes`, is no part of it.

    Raises
    ------
    TypeError, ValueError
        If a number is of another kind, or outside its limits.

    Examples
    --------
    >>> Settings(epochs=2).batch_size
    64
    """

    epochs: int = _setting(60, "passes over the training part", least=1)
    batch_size: int = _setting(64, "faces a step", least=2, hint=" for batch norm")
    learning_rate: float = _setting(0.05, "peak of the schedule", above=0)
    weight_decay: float = _setting(5e-3, "decoupled, per unit of learning rate", least=0)
    label_smoothing: float = _setting(0.1, "from 0 to below 1", least=0, below=1)
    augmentation: float = _setting(1.0, "strength, from 0 to 1", least=0, most=1)
    opinion_share: float = _setting(
        0.0, "what to learn: 0 the labels, 1 the opinions, between them a blend", least=0, most=1
    )
    mixup: float = _setting(
        0.0, "blend faces in pairs: Beta's parameter, as 0.2", least=0, below=math.inf
    )
    validation_freq: int = _setting(
        1, "epochs from one validation to the next; only then is anything written", least=1
    )
    seed: int = _setting(42, "of start weights, order, augmentation, dropout", least=0)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check = checked_whole_number if field.type is int else checked_number
            value = check(field.name, getattr(self, field.name), **field.metadata["limits"])
            object.__setattr__(self, field.name, value)  # the dataclass is frozen

    @classmethod
    def among(cls, values: Mapping[str, Any]) -> "Settings":
        """Return the settings that stand, under their names, among other values."""
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


def training_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m fer_utils.training``."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.training",
        description="Train the network on a FER2013-like data set. Run the same command again "
        "to go on with a run that was cut off. @FILE stands for the options in a file: any number "
        "of words a line, # begins a comment.",
        formatter_class=HelpWithDefaults,
        fromfile_prefix_chars="@",
    )
    parser.convert_arg_line_to_args = _words
    add = parser.add_argument
    add_data_options(parser)
    add("--run-dir", required=True, help="folder of the run")
    add("--method", choices=METHODS, default="none", help="how to balance the training part")
    add("--k-neighbors", type=int, default=K_NEIGHBORS, help="nearest faces that SMOTE draws from")
    for field in dataclasses.fields(Settings):
        option = f"--{field.name.replace('_', '-')}"
        add(option, type=field.type, default=field.default, help=field.metadata["help"])
    add("--opinions", metavar="FILE", help="FER+'s fer2013new.csv, to go with fer2013.csv")
    dropout = inspect.signature(build_vgg).parameters["dropout"].default
    add("--dropout", type=float, default=dropout, help="share dropped after each max-pool")
    add("--image-sizes", type=_image_sizes, default="48", help="one size, or EPOCH:SIZE,...")
    add(
        "--teachers",
        nargs="+",
        default=[],
        metavar="FILE",
        help="weights files of trained networks: what they say about a face, on average, counts "
        "as much as its label",
    )
    add("--weights", help="weights file that a new run starts from, instead of from chance")
    add(
        "--rescaled",
        action="store_true",
        help="also take --weights and --teachers of fer_utils 0.1, whose networks rescaled pixels "
        "and did not standardize faces",
    )
    add("--devices", type=_devices, default=1, help="how many share each batch, or all; on JAX")
    add(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="mixed_bfloat16 is faster on CPUs with AVX512-BF16 and on new GPUs, mixed_float16 "
        "on older GPUs",
    )
    return parser


def _words(line: str) -> list[str]:
    """Split a line of an @FILE as a shell would, but for the backslashes of Windows' paths."""
    words = shlex.shlex(line, posix=True)
    words.whitespace_split, words.escape = True, ""
    return list(words)


def _devices(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _image_sizes(text: str) -> dict[int, int]:
    """Read '0:36,40:48' as {0: 36, 40: 48}, and '48' as {0: 48}."""
    if text.isdigit():
        return {0: int(text)}
    try:
        return {int(first): int(size) for first, size in (p.split(":") for p in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected EPOCH:SIZE,EPOCH:SIZE such as 0:36,40:48, got {text!r}."
        ) from None


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
    if validation_split.emotions != train_split.emotions:
        raise ValueError(
            f"validation_split must have the emotions of train_split, "
            f"{', '.join(train_split.emotions)}, got {', '.join(validation_split.emotions)}."
        )
    number = len(train_split.emotions)
    if model.output_shape[-1] != number:
        ours = train_split.emotions == EMOTIONS
        raise ValueError(
            f"model must tell {number} emotions apart, got {model.output_shape[-1]}: build it "
            f"with build_vgg({'' if ours else f'num_classes={number}'})."
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


def check_teachers(
    teachers: Sequence[keras.Model], model: keras.Model, emotions: Sequence[str]
) -> None:
    """Raise TypeError or ValueError unless these networks can teach `model` these emotions."""
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
        check_emotions("teachers", teacher, emotions)


def check_emotions(argument: str, network: keras.Model, emotions: Sequence[str]) -> None:
    """Raise ValueError if a network says that it tells other emotions apart, or in other order."""
    told = getattr(network, "emotions", None) or emotions
    if tuple(told) != tuple(emotions):
        raise ValueError(
            f"{argument} must tell the emotions of the data set apart, {', '.join(emotions)}, got "
            f"{network.name!r}, which tells {', '.join(told)}. Leave it out, or take one that "
            "learned the same."
        )


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
        checked_whole_number("image_sizes", first): checked_whole_number("image_sizes", side)
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


def checked_class_weights(
    class_weights: Mapping[str, float] | None, emotions: Sequence[str]
) -> list[float] | None:
    """Return the weights in the order of the emotions; raise TypeError or ValueError for others."""
    if class_weights is None:
        return None
    if not isinstance(class_weights, Mapping):
        raise TypeError(
            "class_weights must map each emotion to a number, such as {'angry': 1.0, ...}, got "
            f"{class_weights!r}."
        )
    if set(class_weights) != set(emotions):
        raise ValueError(
            f"class_weights must name each of {', '.join(emotions)} once, got "
            f"{', '.join(map(str, class_weights))}."
        )
    plain = [checked_number(f"class_weights[{name!r}]", class_weights[name]) for name in emotions]
    if not all(0 < weight < math.inf for weight in plain):
        raise ValueError(f"class_weights must be above 0 and finite, got {dict(class_weights)!r}.")
    return plain
