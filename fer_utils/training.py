"""Trains a network, and takes up a run that was cut off; also ``python -m fer_utils.training``."""

import argparse
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from .augmentation import one_hot, resize, steps_per_epoch, training_batches
from .balance import METHODS, oversample
from .data import Split, drop_duplicates, load_dataset
from .models import LARGEST_SIZE, SMALLEST_SIZE, at_size, build_vgg, load_weights

STATE_FILE = "last.weights.h5"  # network, optimizer and averages: what a run resumes from
BEST_FILE = "best.weights.h5"  # the averaged weights of the best epoch: what one keeps
HISTORY_FILE = "history.csv"
SETTINGS_FILE = "run.json"

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


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
    image_sizes: Mapping[int, int] | None = None,
    seed: int = 42,
    resume: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network, leaving a run folder that can be resumed at any moment.

    SGD with Nesterov momentum on augmented faces; the learning rate warms up, then falls to
    zero along a cosine (Loshchilov and Hutter, 2017). Validation and the weights kept are those
    of an exponential moving average of the weights (Polyak and Juditsky, 1992).

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
    image_sizes : mapping of int to int, optional
        First epoch to side in px, such as ``{0: 36, 40: 48}``: small pictures train faster.
        Default: the size of `model` throughout. The last size must be that of `model`.
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
        One row an epoch: epoch, image_size, learning_rate, loss, accuracy, val_loss,
        val_accuracy (the latter two of the averaged weights).

    Raises
    ------
    ValueError
        If an argument is out of range, or `run_dir` holds a run with other settings or data.
    """
    sizes = dict(sorted((image_sizes or {0: model.input_shape[1]}).items()))
    _check_arguments(model, train_split, validation_split, epochs, batch_size, sizes)
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "image_sizes": {str(first): size for first, size in sizes.items()},
        "seed": seed,
        "parameters": model.count_params(),
        "train": _fingerprint(train_split),
        "validation": _fingerprint(validation_split),
    }
    run = _Run(Path(run_dir), settings, resume, steps_per_epoch(train_split, batch_size))
    optimizer = _optimizer(run.steps, epochs, learning_rate, weight_decay)
    for first, stop, size in _stages(sizes, epochs):
        trainee = at_size(model, size)
        _compile(trainee, optimizer, label_smoothing)
        # Also between stages of one session: what a stage starts from is always the state on
        # disk, so a resumed run and one that was never cut off are the same run.
        done = run.restore(trainee)
        if not first <= done < stop:
            continue
        trainee.fit(
            training_batches(
                train_split,
                batch_size=batch_size,
                image_size=size,
                epochs=epochs,
                first_step=done * run.steps,
                seed=seed,
            ),
            shuffle=False,  # the batches come shuffled
            steps_per_epoch=run.steps,
            initial_epoch=done,
            epochs=stop,
            validation_data=_validation_arrays(validation_split, size),
            validation_batch_size=batch_size,
            callbacks=_callbacks(run, model, size, epochs, seed, progress),
            verbose=0,
        )
    model.load_weights(run.best)
    return run.history()


class _Run:
    """The files of a run: each is written whole, and together they never disagree."""

    def __init__(self, folder: Path, settings: dict, resume: bool, steps: int) -> None:
        self.folder = folder
        self.steps = steps
        self.state = folder / STATE_FILE
        self.best = folder / BEST_FILE
        self._history = folder / HISTORY_FILE
        self._open(folder / SETTINGS_FILE, settings, resume)

    def _open(self, path: Path, settings: dict, resume: bool) -> None:
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(path, lambda p: p.write_text(json.dumps(settings, indent=1) + "\n"))
            return
        if not resume:
            raise ValueError(
                f"run_dir {str(self.folder)!r} already holds a run. Choose another folder, or "
                "pass resume=True to go on with it."
            )
        found = json.loads(path.read_text())
        differing = [key for key in settings if found.get(key) != settings[key]]
        if differing:
            key = differing[0]
            raise ValueError(
                f"run_dir {str(self.folder)!r} holds a run with {key}={found.get(key)!r}, this "
                f"one has {key}={settings[key]!r}. Choose another folder, or the same settings."
            )

    def restore(self, trainee: keras.Model) -> int:
        """Load the state on disk into a compiled network; return the number of epochs done."""
        if self.state.exists():
            trainee.load_weights(self.state)
        return int(trainee.optimizer.iterations) // self.steps

    def history(self) -> pd.DataFrame:
        return pd.read_csv(self._history) if self._history.exists() else pd.DataFrame()

    def rows_before(self, epoch: int) -> list[dict]:
        """Return the log of the epochs before `epoch`.

        A run that was killed between writing the log and writing the state repeats its last
        epoch: that epoch's first row goes.
        """
        history = self.history()
        return history[history["epoch"] < epoch].to_dict("records") if len(history) else []

    def write_epoch(self, trainee: keras.Model, row: dict) -> None:
        history = pd.DataFrame([*self.rows_before(row["epoch"]), row])
        _write_whole(self._history, lambda path: history.to_csv(path, index=False))
        _write_whole(self.state, trainee.save_weights)


class _BestWeights(keras.callbacks.Callback):
    """Keeps the averaged weights of the best epoch at the present picture size.

    Stands before SwapEMAWeights, which undoes its swap in its own on_test_end.
    """

    def __init__(self, run: _Run, model: keras.Model, size: int) -> None:
        super().__init__()
        self._run, self._network, self._size = run, model, size

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        rows = [r for r in self._run.rows_before(epoch) if r["image_size"] == self._size]
        self._highest = max((row["val_accuracy"] for row in rows), default=-1)

    def on_test_end(self, logs: dict | None = None) -> None:
        if logs["accuracy"] > self._highest:
            # The network that was passed to train() shares the weights, but has no optimizer
            # that would be saved along.
            _write_whole(self._run.best, self._network.save_weights)


class _State(keras.callbacks.Callback):
    """Writes the log and the state after every epoch."""

    def __init__(self, run: _Run, size: int) -> None:
        super().__init__()
        self._run, self._size = run, size

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        row = {"epoch": epoch, "image_size": self._size, "learning_rate": rate, **logs}
        self._run.write_epoch(self.model, row)


class _DropoutSeeds(keras.callbacks.Callback):
    """Starts every epoch's dropout from a seed of its own.

    Weights files do not hold the state of dropout's random generators: without this, a resumed
    run would drop other activations than the run it continues.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for index, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout):
                state = layer.seed_generator.state
                sequence = np.random.SeedSequence([self._seed, epoch, index])
                state.assign(sequence.generate_state(2).astype(state.dtype))


