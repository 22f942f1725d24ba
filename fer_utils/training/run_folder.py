"""The folder of a training run, and the callbacks that fill it: a run can be cut off anywhere."""

import gc
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..files import write_whole
from .augmentation import strength_at
from .distillation import Trainee
from .settings import Settings

STATE_FILE = "last.weights.h5"  # network, optimizer and averages: what a run resumes from
BEST_FILE = "best.weights.h5"  # the averaged weights of the best epoch: what one keeps
HISTORY_FILE = "history.csv"
SETTINGS_FILE = "run.json"


class RunFolder:
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
            self._start(path, settings)
            return
        found = _read_settings(path)
        differing = [key for key in settings if found.get(key) != settings[key]]
        if not self._history.exists():
            # Not one validation is done: nothing would be lost by starting anew.
            if differing or not resume:
                self.state.unlink(missing_ok=True)
                self._write_settings(path, settings)
            return
        if not resume:
            raise ValueError(
                f"run_dir {str(self.folder)!r} already holds a run. Choose another folder, or "
                "pass resume=True to go on with it."
            )
        if differing:
            key = differing[0]
            raise ValueError(
                f"run_dir {str(self.folder)!r} holds a run with {key}={found.get(key)!r}, this "
                f"one has {key}={settings[key]!r}. Choose another folder, or the same settings."
            )

    def _start(self, path: Path, settings: dict) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"run_dir must be a folder, {str(self.folder)!r} is a file.")
        if any(file.exists() for file in (self.state, self.best, self._history)):
            raise ValueError(
                f"run_dir {str(self.folder)!r} holds a run without its {SETTINGS_FILE}: nothing "
                "tells whether it is the same run. Restore that file, or choose another folder."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_settings(path, settings)

    def _write_settings(self, path: Path, settings: dict) -> None:
        write_whole(path, lambda part: part.write_text(json.dumps(settings, indent=1) + "\n"))

    def restore(self, trainee: keras.Model) -> int:
        """Load the state on disk into a compiled network; return the number of epochs done.

        A run that begins writes its start weights first: when it is cut off within its first
        epoch, it begins again from those and not from half-trained ones.
        """
        if not self.state.exists():
            write_whole(self.state, trainee.save_weights)
        _load(
            trainee,
            self.state,
            f"Delete it to start over, or set the precision the run was started with "
            f"({keras.config.dtype_policy().name} is set now).",
        )
        # Rounded up: in mixed_float16, a step whose gradients overflow is not counted.
        return -(-int(trainee.optimizer.iterations) // self.steps)

    def load_best(self, model: keras.Model) -> None:
        _load(model, self.best, "Train again in another run_dir.")

    def history(self) -> pd.DataFrame:
        if not self._history.exists():
            return pd.DataFrame()
        # Not read_csv, which may miss a number's last digit: each epoch reads and writes the log.
        try:
            table = np.genfromtxt(self._history, delimiter=",", names=True, dtype=None)
            history = pd.DataFrame(np.atleast_1d(table))
            return history.astype({"epoch": int, "val_accuracy": float})
        except (IndexError, KeyError, ValueError) as error:
            raise ValueError(
                f"{str(self._history)!r} is damaged ({error!r}). Restore it, or train again in "
                "another run_dir."
            ) from error

    def rows_before(self, epoch: int) -> list[dict]:
        """Return the log of the epochs before `epoch`, counted from 1.

        A run that was killed between writing the log and writing the state repeats its last
        epoch: that epoch's first row goes.
        """
        history = self.history()
        return history[history["epoch"] < epoch].to_dict("records") if len(history) else []

    def write_epoch(self, trainee: keras.Model, row: dict) -> None:
        history = pd.DataFrame([*self.rows_before(row["epoch"]), row])
        write_whole(self._history, lambda path: history.to_csv(path, index=False))
        write_whole(self.state, trainee.save_weights)


class StopDiverged(keras.callbacks.Callback):
    """Ends a run whose loss is no longer a number, before anything of it is written.

    Stands before the callbacks that write.
    """

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self._run = run

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._check(logs["loss"])

    def on_test_end(self, logs: dict | None = None) -> None:
        self._check(logs["loss"])

    def _check(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise ValueError(
                f"The loss became {float(loss)} in epoch {self._epoch + 1}: training diverged. "
                "Start again in another run_dir, with a newly built model and a lower "
                "learning_rate or another precision; "
                f"{str(self._run.folder)!r} stays as the last validation left it."
            )


class BestWeights(keras.callbacks.Callback):
    """Keeps the averaged weights of the best epoch since the picture size last changed.

    Stands before SwapEMAWeights, which undoes its swap in its own on_test_end.
    """

    def __init__(self, run: RunFolder, model: keras.Model, first_epoch: int) -> None:
        super().__init__()
        self._run, self._network, self._first = run, model, first_epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        # Who moves the file away wants the next one, even if it is not better.
        rows = self._run.rows_before(epoch + 1) if self._run.best.exists() else []
        self._highest = max(
            (row["val_accuracy"] for row in rows if row["epoch"] > self._first), default=-1
        )

    def on_test_end(self, logs: dict | None = None) -> None:
        if logs["accuracy"] > self._highest:
            # The network that was passed to train() shares the weights, but has no optimizer
            # that would be saved along.
            write_whole(self._run.best, self._network.save_weights)


class KeepState(keras.callbacks.Callback):
    """Writes the log and the state after every validation."""

    def __init__(self, run: RunFolder, size: int) -> None:
        super().__init__()
        self._run, self._size = run, size

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if "val_loss" not in logs:
            return
        rate = float(self.model.optimizer.learning_rate)
        row = {"epoch": epoch + 1, "image_size": self._size, "learning_rate": rate, **logs}
        self._run.write_epoch(self.model, row)


class BeginEpoch(keras.callbacks.Callback):
    """Starts every epoch with its strength of augmentation, and chance from seeds of its own.

    Weights files do not hold the state of random generators: without this, a resumed run would
    drop other activations and change faces in other ways than the run it continues.
    """

    def __init__(self, trainee: Trainee, settings: Settings) -> None:
        super().__init__()
        self._trainee, self._settings = trainee, settings

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        augmentation = self._trainee.augmentation
        share = strength_at(epoch, self._settings.epochs)
        augmentation.strength.assign(self._settings.augmentation * share)
        for index, layer in enumerate([augmentation, *self._trainee.student.layers]):
            if hasattr(layer, "seed_generator"):
                state = layer.seed_generator.state
                sequence = np.random.SeedSequence([self._settings.seed, epoch, index])
                state.assign(sequence.generate_state(2).astype(state.dtype))


class TimeLeft(keras.callbacks.Callback):
    """One bar for the whole run, with the time left, and a line for each validation."""

    def __init__(self, steps: int, epochs: int) -> None:
        super().__init__()
        self._steps, self._epochs = steps, epochs
        self._bar: tqdm | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._bar is None:
            total, done = self._steps * self._epochs, self._steps * epoch
            self._bar = tqdm(total=total, initial=done, unit="step", desc="Training", mininterval=1)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._bar.update()
        if batch % 10 == 0:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.1%}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if "val_loss" not in logs:
            return
        self._bar.write(
            f"epoch {epoch + 1:3}/{self._epochs}: loss {logs['loss']:.3f}, accuracy "
            f"{logs['accuracy']:.1%}; validation {logs['val_loss']:.3f}, {logs['val_accuracy']:.1%}"
        )

    def close(self) -> None:
        """Close the bar; Keras calls no callback when training is interrupted."""
        if self._bar is not None:
            self._bar.close()


def fit(network: keras.Model, batches: Iterator, **options: object) -> None:
    """Fit a network, and when that is cut off, let go of TensorFlow's iterator over `batches`.

    An exception's traceback would hold the iterator until Python shuts down, and there it waits
    forever for a Python that no longer runs: after Ctrl-C, the process would never end.
    """
    error = None
    try:
        network.fit(batches, **options)
    except BaseException as raised:  # Ctrl-C is no Exception
        error = raised.with_traceback(None)
    if error is not None:
        gc.collect()
        raise error


def _read_settings(path: Path) -> dict:
    try:
        settings = json.loads(path.read_text())
        if not isinstance(settings, dict):
            raise ValueError(f"it holds {type(settings).__name__}, not names and values")
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} is damaged: {error}. Restore it, or choose another run_dir."
        ) from error
    return settings


def _load(network: keras.Model, path: Path, remedy: str) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns where it leaves an optimizer as it is; the run would start over.
            warnings.filterwarnings("error", message="Skipping variable loading")
            network.load_weights(path)
    except Exception as error:  # h5py and Keras raise anything from KeyError to OSError here
        raise ValueError(
            f"{str(path)!r} is missing, damaged, or of another network "
            f"({type(error).__name__}: {error}). {remedy}"
        ) from error
