"""Which cure for unequal classes helps? Five of them, at equal steps and seeds, on FER2013.

``python -m fer_utils.lab.imbalance_experiment --data fer2013.zip`` runs the experiment;
evaluation.ipynb draws what it wrote.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.dataset import FerDataset, Split, split_off_validation
from ..data.duplicates import drop_duplicates
from ..data.options import add_data_options, load_as_told
from ..data.oversampling import oversample
from ..emotions import EMOTIONS
from ..extras import training_extra
from ..files import checked_target, write_whole
from ..graceful_exit import HelpWithDefaults, mistakes_as_lines, parsed
from .experiment import (
    CHOOSING,
    add_run_options,
    answers_of_all,
    check_runs,
    probabilities_of_small_network,
    summarize,
    verdict,
)

with training_extra():
    from sklearn.utils.class_weight import compute_class_weight

# A network is trained for each but the last, which adjusts what "none" has learned.
METHODS = ("none", "class weights", "random", "smote", "logit adjustment")
STEPS = 7600


def run_experiment(
    data: FerDataset,
    run_dir: str | Path,
    *,
    steps: int = STEPS,
    seeds: tuple[int, ...] = (1, 2, 3),
    ray: str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train the small network with every method and seed; name the emotions of new faces.

    - none: the training part as it is;
    - class weights: each emotion weighs the same in the loss (scikit-learn's "balanced");
    - random, smote: `oversample` makes all emotions equally frequent;
    - logit adjustment: the network of "none", whose probabilities are divided by the emotions'
      frequencies in training (Menon et al., "Long-tail learning via logit adjustment", 2021).

    A tenth of the training part chooses the best epoch, so the faces that are measured,
    `data.validation`, have no say in anything.

    Parameters
    ----------
    data : FerDataset
        Without copies: see `drop_duplicates`.
    run_dir : str or Path
        A folder for the runs, which go on where they were cut off.
    steps : int
        Of each training; the nearest whole number of epochs is taken.
    seeds : tuple of int
        Of start weights, order, augmentation and oversampling.
    ray : str, optional
        As `answers_of_all` takes it.
    progress : bool

    Returns
    -------
    pandas.DataFrame
        One row a face of `data.validation`: label, the true one, and a column for each training
        with the label it gave, such as ``"smote 1"`` for the seed 1.

    Raises
    ------
    TypeError, ValueError
        If `steps` is no whole number of at least 1, or `seeds` is empty or names one twice; or as
        `answers_of_all` raises it.
    """
    check_runs(steps, seeds)
    run_dir = Path(run_dir).absolute()
    train_one = partial(_answers, run_dir=run_dir, steps=steps, progress=progress)
    return answers_of_all(train_one, data, METHODS[:-1], seeds, ray, progress=progress)


def _answers(
    data: FerDataset, method: str, seed: int, *, run_dir: Path, steps: int, progress: bool
) -> dict[str, np.ndarray]:
    parts = split_off_validation(data.train, CHOOSING, seed)
    sampled = method if method in ("random", "smote") else "none"
    faces = oversample(parts["train"], sampled, random_state=seed)
    probabilities = probabilities_of_small_network(
        method,
        faces,
        parts["validation"],
        data.validation,
        run_dir=run_dir,
        steps=steps,
        seed=seed,
        progress=progress,
        class_weights=_balanced(faces) if method == "class weights" else None,
    )
    columns = {f"{method} {seed}": probabilities.argmax(axis=1)}
    if method == "none":
        frequencies = np.bincount(parts["train"].labels, minlength=len(EMOTIONS))
        adjusted = probabilities / np.maximum(frequencies, 1)
        columns[f"{METHODS[-1]} {seed}"] = adjusted.argmax(axis=1)
    return columns


def _balanced(split: Split) -> dict[str, float]:
    there = np.unique(split.labels)
    weights = compute_class_weight("balanced", classes=there, y=split.labels)
    return dict.fromkeys(EMOTIONS, 1.0) | {
        EMOTIONS[label]: float(weight) for label, weight in zip(there, weights, strict=True)
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.lab.imbalance_experiment",
        description="Train a small network with each cure for unequal classes and write down what "
        "it calls the faces of the validation part. Run the same command again to go on.",
        formatter_class=HelpWithDefaults,
    )
    add_data_options(parser)
    add_run_options(parser, "imbalance", STEPS)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the experiment as the command line says; see ``--help``."""
    parser = _parser()
    args = parsed(parser, arguments)
    with mistakes_as_lines(parser):
        target = checked_target("table", args.table, ".csv")
        data = drop_duplicates(load_as_told(args))
        predictions = run_experiment(
            data, args.run_dir, steps=args.steps, seeds=tuple(args.seeds), ray=args.ray
        )
        write_whole(target, lambda path: predictions.to_csv(path, index=False))
        print(verdict(summarize(predictions, base=METHODS[0])))


if __name__ == "__main__":
    main()