class _TimeLeft(keras.callbacks.Callback):
    """One bar for the whole run, with the time left, and a line for each epoch."""

    def __init__(self, steps: int, epochs: int) -> None:
        super().__init__()
        self._steps, self._epochs = steps, epochs

    def on_train_begin(self, logs: dict | None = None) -> None:
        done = int(self.model.optimizer.iterations)
        total = self._steps * self._epochs
        self._bar = tqdm(total=total, initial=done, unit="step", desc="Training", mininterval=1)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._bar.update()
        if batch % 10 == 0:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.1%}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._bar.write(
            f"epoch {epoch + 1:3}/{self._epochs}: loss {logs['loss']:.3f}, accuracy "
            f"{logs['accuracy']:.1%}; validation {logs['val_loss']:.3f}, {logs['val_accuracy']:.1%}"
        )

    def on_train_end(self, logs: dict | None = None) -> None:
        self._bar.close()


def _callbacks(
    run: _Run, model: keras.Model, size: int, epochs: int, seed: int, progress: bool
) -> list[keras.callbacks.Callback]:
    bar = [_TimeLeft(run.steps, epochs)] if progress else []
    return [
        _DropoutSeeds(seed),
        _BestWeights(run, model, size),
        keras.callbacks.SwapEMAWeights(),
        _State(run, size),
        keras.callbacks.TerminateOnNaN(),
        *bar,
    ]


