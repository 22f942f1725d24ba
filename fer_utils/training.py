"""Trains a network, and takes up a run that was cut off; also ``python -m fer_utils.training``."""

import argparse
import contextlib
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from .augmentation import one_hot, resize, steps_per_epoch, training_batches
from .balance import oversample
from .commands import mistakes_as_lines
from .data import Split, drop_duplicates, load_dataset
from .distillation import blend_labels
from .models import at_size, build_vgg, load_weights
from .norm_statistics import NormStatistics
from .optimization import compile_network
from .runs import (
    BEST_FILE,
    BestWeights,
    DropoutSeeds,
    KeepState,
    RunFolder,
    StopDiverged,
    TimeLeft,
    fit,
)
from .training_checks import (
    check_data,
    checked_class_weights,
    checked_settings,
    checked_sizes,
    checked_soft_labels,
)
from .training_parser import training_parser
from .vote import SoftVote


def train(
    model: keras.Model,
    train_split: Split,
    validation_split: Split,
    *,
    run_dir: str | Path,
    epochs: int = 60,
    batch_size: int = 64,
    learning_rate: float = 0.05,
    weight_decay: float = 5e-3,
    label_smoothing: float = 0.1,
    augmentation: float = 1.0,
    image_sizes: Mapping[int, int] | None = None,
    class_weights: Mapping[str, float] | None = None,
    soft_labels: np.ndarray | None = None,
    seed: int = 42,
    resume: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network, leaving a run folder that can be resumed at any moment.

    SGD with Nesterov momentum on augmented faces; the learning rate warms up, then falls to
    zero along a cosine (Loshchilov and Hutter, 2017). Validation and the weights kept are those
    of an exponential moving average of the weights (Polyak and Juditsky, 1992), with batch norm's
    statistics taken anew for them.

    Parameters
    ----------
    model : keras.Model
        From `build_vgg`, not compiled. It ends with the weights of the best epoch.
    train_split, validation_split : Split
        Faces to learn from, and faces that choose the best epoch.
    run_dir : str or Path
        Folder for ``history.csv``, ``best.weights.h5``, ``last.weights.h5`` and ``run.json``.
    epochs : int
        Passes over `train_split`.
    batch_size : int
        Faces a step.
    learning_rate : float
        Peak of the schedule.
    weight_decay : float
        Share of the weights taken off per unit of learning rate (decoupled, so ten times the
        value customary for an L2 penalty with momentum 0.9); biases and batch norm are spared.
    label_smoothing : float
        From 0 to below 1.
    augmentation : float
        How strongly the faces are changed, from 0 (only mirrored) to 1; it grows over the first
        fifth of the epochs. Few epochs learn more with less.
    image_sizes : mapping of int to int, optional
        First epoch to side in px, such as ``{0: 36, 40: 48}``: small pictures train faster.
        Default: the size of `model` throughout. The last size must be that of `model`.
    class_weights : mapping of str to float, optional
        How much a face of each emotion counts in the loss, above 0. Default: all 1.
    soft_labels : ndarray of float, shape (n, 7), optional
        Probabilities that the faces of `train_split` are to be given, such as
        `fer_utils.distillation.blend_labels` makes of what trained networks say. Default: the
        labels, each with probability 1.
    seed : int
        Seeds order, augmentation and dropout. (The start weights are drawn in `build_vgg`:
        call ``keras.utils.set_random_seed`` before it.)
    resume : bool
        Go on with the run in `run_dir`, where there is one. With False, `run_dir` must not hold
        a run: nothing is overwritten.
    progress : bool
        Show a bar with the time left, and a line for each epoch.

    Returns
    -------
    pandas.DataFrame
        One row an epoch: epoch (from 1), image_size, learning_rate, loss, accuracy, val_loss,
        val_accuracy (the latter two of the averaged weights).

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, `run_dir` holds a run with other
        settings or data or a damaged one, or training diverges; what the last full epoch left
        is kept.
    """
    check_data(model, train_split, validation_split)
    settings = checked_settings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        augmentation=augmentation,
        seed=seed,
    )
    weights = checked_class_weights(class_weights)
    targets = checked_soft_labels(soft_labels, train_split)
    sizes = checked_sizes(image_sizes, settings["epochs"], model.input_shape[1])
    settings |= {
        "image_sizes": {str(first): size for first, size in sizes.items()},
        "dropout": [one.rate for one in model.layers if isinstance(one, keras.layers.Dropout)],
        "class_weights": weights,
        "soft_labels": None if targets is None else _checksum(targets),
        "parameters": model.count_params(),
        "train": train_split.fingerprint(),
        "validation": validation_split.fingerprint(),
    }
    if not str(run_dir):
        raise ValueError("run_dir must name a folder, got an empty text.")
    run = RunFolder(
        Path(run_dir).expanduser(), settings, resume, steps_per_epoch(train_split, batch_size)
    )
    with contextlib.closing(TimeLeft(run.steps, epochs)) as bar:
        for first, stop, size in _stages(sizes, epochs):
            trainee = at_size(model, size)
            compile_network(
                trainee,
                steps=run.steps * epochs,
                warmup_steps=2 * run.steps,
                learning_rate=learning_rate,
                weight_decay=weight_decay,
                label_smoothing=label_smoothing,
            )
            # Also between stages of one session: what a stage starts from is always the state on
            # disk, so a resumed run and one that was never cut off are the same run.
            done = run.restore(trainee)
            if not first <= done < stop:
                continue
            fit(
                trainee,
                training_batches(
                    train_split,
                    batch_size=batch_size,
                    image_size=size,
                    epochs=epochs,
                    first_step=done * run.steps,
                    seed=seed,
                    strength=augmentation,
                    class_weights=None if weights is None else np.array(weights),
                    soft_labels=targets,
                ),
                shuffle=False,  # the batches come shuffled
                steps_per_epoch=run.steps,
                initial_epoch=done,
                epochs=stop,
                validation_data=_validation_arrays(validation_split, size),
                validation_batch_size=batch_size,
                callbacks=[
                    *_callbacks(run, model, train_split, first, size, seed),
                    *([bar] * progress),
                ],
                verbose=0,
            )
    run.load_best(model)
    return run.history()


def _callbacks(
    run: RunFolder,
    model: keras.Model,
    train_split: Split,
    first_epoch: int,
    size: int,
    seed: int,
) -> list[keras.callbacks.Callback]:
    return [
        StopDiverged(run),
        DropoutSeeds(seed),
        BestWeights(run, model, first_epoch),
        keras.callbacks.SwapEMAWeights(),
        NormStatistics(train_split, size, seed),
        KeepState(run, size),
    ]


def _stages(sizes: dict[int, int], epochs: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first epoch, epoch after the last, picture size) for each size."""
    for first, stop in itertools.pairwise([*sizes, epochs]):
        yield first, stop, sizes[first]


def _validation_arrays(split: Split, size: int) -> tuple[np.ndarray, np.ndarray]:
    return resize(split.images, size)[..., None], one_hot(split.labels)


def _checksum(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def main(arguments: list[str] | None = None) -> None:
    """Train as the command line says; see ``--help``."""
    parser = training_parser()
    args = parser.parse_args(arguments)
    with mistakes_as_lines(parser):
        _train_as_told(args)


def _train_as_told(args: argparse.Namespace) -> None:
    keras.mixed_precision.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(args.seed)
    model = build_vgg(dropout=args.dropout)
    if args.weights:
        model.set_weights(load_weights(args.weights).get_weights())
    data = drop_duplicates(load_dataset(args.data, on_error=args.on_error))
    faces = oversample(data.train, args.method, random_state=args.seed)
    teachers = SoftVote.from_weights(args.teachers) if args.teachers else None
    history = train(
        model,
        faces,
        data.validation,
        run_dir=args.run_dir,
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        weight_decay=args.weight_decay,
        label_smoothing=args.label_smoothing,
        augmentation=args.augmentation,
        image_sizes=args.image_sizes,
        soft_labels=blend_labels(faces, teachers) if teachers else None,
        seed=args.seed,
    )
    # As `train` chooses: among the epochs at the last picture size.
    best = history.loc[history["val_accuracy"][history["epoch"] > max(args.image_sizes)].idxmax()]
    print(f"Best: {best['val_accuracy']:.2%} on validation in epoch {int(best['epoch'])}.")
    print(f"Weights: {Path(args.run_dir) / BEST_FILE}")


if __name__ == "__main__":
    main()
