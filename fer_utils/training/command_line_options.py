"""What ``python -m fer_utils.training`` can be told."""

import argparse

from ..data.oversampling import METHODS

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def training_parser() -> argparse.ArgumentParser:
    """Return the parser of its command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.training",
        description="Train the network on a FER2013-like data set. Run the same command again "
        "to go on with a run that was cut off.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="fer2013.csv, a folder, or a zip of either")
    add("--run-dir", required=True, help="folder of the run")
    add("--on-error", choices=("raise", "skip"), default="raise", help="if a picture is bad")
    add("--method", choices=METHODS, default="none", help="how to balance the training part")
    add("--epochs", type=int, default=60, help="passes over the training part")
    add("--batch-size", type=int, default=64, help="faces a step")
    add("--learning-rate", type=float, default=0.05, help="peak of the schedule")
    add("--weight-decay", type=float, default=5e-3, help="decoupled, per unit of learning rate")
    add("--label-smoothing", type=float, default=0.1, help="from 0 to below 1")
    add("--augmentation", type=float, default=1.0, help="strength, from 0 to 1")
    add("--opinions", metavar="FILE", help="FER+'s fer2013new.csv, to go with fer2013.csv")
    add(
        "--opinion-share",
        type=float,
        default=0.0,
        help="what to learn: 0 the labels, 1 the opinions, between them a blend",
    )
    add("--mixup", type=float, default=0.0, help="blend faces in pairs: Beta's parameter, as 0.2")
    add("--dropout", type=float, default=0.1, help="share dropped after each max-pool")
    add("--image-sizes", type=_image_sizes, default="48", help="one size, or EPOCH:SIZE,...")
    add("--seed", type=int, default=42, help="of start weights, order, augmentation, dropout")
    add(
        "--teachers",
        nargs="+",
        default=[],
        metavar="FILE",
        help="weights files of trained networks: what they say about a face, on average, counts "
        "as much as its label",
    )
    add(
        "--validation-freq",
        type=int,
        default=1,
        help="epochs from one validation to the next; only then is anything written",
    )
    add("--weights", help="weights file that a new run starts from, instead of from chance")
    add(
        "--rescaled",
        action="store_true",
        help="also take --weights and --teachers of fer_utils 0.1, whose networks rescaled pixels "
        "and did not standardize faces",
    )
    add(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="mixed_bfloat16 is faster on CPUs with AVX512-BF16 and on new GPUs, mixed_float16 "
        "on older GPUs",
    )
    return parser


def _image_sizes(text: str) -> dict[int, int]:
    """Read '0:36,40:48' as {0: 36, 40: 48}, and '48' as {0: 48}."""
    if text.isdigit():
        return {0: int(text)}
    try:
        return {int(first): int(size) for first, size in (p.split(":") for p in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected EPOCH:SIZE,EPOCH:SIZE such as 0:36,40:48, got {text!r}"
        ) from None