def _optimizer(
    steps: int, epochs: int, learning_rate: float, weight_decay: float
) -> keras.optimizers.Optimizer:
    total = steps * epochs
    warmup = min(2 * steps, total // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 25,
        decay_steps=total - warmup,
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.SGD(
        schedule,
        momentum=0.9,
        nesterov=True,
        weight_decay=weight_decay,
        use_ema=True,
        # About the last 1000 steps, or a tenth of a run that is shorter than 10,000.
        ema_momentum=1 - 1 / min(1000, max(2, total / 10)),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _compile(
    trainee: keras.Model, optimizer: keras.optimizers.Optimizer, label_smoothing: float
) -> None:
    trainee.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
        metrics=["accuracy"],
        # XLA takes longer to compile this network on a CPU than to train it; jax has no other way.
        jit_compile=keras.backend.backend() == "jax",
    )
    optimizer.build(trainee.trainable_variables)


def _stages(sizes: dict[int, int], epochs: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first epoch, epoch after the last, picture size) for each size."""
    for first, stop in itertools.pairwise([*sizes, epochs]):
        yield first, stop, sizes[first]


def _validation_arrays(split: Split, size: int) -> tuple[np.ndarray, np.ndarray]:
    return resize(split.images, size)[..., None], one_hot(split.labels)


def _fingerprint(split: Split) -> str:
    digest = hashlib.sha256(split.images.tobytes())
    digest.update(split.labels.tobytes())
    return f"{len(split)} faces, sha256 {digest.hexdigest()[:16]}"


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name, then give it its own: it is never half there."""
    temporary = path.with_name(f"tmp.{path.name}")
    write(temporary)
    os.replace(temporary, path)


def _check_arguments(
    model: keras.Model,
    train_split: Split,
    validation_split: Split,
    epochs: int,
    batch_size: int,
    sizes: dict[int, int],
) -> None:
    for name, split in (("train_split", train_split), ("validation_split", validation_split)):
        if len(split) == 0:
            raise ValueError(f"{name} must hold at least one face, got none.")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs!r}.")
    if batch_size < 2:
        raise ValueError(f"batch_size must be at least 2 for batch norm, got {batch_size!r}.")
    starts, sides = list(sizes), list(sizes.values())
    if starts[0] != 0 or starts[-1] >= epochs:
        raise ValueError(
            f"image_sizes must start at epoch 0 and change before epoch {epochs}, got {sizes!r}."
        )
    if not all(SMALLEST_SIZE <= side <= LARGEST_SIZE for side in sides):
        raise ValueError(
            f"image_sizes must lie between {SMALLEST_SIZE} and {LARGEST_SIZE} px, got {sizes!r}."
        )
    if sides[-1] != model.input_shape[1]:
        raise ValueError(
            f"image_sizes must end with the size of the model, {model.input_shape[1]} px, got "
            f"{sizes!r}: the best weights are chosen at the size they are used at."
        )


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.training",
        description="Train the network on a FER2013-like data set. Run the same command again "
        "to go on with a run that was cut off.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="fer2013.csv, a folder, or a zip of either")
    add("--run-dir", required=True, help="folder of the run")
    add("--method", choices=METHODS, default="none", help="how to balance the training part")
    add("--epochs", type=int, default=60)
    add("--batch-size", type=int, default=64)
    add("--learning-rate", type=float, default=0.05, help="peak of the schedule")
    add("--weight-decay", type=float, default=5e-3)
    add("--label-smoothing", type=float, default=0.1)
    add("--dropout", type=float, default=0.1)
    add("--image-sizes", type=_image_sizes, default={0: 48}, help="EPOCH:SIZE,... or one size")
    add("--seed", type=int, default=42)
    add("--weights", help="start from these weights instead of from chance")
    add(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="mixed_bfloat16 is faster on CPUs with AVX512-BF16 and on new GPUs, mixed_float16 "
        "on older GPUs",
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train as the command line says; see ``--help``."""
    args = _parser().parse_args(arguments)
    data = drop_duplicates(load_dataset(args.data))
    train_split = oversample(data.train, args.method, random_state=args.seed)
    keras.utils.set_random_seed(args.seed)
    keras.mixed_precision.set_dtype_policy(args.precision)
    model = build_vgg(dropout=args.dropout)
    if args.weights:
        model.set_weights(load_weights(args.weights).get_weights())
    history = train(
        model,
        train_split,
        data.validation,
        run_dir=args.run_dir,
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        weight_decay=args.weight_decay,
        label_smoothing=args.label_smoothing,
        image_sizes=args.image_sizes,
        seed=args.seed,
    )
    best = history.loc[history["val_accuracy"].idxmax()]
    print(f"Best: {best['val_accuracy']:.2%} on validation in epoch {int(best['epoch']) + 1}.")
    print(f"Weights: {Path(args.run_dir) / BEST_FILE}")


if __name__ == "__main__":
    main()
