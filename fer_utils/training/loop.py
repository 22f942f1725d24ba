"""Trains a network, and takes up a run that was cut off; also ``python -m fer_utils.training``."""

import argparse
import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.dataset import Split
from ..data.duplicates import drop_duplicates
from ..data.options import load_as_told
from ..data.oversampling import oversample
from ..graceful_exit import mistakes_as_lines, parsed
from ..network.vgg import build_vgg, load_weights
from ..quiet_keras import keras
from .batch_norm import NormStatistics
from .batches import steps_per_epoch, training_batches
from .callbacks import BeginEpoch, BestWeights, KeepState, StopDiverged, TimeLeft, fit
from .devices import Devices, check_same_epoch, join_hosts, spread_over
from .distillation import Trainee, copy_of
from .optimizer import compile_network
from .run_folder import BEST_FILE, RunFolder
from .settings import (
    Settings,
    check_data,
    check_emotions,
    check_opinions,
    check_teachers,
    checked_class_weights,
    checked_sizes,
    training_parser,
)


def train(
    model: keras.Model,
    train_split: Split,
    validation_split: Split,
    *,
    run_dir: str | Path,
    epochs: int = Settings.epochs,
    batch_size: int = Settings.batch_size,
    learning_rate: float = Settings.learning_rate,
    weight_decay: float = Settings.weight_decay,
    label_smoothing: float = Settings.label_smoothing,
    augmentation: float = Settings.augmentation,
    opinion_share: float = Settings.opinion_share,
    mixup: float = Settings.mixup,
    image_sizes: Mapping[int, int] | None = None,
    class_weights: Mapping[str, float] | None = None,
    teachers: Sequence[keras.Model] = (),
    validation_freq: int = Settings.validation_freq,
    seed: int = Settings.seed,
    devices: Devices = 1,
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
    opinion_share : float
        What is learned of a face: 0 its label, 1 what people said of it, between them a blend of
        both (see `Split.targets`). Validation, too, is against that: its accuracy is the share of
        faces whose most probable emotion is the one that the blend puts first.
    mixup : float
        Above 0, faces are blended in pairs, labels included (Zhang et al., 2018), with shares
        drawn from Beta(mixup, mixup). It keeps long runs from learning faces by heart.
    image_sizes : mapping of int to int, optional
        First epoch to side in px, such as ``{0: 36, 40: 48}``: small pictures train faster.
        Default: the size of `model` throughout. The last size must be that of `model`.
    class_weights : mapping of str to float, optional
        How much a face of each emotion counts in the loss, above 0. Default: all 1.
    teachers : sequence of keras.Model
        Trained networks of the same kind, for the same emotions: what they say about a face, on
        average, counts as much as its label.
    validation_freq : int
        Validate after every so many epochs, and after the last of each picture size. Only then are
        the log, the state to resume from and the best weights written: where an epoch takes a
        second, more often would cost more than the training.
    seed : int
        Seeds order, augmentation and dropout. (The start weights are drawn in `build_vgg`:
        call ``keras.utils.set_random_seed`` before it.)
    devices : int or "all"
        How many devices share each batch, where Keras's backend is JAX; a batch that they do not
        divide is computed by each of them. A run may go on with another number.
    resume : bool
        Go on with the run in `run_dir`, where there is one. With False, `run_dir` must not hold
        a run: nothing is overwritten.
    progress : bool
        Show a bar with the time left, and a line for each validation.

    Returns
    -------
    pandas.DataFrame
        One row a validation: epoch (from 1), image_size, learning_rate, loss, accuracy, val_loss,
        val_accuracy (the latter two of the averaged weights).

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, `run_dir` holds a run with other
        settings or data or a damaged one, the backend cannot share batches, or training
        diverges; what the last validation left is kept.
    KeyboardInterrupt
        If Ctrl-C, or a notebook's Stop, ends it; it says what is kept and how to go on, and a
        notebook shows only that.

    Examples
    --------
    >>> import tempfile
    >>> few = fer.load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False).train.sample(8)
    >>> model = fer.build_vgg((36, 36, 1), width=0.05)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = fer.train(model, few, few, run_dir=folder, epochs=1, progress=False)
    >>> history["epoch"].tolist()
    [1]
    """
    settings = Settings.among(locals())  # the keywords above, by their names
    check_data(model, train_split, validation_split)
    check_teachers(teachers, model, train_split.emotions)
    check_opinions(
        settings.opinion_share, train_split=train_split, validation_split=validation_split
    )
    weights = checked_class_weights(class_weights, train_split.emotions)
    sizes = checked_sizes(image_sizes, settings.epochs, model.input_shape[1])
    described = dataclasses.asdict(settings) | {
        "image_sizes": {str(first): size for first, size in sizes.items()},
        "dropout": [one.rate for one in model.layers if isinstance(one, keras.layers.Dropout)],
        "class_weights": weights,
        "teachers": [_checksum(teacher) for teacher in teachers],
        "parameters": model.count_params(),
        "train": train_split.fingerprint(),
        "validation": validation_split.fingerprint(),
    }
    if not str(run_dir):
        raise ValueError("run_dir must name a folder, got an empty text.")
    model.emotions = train_split.emotions  # a vote of it then knows what it tells apart
    sharing = spread_over(devices)
    steps = steps_per_epoch(train_split, settings.batch_size)
    run = RunFolder(Path(run_dir).expanduser(), described, resume, steps, model.emotions)
    bar = TimeLeft(steps, settings.epochs)
    with sharing, contextlib.closing(bar), run.telling_how_to_go_on():
        # The weights of `model` lie on one device; those that several share are made here.
        learner = copy_of(model) if keras.distribution.distribution() else model
        for first, stop, size in _stages(sizes, settings.epochs):
            trainee = Trainee(learner, size, teachers)
            compile_network(
                trainee,
                steps=steps * settings.epochs,
                warmup_steps=2 * steps,
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
                label_smoothing=settings.label_smoothing,
            )
            # Also between stages of one session: what a stage starts from is always the state on
            # disk, so a resumed run and one that was never cut off are the same run.
            done = run.restore(trainee)
            check_same_epoch(done)
            if not first <= done < stop:
                continue
            validated = range(settings.validation_freq, stop, settings.validation_freq)
            fit(
                trainee,
                training_batches(
                    train_split,
                    batch_size=settings.batch_size,
                    first_step=done * steps,
                    seed=settings.seed,
                    opinion_share=settings.opinion_share,
                    mixup=settings.mixup,
                    class_weights=None if weights is None else np.array(weights),
                ),
                shuffle=False,  # the batches come shuffled
                steps_per_epoch=steps,
                initial_epoch=done,
                epochs=stop,
                validation_data=(
                    validation_split.images[..., None],
                    validation_split.targets(settings.opinion_share),
                ),
                validation_batch_size=settings.batch_size,
                validation_freq=[*validated, stop],
                callbacks=[
                    StopDiverged(run),
                    BeginEpoch(trainee, settings),
                    BestWeights(run, learner, first),
                    keras.callbacks.SwapEMAWeights(),
                    NormStatistics(trainee.student, train_split, settings.seed),
                    KeepState(run, size),
                    *([bar] * progress),
                ],
                verbose=0,
            )
    run.load_best(model)
    return run.history()


def _stages(sizes: dict[int, int], epochs: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first epoch, epoch after the last, picture size) for each size."""
    for first, stop in itertools.pairwise([*sizes, epochs]):
        yield first, stop, sizes[first]


