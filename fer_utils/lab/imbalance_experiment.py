"""Which cure for unequal classes helps? Five of them, at equal steps and seeds, on FER2013.

``python -m fer_utils.lab.imbalance_experiment --data fer2013.zip`` runs the experiment;
evaluation.ipynb draws what it wrote.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_class_weight
from tqdm.auto import tqdm

from ..data.dataset import FerDataset, Split, load_dataset, split_off_validation
from ..data.duplicates import drop_duplicates
from ..data.oversampling import oversample
from ..emotions import EMOTIONS
from ..files import checked_target, write_whole
from ..graceful_exit import mistakes_as_lines
from ..network.vgg import build_vgg
from ..training.augmentation import resize
from ..training.batches import steps_per_epoch
from ..training.loop import train
from .comparison import check_resamples, mean_of_known, percentile_interval, share_of

# A network is trained for each but the last, which adjusts what "none" has learned.
METHODS = ("none", "class weights", "random", "smote", "logit adjustment")
_WIDTH, _SIZE = 0.25, 36  # of the small network, and the side of its pictures in px
_CHOOSING = 0.1  # share of the training part that chooses the best epoch
_BATCH = 64


def run_experiment(
    data: FerDataset,
    run_dir: str | Path,
    *,
    steps: int = 7600,
    seeds: tuple[int, ...] = (1, 2, 3),
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
    progress : bool

    Returns
    -------
    pandas.DataFrame
        One row a face of `data.validation`: label, the true one, and a column for each training
        with the label it gave, such as ``"smote 1"`` for the seed 1.

    Raises
    ------
    ValueError
        If `steps` is below 1, or `seeds` is empty or names one twice.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must name at least one seed, and each only once, got {seeds}.")
    columns = {"label": data.validation.labels}
    for seed in seeds:
        parts = split_off_validation(data.train, _CHOOSING, seed)
        for method in METHODS[:-1]:
            model = _trained(method, parts, Path(run_dir), steps, seed, progress)
            pixels = resize(data.validation.images, _SIZE)[..., None]
            probabilities = model.predict(pixels, batch_size=_BATCH, verbose=0)
            columns[f"{method} {seed}"] = probabilities.argmax(axis=1)
            if method == "none":
                frequencies = np.bincount(parts["train"].labels, minlength=len(EMOTIONS))
                adjusted = probabilities / np.maximum(frequencies, 1)
                columns[f"{METHODS[-1]} {seed}"] = adjusted.argmax(axis=1)
    return pd.DataFrame(columns)


def _trained(
    method: str, parts: dict[str, Split], run_dir: Path, steps: int, seed: int, progress: bool
) -> keras.Model:
    sampled = method if method in ("random", "smote") else "none"
    faces = oversample(parts["train"], sampled, random_state=seed)
    if progress:
        tqdm.write(f"Training with {method}, seed {seed}:")
    keras.utils.set_random_seed(seed)
    model = build_vgg((_SIZE, _SIZE, 1), width=_WIDTH, name=method.replace(" ", "_"))
    train(
        model,
        faces,
        parts["validation"],
        run_dir=run_dir / f"{model.name}-{seed}",
        epochs=max(1, round(steps / steps_per_epoch(faces, _BATCH))),
        batch_size=_BATCH,
        class_weights=_balanced(faces) if method == "class weights" else None,
        seed=seed,
        progress=progress,
    )
    return model


def _balanced(split: Split) -> dict[str, float]:
    there = np.unique(split.labels)
    weights = compute_class_weight("balanced", classes=there, y=split.labels)
    return dict.fromkeys(EMOTIONS, 1.0) | {
        EMOTIONS[label]: float(weight) for label, weight in zip(there, weights, strict=True)
    }


def summarize(
    predictions: pd.DataFrame, *, base: str = "none", resamples: int = 2000, seed: int = 42
) -> pd.DataFrame:
    """Measure each method over all seeds, and how much it gains over one of them.

    The 95% intervals come from a percentile bootstrap that draws faces and seeds anew, the same
    ones for all methods. Of few seeds it draws too little spread, so they are a little narrow.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From `run_experiment`, or read from the file that the command wrote.
    base : str
        The method of `METHODS` over which the others gain.
    resamples, seed : int
        How many draws, and the seed of their chance.

    Returns
    -------
    pandas.DataFrame
        Columns network, the method; metric: accuracy, balanced accuracy, the same without disgust,
        or an emotion for its recall; value, low, high; base; gain, gain_low, gain_high over it.
        All numbers 0 to 1; NaN for an emotion that does not occur.

    Raises
    ------
    ValueError
        If there is no such method, a method's answers are missing, or `resamples` is below 1.
    """
    _check_answers(predictions, base)
    check_resamples(resamples)
    labels = predictions["label"].to_numpy()
    rng = np.random.default_rng(seed)
    seeds = _seeds(predictions)
    faces = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=resamples)
    drawn = rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=resamples)
    right = {
        method: np.stack([predictions[f"{method} {s}"].to_numpy() == labels for s in seeds])
        for method in METHODS
    }
    all_once = np.ones((1, len(labels))), np.ones((1, len(seeds)))
    measured = {method: _metrics(each, labels, *all_once) for method, each in right.items()}
    spread = {method: _metrics(each, labels, faces, drawn) for method, each in right.items()}
    rows = []
    for method, metric in itertools.product(METHODS, measured[base]):
        value, values = measured[method][metric][0], spread[method][metric]
        gain = value - measured[base][metric][0]
        gains = percentile_interval(values - spread[base][metric])
        rows.append((method, metric, value, *percentile_interval(values), base, gain, *gains))
    columns = ["network", "metric", "value", "low", "high", "base", "gain", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=columns)


def _check_answers(predictions: pd.DataFrame, base: str) -> None:
    if base not in METHODS:
        raise ValueError(f"base must be one of {', '.join(METHODS)}, got {base!r}.")
    seeds = _seeds(predictions)
    wanted = ["label", *(f"{method} {s}" for method in METHODS for s in seeds)]
    there = predictions.reindex(columns=wanted)
    if not seeds or predictions.empty or not there.isin(range(len(EMOTIONS))).all(axis=None):
        raise ValueError(
            "predictions must have the column label and, for each seed, one of each method such "
            "as 'smote 1', all with labels from 0 to 6. Write the file anew: "
            "python -m fer_utils.lab.imbalance_experiment --help."
        )


def _seeds(predictions: pd.DataFrame) -> list[str]:
    columns = [name for name in predictions.columns if name.startswith("none ")]
    return [name.removeprefix("none ") for name in columns]


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


def verdict(summary: pd.DataFrame) -> str:
    """Say in words what each method does to each metric of the base, as a Markdown list."""
    return "\n".join(_sentences(summary))


def _sentences(summary: pd.DataFrame) -> Iterator[str]:
    for method, rows in summary[summary["network"] != summary["base"]].groupby(
        "network", sort=False
    ):
        raised, lowered = rows[rows["gain_low"] > 0], rows[rows["gain_high"] < 0]
        said = [
            f"{verb} {_listed(some)}"
            for verb, some in (("raises", raised), ("lowers", lowered))
            if len(some)
        ]
        what = " and ".join(said) if said else "changes nothing that these runs can show"
        yield f"- **{method}** {what}."


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{row.metric} by {100 * abs(row.gain):.1f} points "
        f"({100 * min(abs(row.gain_low), abs(row.gain_high)):.1f} to "
        f"{100 * max(abs(row.gain_low), abs(row.gain_high)):.1f})"
        for row in rows.itertuples()
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.lab.imbalance_experiment",
        description="Train a small network with each cure for unequal classes and write down what "
        "it calls the faces of the validation part. Run the same command again to go on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="fer2013.csv, a folder, or a zip of either")
    add("--run-dir", default="runs/imbalance", help="folder of the runs")
    add("--table", default="imbalance.csv", help="CSV file to write")
    add("--steps", type=int, default=7600, help="of each training")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one training each")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the experiment as the command line says; see ``--help``."""
    parser = _parser()
    args = parser.parse_args(arguments)
    with mistakes_as_lines(parser):
        target = checked_target("table", args.table, ".csv")
        data = drop_duplicates(load_dataset(args.data))
        predictions = run_experiment(data, args.run_dir, steps=args.steps, seeds=tuple(args.seeds))
        write_whole(target, lambda path: predictions.to_csv(path, index=False))
        print(verdict(summarize(predictions)))


if __name__ == "__main__":
    main()
