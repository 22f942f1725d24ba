"""One network from the weights of several; also ``python -m fer_utils.training.averaging``."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.duplicates import drop_duplicates
from ..data.options import add_data_options, load_as_told
from ..data.oversampling import K_NEIGHBORS, METHODS, oversample
from ..data.parsing import IMAGE_SIZE
from ..emotions import EMOTIONS
from ..evaluation.metrics import evaluate
from ..files import checked_target, write_whole
from ..graceful_exit import HelpWithDefaults, mistakes_as_lines, parsed
from ..network.vgg import load_weights
from ..network.weights_file import find_weights, save_half
from ..quiet_keras import keras
from .batch_norm import sample_faces, take_statistics


def average_weights(
    paths: Sequence[str | Path],
    faces: np.ndarray,
    *,
    shares: Sequence[float] | None = None,
    rescaled: bool = False,
) -> keras.Model:
    """Average the weights of networks that went on from one another.

    Where each began with the weights of the one before, at a learning rate that rose and fell
    again, the mean can be better than any of them (Izmailov et al., "Averaging Weights Leads
    to Wider Optima", 2018), and a mean with unequal shares lies between what the first learned
    and what the last did (Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", 2022).
    The mean of networks that were trained apart is worth nothing.

    Parameters
    ----------
    paths : sequence of str or Path
        At least two ``.weights.h5`` files.
    faces : ndarray of float32, shape (n, 48, 48, 1)
        Training faces, pixels from 0 to 255: what batch norm's statistics are taken of anew, for
        those of the networks do not hold for their mean.
    shares : sequence of float, optional
        How much each of `paths` counts, positive, of any sum; all alike where left out.
    rescaled : bool
        Also take networks of fer_utils 0.1, which rescaled pixels instead of standardizing
        each face.

    Returns
    -------
    keras.Model
        As `build_vgg` returns it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are fewer than two paths, two are the same, or one is not the weights file of
        such a network; if `shares` are not one positive number for each.
    """
    different = {find_weights(path).resolve() for path in paths}
    if len(different) < max(2, len(paths)):
        names = ", ".join(map(repr, map(str, paths)))
        raise ValueError(f"paths must name at least two different weights files, got {names}.")
    counts = [1.0] * len(paths) if shares is None else [*shares]
    if len(counts) != len(paths) or not all(0 < share < math.inf for share in counts):
        raise ValueError(
            f"shares must hold a positive number for each of the {len(paths)} weights files, "
            f"got {counts}."
        )
    networks = [load_weights(path, rescaled=rescaled) for path in paths]
    average, *_ = networks
    if len({getattr(network, "emotions", EMOTIONS) for network in networks}) > 1:
        raise ValueError("paths must name networks that tell the same emotions apart.")
    weights = zip(*(network.get_weights() for network in networks), strict=True)
    average.set_weights([np.average(same, axis=0, weights=counts) for same in weights])
    take_statistics(average, faces)
    return average


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.training.averaging",
        description="Average the weights of networks that went on from one another, and compare "
        "the mean with each of them on the data set's validation part.",
        formatter_class=HelpWithDefaults,
    )
    add = parser.add_argument
    add_data_options(parser)
    add("--weights", required=True, nargs="+", metavar="FILE", help="two weights files or more")
    add("--shares", nargs="+", type=float, metavar="X", help="how much each counts (all alike)")
    add("--output", required=True, help="weights file to write, a new one")
    add("--method", choices=METHODS, default="none", help="how their training part was balanced")
    add("--k-neighbors", type=int, default=K_NEIGHBORS, help="what --method smote was given")
    add("--seed", type=int, default=42, help="of balancing, and of the faces batch norm sees")
    add("--rescaled", action="store_true", help="also take --weights of fer_utils 0.1")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Average as the command line says; see ``--help``."""
    parser = _parser()
    args = parsed(parser, arguments)
    with mistakes_as_lines(parser):
        _average_as_told(args)


def _average_as_told(args: argparse.Namespace) -> None:
    target = checked_target("output", args.output, ".weights.h5")
    if target.exists():
        raise ValueError(f"output: {args.output!r} is there already; name a new file.")
    data = drop_duplicates(load_as_told(args))
    train_split = oversample(
        data.train, args.method, k_neighbors=args.k_neighbors, random_state=args.seed
    )
    faces = sample_faces(train_split, IMAGE_SIZE, args.seed)
    average = average_weights(args.weights, faces, shares=args.shares, rescaled=args.rescaled)
    emotions = getattr(average, "emotions", None)
    write_whole(target, lambda path: save_half(average, path, emotions))
    for path in [*args.weights, target]:
        network = load_weights(path, rescaled=args.rescaled)
        print(f"{evaluate(network, data.validation).accuracy:.2%}  {path}")


if __name__ == "__main__":
    main()
