"""The folder of a training run: its files, and how a run that was cut off anywhere goes on."""

import contextlib
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..files import write_whole
from ..graceful_exit import Stopped
from ..network.weights_file import save_half
from ..quiet_keras import keras

STATE_FILE = "last.weights.h5"  # network, optimizer and averages: what a run resumes from
BEST_FILE = "best.weights.h5"  # the averaged weights of the best epoch: what one keeps
HISTORY_FILE = "history.csv"
SETTINGS_FILE = "run.json"


class RunFolder:
    """The files of a run: each is written whole, and together they never disagree."""

    def __init__(
        self, folder: Path, settings: dict, resume: bool, steps: int, emotions: Sequence[str]
    ) -> None:
        self.folder = folder
        self.steps = steps
        self._emotions = emotions
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

    @contextlib.contextmanager
    def telling_how_to_go_on(self) -> Iterator[None]:
        """Let Ctrl-C, and a notebook's Stop, say what is kept and how to go on."""
        try:
            yield
        except KeyboardInterrupt:
            done = self.history()
            raise Stopped(
                f"what was learned up to epoch {done['epoch'].iloc[-1]} is kept in "
                f"{str(self.folder)!r}; the same call again goes on from there."
                if len(done)
                else "no epoch was validated yet; the same call again begins anew."
            ) from None

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

    def write_best(self, network: keras.Model) -> None:
        write_whole(self.best, lambda path: save_half(network, path, self._emotions))


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