def _checksum(network: keras.Model) -> str:
    digest = hashlib.sha256()
    for weights in network.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()[:16]


def main(arguments: list[str] | None = None, prog: str | None = None) -> None:
    """Train as the command line says; see ``--help``."""
    parser = training_parser()
    parser.prog = prog or parser.prog
    again = "Stopped. Run the same command again to go on from the last validation."
    with mistakes_as_lines(parser, again):  # an @FILE, too, may hold what cannot be read
        _train_as_told(parsed(parser, arguments))


def _train_as_told(args: argparse.Namespace) -> None:
    join_hosts()
    keras.mixed_precision.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(args.seed)
    data = drop_duplicates(load_as_told(args))
    model = build_vgg(num_classes=len(data.emotions), dropout=args.dropout)
    if args.weights:
        start = load_weights(args.weights, rescaled=args.rescaled)
        if start.output_shape != model.output_shape:
            raise ValueError(
                f"weights: the network of {args.weights!r} tells {start.output_shape[-1]} emotions "
                f"apart, the data set has {len(data.emotions)}. Leave --weights out."
            )
        check_emotions("weights", start, data.emotions)
        model.set_weights(start.get_weights())
    teachers = [load_weights(path, rescaled=args.rescaled) for path in args.teachers]
    faces = oversample(
        data.train,
        args.method,
        k_neighbors=args.k_neighbors,
        random_state=args.seed,
        opinion_share=args.opinion_share,
    )
    history = train(
        model,
        faces,
        data.validation,
        run_dir=args.run_dir,
        image_sizes=args.image_sizes,
        teachers=teachers,
        devices=args.devices,
        **dataclasses.asdict(Settings.among(vars(args))),
    )
    # As `train` chooses: among the epochs at the last picture size.
    best = history.loc[history["val_accuracy"][history["epoch"] > max(args.image_sizes)].idxmax()]
    print(f"Best: {best['val_accuracy']:.2%} on validation in epoch {int(best['epoch'])}.")
    print(f"Weights: {Path(args.run_dir) / BEST_FILE}")
