"""Keras callbacks of a training, and `fit`, which lets go when it is cut off."""

import gc
from collections.abc import Iterator

import numpy as np
from tqdm.auto import tqdm

from ..quiet_keras import keras
from .augmentation import strength_at
from .distillation import Trainee
from .run_folder import RunFolder
from .settings import Settings

# Without the steps a second, which would leave a narrow notebook no room for the bar itself.
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


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
            self._run.write_best(self._network)


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
            options = {"desc": "Training", "mininterval": 1, "bar_format": _BAR}
            self._bar = tqdm(total=total, initial=done, **options)

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
