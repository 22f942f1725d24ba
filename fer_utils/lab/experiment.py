"""Experiments: small networks trained in several ways, at equal steps and seeds, and compared."""

import argparse
import importlib.util
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from tqdm.auto import tqdm

from ..argument_checks import checked_whole_number
from ..data.dataset import FerDataset, Split
from ..emotions import EMOTIONS
from ..network.vgg import build_vgg
from ..plots.axes import panels, write_in_cells
from ..quiet_keras import keras
from ..training.augmentation import resize
from ..training.batches import steps_per_epoch
from ..training.loop import train
from .comparison import check_resamples, mean_of_known, percentile_interval, share_of

# Share of the training part that chooses the best epoch: what is measured has no say in that.
CHOOSING = 0.1
_WIDTH, _SIZE = 0.25, 36  # of the small network, and the side of its pictures in px
_BATCH = 64
_MOST_COLORED = 10  # points: more are coloured alike, or disgust alone would have any colour
_HERE = "here"
# Set aside for a training: libraries, FER2013 and its oversampled copy, with room to spare.
_TRAINING_BYTES = 2 * 2**30
# Read by TensorFlow and by JAX; Ray itself limits those of OpenMP, which PyTorch uses.
_ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"), "1")

# From the data, a way to train and a seed to columns of the table.
Training: TypeAlias = Callable[[FerDataset, Any, int], dict[str, np.ndarray]]


