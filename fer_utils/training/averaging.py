"""One network from the weights of several; also ``python -m fer_utils.training.averaging``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from ..data.dataset import load_dataset
from ..data.duplicates import drop_duplicates
from ..data.oversampling import METHODS, oversample
from ..data.parsing import IMAGE_SIZE
from ..evaluation.metrics import evaluate
from ..files import checked_target, write_whole
from ..graceful_exit import mistakes_as_lines
from ..network.vgg import load_weights
from ..network.vote import SoftVote
from ..network.weights_file import find_weights, save_half
from .batch_norm import sample_faces, take_statistics


def average_weights(paths: Sequence[str | Path], faces: np.ndarray) -> keras.Model:
    """Average the weights of networks that went on from one another.

    Where each began with the weights of the one before, at a learning rate that rose and fell
    again, the mean can be better than any of them (Izmailov et al., "Averaging Weights Leads
    to Wider Optima", 2018). The mean of networks that were trained apart is worth nothing.

    Parameters
    ----------
    paths : sequence of str or Path
        At least two ``.weights.h5`` files.
    faces : ndarray of float32, shape (n, 48, 48, 1)
        Training faces, pixels from 0 to 255: what batch norm's statistics are taken of anew, for
        those of the networks do not hold for their mean.

    Returns
    -------
    keras.Model
        As `build_vgg` returns it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are fewer than two paths, two are the same, or one is not the weights file of
        such a network.
    """
    different = {find_weights(path).resolve() for path in paths}
    if len(different) < max(2, len(paths)):
        names = ", ".join(map(repr, map(str, paths)))
        raise ValueError(f"paths must name at least two different weights files, got {names}.")
    networks = [load_weights(path) for path in paths]
    average, *_ = networks
    weights = zip(*(network.get_weights() for network in networks), strict=True)
    average.set_weights([np.mean(same, axis=0) for same in weights])
    take_statistics(average, faces)
    return average


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.training.averaging",
        description="Average the weights of networks that went on from one another, and compare "
        "the mean with each of them on the data set's validation part.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="the data set of their training")
    add("--weights", required=True, nargs="+", metavar="FILE", help="two weights files or more")
    add("--output", required=True, help="weights file to write, a new one")
    add("--method", choices=METHODS, default="none", help="how their training part was balanced")
    add("--seed", type=int, default=42, help="of balancing, and of the faces batch norm sees")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Average as the command line says; see ``--help``."""
    parser = _parser()
    args = parser.parse_args(arguments)
    with mistakes_as_lines(parser):
        _average_as_told(args)


def _average_as_told(args: argparse.Namespace) -> None:
    target = checked_target("output", args.output, ".weights.h5")
    if target.exists():
        raise ValueError(f"output: {args.output!r} is there already; name a new file.")
    data = drop_duplicates(load_dataset(args.data))
    train_split = oversample(data.train, args.method, random_state=args.seed)
    average = average_weights(args.weights, sample_faces(train_split, IMAGE_SIZE, args.seed))
    write_whole(target, lambda path: save_half(average, path))
    for path in [*args.weights, target]:
        print(f"{evaluate(SoftVote.from_weights([path]), data.validation).accuracy:.2%}  {path}")


if __name__ == "__main__":
    main()