def check_runs(steps: int, seeds: tuple[int, ...]) -> None:
    """Raise TypeError or ValueError unless there is a step and a seed, and no seed comes twice."""
    checked_whole_number("steps", steps, least=1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must name at least one seed, and each only once, got {seeds}.")


def add_run_options(parser: argparse.ArgumentParser, name: str, steps: int) -> None:
    """Let a command line say where an experiment writes, how much it trains, and whether on Ray."""
    add = parser.add_argument
    add("--run-dir", default=f"runs/{name}", help="folder of the runs")
    add("--table", default=f"{name}.csv", help="CSV file to write")
    add("--steps", type=int, default=steps, help="of each training")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one training each")
    add(
        "--ray",
        nargs="?",
        const=_HERE,
        metavar="ADDRESS",
        help="run the trainings side by side as tasks of Ray: on this machine, or on the cluster "
        "at that address, such as auto. Answers come back to here; runs that were cut off go on "
        "only if all machines share the run folder",
    )


def answers_of_all(
    train_one: Training,
    data: FerDataset,
    ways: Iterable,
    seeds: Iterable[int],
    ray: str | None,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Train every way with every seed.

    Parameters
    ----------
    train_one : callable
        Takes the data, a way and a seed; returns columns for the table, which Ray brings back, so
        that no folder need be shared.
    data : FerDataset
    ways, seeds : iterable
    ray : str or None
        None: one after the other, in this process. "here": each is a task of a Ray started on
        this machine; an address: of the cluster there. Each takes a core and 2 GiB of memory, and
        a GPU where there are some.
    progress : bool
        Whether to show how many of Ray's tasks are done; here, trainings tell of themselves.

    Returns
    -------
    pandas.DataFrame
        One row a face of `data.validation`: label, the true one, and the trainings' columns, in
        the same order whoever did them.

    Raises
    ------
    ValueError
        If Ray is wanted and not installed, has no room for a training or cannot do one, or as
        `running_ray` raises it.
    """
    trainings = [(way, seed) for seed in seeds for way in ways]
    if ray is None:
        answers = [train_one(data, *each) for each in trainings]
    else:
        answers = _on_ray(train_one, data, trainings, None if ray == _HERE else ray, progress)
    columns = {"label": data.validation.labels}
    for some in answers:
        columns |= some
    return pd.DataFrame(columns)


def _on_ray(
    train_one: Training,
    data: FerDataset,
    trainings: list[tuple],
    address: str | None,
    progress: bool,
) -> list[dict[str, np.ndarray]]:
    from ..bulk.many import GET_RAY

    if importlib.util.find_spec("ray") is None:
        raise ValueError(f"ray: Ray is not installed; {GET_RAY}.")
    from ..bulk.ray_engine import checked_room, one_line, running_ray

    def train_on_one_core(*given: Any) -> dict[str, np.ndarray]:
        os.environ.update(_ONE_THREAD)
        return train_one(*given)

    with running_ray(address) as ray:
        there = ray.cluster_resources()
        checked_room(there, _TRAINING_BYTES)
        needs = {"num_cpus": 1, "num_gpus": min(1, there.get("GPU", 0)), "memory": _TRAINING_BYTES}
        task = ray.remote(**needs)(train_on_one_core)
        try:
            shared = ray.put(data)
            tasks = waiting = [task.remote(shared, *each) for each in trainings]
            with tqdm(total=len(tasks), desc="Trainings", disable=not progress) as bar:
                while waiting:
                    done, waiting = ray.wait(waiting)
                    ray.get(done)  # raises what went wrong in it, whatever the others still do
                    bar.update()
            return ray.get(tasks)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ValueError | TypeError | OSError):  # told to users as it is
                raise cause from error
            raise ValueError(
                f"ray: a training ended before it was done ({one_line(cause or error)}); look at "
                "the machine's memory and at its copy of this package, and run the same again."
            ) from error


def probabilities_of_small_network(
    way: str,
    faces: Split,
    choosing: Split,
    measured: Split,
    *,
    run_dir: Path,
    steps: int,
    seed: int,
    progress: bool,
    **settings: Any,
) -> np.ndarray:
    """Train the small network one way; return what it says of the measured faces, (n, 7).

    `settings` go to `train`. The run goes on where it was cut off.
    """
    if progress:
        tqdm.write(f"Training with {way}, seed {seed}:")
    keras.utils.set_random_seed(seed)
    model = build_vgg((_SIZE, _SIZE, 1), width=_WIDTH, name=way.replace(" ", "_"))
    train(
        model,
        faces,
        choosing,
        run_dir=run_dir / f"{model.name}-{seed}",
        epochs=max(1, round(steps / steps_per_epoch(faces, _BATCH))),
        batch_size=_BATCH,
        seed=seed,
        progress=progress,
        **settings,
    )
    pixels = resize(measured.images, _SIZE)[..., None]
    return model.predict(pixels, batch_size=_BATCH, verbose=0)


def summarize(
    predictions: pd.DataFrame, *, base: str, resamples: int = 2000, seed: int = 42
) -> pd.DataFrame:
    """Measure each way to train over all seeds, and how much it gains over one of them.

    The 95% intervals come from a percentile bootstrap that draws faces and seeds anew, the same
    ones for all methods. Of few seeds it draws too little spread, so they are a little narrow.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row a face: label, what is right; and a column for each training with the label that
        its network gave, named after the way and the seed, such as ``"smote 1"``.
    base : str
        The way over which the others gain.
    resamples, seed : int
        How many draws, and the seed of their chance.

    Returns
    -------
    pandas.DataFrame
        Columns network, the way; metric: accuracy, balanced accuracy, the same without disgust,
        or an emotion for its recall; value, low, high; base; gain, gain_low, gain_high over it.
        All numbers 0 to 1; NaN for an emotion that does not occur.

    Raises
    ------
    ValueError
        If there is no such way, one lacks the answers of a seed, or `resamples` is below 1.

    Examples
    --------
    >>> answers = pd.DataFrame({"label": [0, 3], "none 1": [0, 0], "smote 1": [0, 3]})
    >>> gains = summarize(answers, base="none", resamples=100).set_index(["network", "metric"])
    >>> gains.loc[("smote", "accuracy"), ["value", "gain"]].tolist()
    [1.0, 0.5]
    """
    ways, seeds = _ways_and_seeds(predictions)
    _check_answers(predictions, ways, seeds, base)
    check_resamples(resamples)
    labels = predictions["label"].to_numpy()
    rng = np.random.default_rng(seed)
    faces = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=resamples)
    drawn = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=resamples)
    right = {
        way: np.stack([predictions[f"{way} {s}"].to_numpy() == labels for s in seeds])
        for way in ways
    }
    all_once = np.ones((1, len(labels))), np.ones((1, len(seeds)))
    measured = {way: _metrics(each, labels, *all_once) for way, each in right.items()}
    spread = {way: _metrics(each, labels, faces, drawn) for way, each in right.items()}
    rows = []
    for way, metric in itertools.product(ways, measured[base]):
        value, values = measured[way][metric][0], spread[way][metric]
        gain = value - measured[base][metric][0]
        gains = percentile_interval(values - spread[base][metric])
        rows.append((way, metric, value, *percentile_interval(values), base, gain, *gains))
    columns = ["network", "metric", "value", "low", "high", "base", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=columns)


def _ways_and_seeds(predictions: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the ways to train and the seeds that the columns name, each once, in their order."""
    columns = [name.rpartition(" ") for name in predictions.columns if " " in name]
    ways, seeds = (dict.fromkeys(column[part] for column in columns) for part in (0, 2))
    return list(ways), list(seeds)


def _check_answers(predictions: pd.DataFrame, ways: list[str], seeds: list[str], base: str) -> None:
    wanted = ["label", *(f"{way} {seed}" for way in ways for seed in seeds)]
    there = predictions.reindex(columns=wanted)
    if not ways or predictions.empty or not there.isin(range(len(EMOTIONS))).all(axis=None):
        raise ValueError(
            "predictions must have the column label and, for each way to train and each seed, one "
            "such as 'smote 1', all with labels from 0 to 6. Write the file anew with the command "
            "that wrote it."
        )
    if base not in ways:
        raise ValueError(f"base must be one of {', '.join(ways)}, got {base!r}.")


def _metrics(
    right: np.ndarray, labels: np.ndarray, faces: np.ndarray, seeds: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each metric of each draw: `right` is (seeds, n), the draws count faces and seeds."""
    share = seeds / seeds.sum(axis=1, keepdims=True)
    hits = share @ right  # (draws, n): how often each face was named right
    recalls = {}
    for label, emotion in enumerate(EMOTIONS):
        there = faces[:, labels == label]
        total = there.sum(axis=1)
        found = (there * hits[:, labels == label]).sum(axis=1)
        recalls[emotion] = share_of(found, total)
    accuracy = (faces * hits).sum(axis=1) / faces.sum(axis=1)
    balanced = mean_of_known(np.stack(list(recalls.values()), axis=-1))
    others = [recall for emotion, recall in recalls.items() if emotion != "disgust"]
    summaries = {
        "accuracy": accuracy,
        "balanced accuracy": balanced,
        "balanced accuracy without disgust": mean_of_known(np.stack(others, axis=-1)),
    }
    return summaries | recalls


def plot_gains(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each way to train wins and loses against the base, in points.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarize`, with one way beside the base at least.
    ax : Axes, optional

    Returns
    -------
    Axes
        A row a way, a column a metric. A number in brackets may be chance: its 95% interval holds
        0. An emotion that does not occur has none. The colours end at 10 points.

    Raises
    ------
    ValueError
        If there is no way beside the base.

    Examples
    --------
    >>> answers = pd.DataFrame({"label": [0, 3], "none 1": [0, 0], "smote 1": [0, 3]})
    >>> plot_gains(summarize(answers, base="none", resamples=100)).texts[0].get_text()
    '(+50.0)'
    """
    compared = summary[summary["network"] != summary["base"]]
    if compared.empty:
        raise ValueError("summary must hold a way to train beside the base, got none.")
    ways, metrics = compared["network"].unique(), compared["metric"].unique()
    points = 100 * compared.pivot(index="network", columns="metric", values="gain")
    ax = panels(ax, 1, size=(10.5, 1.5 + 0.45 * len(ways)))[0]
    shades = {"cmap": "PuOr_r", "vmin": -_MOST_COLORED, "vmax": _MOST_COLORED}
    image = ax.imshow(points.loc[ways, metrics], aspect="auto", **shades)
    compared = compared.assign(text=[_gain_text(row) for row in compared.itertuples()])
    texts = compared.pivot(index="network", columns="metric", values="text")
    write_in_cells(image, texts.loc[ways, metrics])
    ax.set_xticks(range(len(metrics)), [metric.replace(" ", "\n") for metric in metrics])
    ax.set_yticks(range(len(ways)), ways)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    base = compared["base"].iloc[0]
    ax.set_title(f"Points won and lost against {base} (in brackets: may be chance)")
    return ax


def _gain_text(row: Any) -> str:
    if np.isnan(row.gain):
        return ""
    text = f"{100 * row.gain:+.1f}"
    return text if row.gain_low > 0 or row.gain_high < 0 else f"({text})"


def verdict(summary: pd.DataFrame) -> str:
    """Say in words what each way does to each metric of the base, as a Markdown list."""
    return "\n".join(_sentences(summary))


def _sentences(summary: pd.DataFrame) -> Iterator[str]:
    for way, rows in summary[summary["network"] != summary["base"]].groupby("network", sort=False):
        raised, lowered = rows[rows["gain_low"] > 0], rows[rows["gain_high"] < 0]
        said = [
            f"{verb} {_listed(some)}"
            for verb, some in (("raises", raised), ("lowers", lowered))
            if len(some)
        ]
        what = " and ".join(said) if said else "changes nothing that these runs can show"
        yield f"- **{way}** {what}."


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{row.metric} by {100 * abs(row.gain):.1f} points "
        f"({100 * min(abs(row.gain_low), abs(row.gain_high)):.1f} to "
        f"{100 * max(abs(row.gain_low), abs(row.gain_high)):.1f})"
        for row in rows.itertuples()
    )
