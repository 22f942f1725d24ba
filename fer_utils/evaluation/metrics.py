"""Measures a network or a vote; ``python -m fer_utils.evaluation`` makes the model card's table."""

import argparse
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from scipy.stats import entropy
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from tqdm.auto import tqdm

from ..data.dataset import Split, load_dataset
from ..data.duplicates import stands_in_training
from ..emotions import EMOTIONS
from ..graceful_exit import mistakes_as_lines
from ..network.vote import SHIPPED_VOTE, SoftVote, apply_temperature, write_vote
from .calibration import cross_fitted_ece, expected_calibration_error, fit_temperature

# Pixels times the first number plus the second, all of which stay within 0 to 255.
LIGHTS = {
    "as they are": (1, 0),
    "brightness x 0.3": (0.3, 0),
    "contrast x 0.15, + 90": (0.15, 90),
    "brightness x 0.5, + 127": (0.5, 127),
}


@dataclass(frozen=True, eq=False)
class Report:
    """What `evaluate` measured.

    Attributes
    ----------
    n : int
        Number of faces.
    accuracy : float
        Share of the faces whose most probable emotion is the true one, 0 to 1.
    per_emotion : pandas.DataFrame
        Rows are the emotions; columns precision (NaN where the emotion is never predicted),
        recall (NaN where it does not occur) and f1 (NaN where neither is), 0 to 1, and n.
    confusion : ndarray of int64, shape (7, 7)
        Number of faces by true (rows) and predicted emotion (columns).
    ece : float
        Expected calibration error, 0 to 1; see `expected_calibration_error`.
    flip_averaging : bool
        Whether each face was averaged with its mirror image.
    opinions : OpinionReport, optional
        The same beside what people said of the faces, where the data set tells.
    """

    n: int
    accuracy: float
    per_emotion: pd.DataFrame
    confusion: np.ndarray
    ece: float
    flip_averaging: bool
    opinions: "OpinionReport | None" = None

    @property
    def recall(self) -> dict[str, float]:
        """Recall of each emotion, 0 to 1; NaN where it does not occur."""
        return self.per_emotion["recall"].to_dict()

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the emotions that occur, 0 to 1."""
        return float(self.per_emotion["recall"].mean())

    def __str__(self) -> str:
        how = "with flip averaging" if self.flip_averaging else "without flip averaging"
        told = "" if self.opinions is None else f"\n{self.opinions}"
        return (
            f"{self.n} faces, {how}: accuracy {self.accuracy:.1%}, balanced accuracy "
            f"{self.balanced_accuracy:.1%}, expected calibration error {self.ece:.3f}\n"
            f"{self.per_emotion.round(3)}{told}"
        )


@dataclass(frozen=True, eq=False)
class OpinionReport:
    """How near a network comes to what several people said of each face.

    Attributes
    ----------
    majority : Report or None
        Against the emotion that more than half of the people named, on the faces where there is
        one (`Split.majority`); None where there is no such face.
    n : int
        Number of faces with opinions of their own (`Split.heard`).
    cross_entropy : float
        Mean cross-entropy of the probabilities and the opinions of those faces, in nats; NaN
        where there are none.
    entropy : float
        Mean entropy of those opinions, in nats: no network can come below it.
    """

    majority: Report | None
    n: int
    cross_entropy: float
    entropy: float

    def __str__(self) -> str:
        most = "no face has a strict majority"
        if self.majority is not None:
            most = (
                f"strict majority, {self.majority.n} faces: accuracy {self.majority.accuracy:.1%}, "
                f"balanced accuracy {self.majority.balanced_accuracy:.1%}"
            )
        return (
            f"What people said: {most}; cross-entropy {self.cross_entropy:.3f} nats on {self.n} "
            f"faces, where opinions differ by {self.entropy:.3f}"
        )


def evaluate(model: keras.Model | SoftVote, split: Split, *, flip: bool = False) -> Report:
    """Measure how well a network, or a vote of networks, recognises the faces of a split.

    Parameters
    ----------
    model : keras.Model or SoftVote
        Returns probabilities (n, 7) for faces (n, 48, 48).
    split : Split
        At least one face. Emotions may be missing. With opinions, the report has them too.
    flip : bool
        Average each face with its mirror image; the report says so.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        If `model` is neither.
    ValueError
        If the split is empty.
    """
    if isinstance(model, keras.Model):
        model = SoftVote([model])
    if not isinstance(model, SoftVote):
        raise TypeError(f"model must be a keras.Model or a SoftVote, got {type(model).__name__}.")
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split, such as data.test, got {type(split).__name__}.")
    if len(split) == 0:
        raise ValueError("split must hold at least one face, got none.")
    return report_on_split(model.predict_proba(split.images, flip=flip), split, flip=flip)


def report_on_split(probabilities: np.ndarray, split: Split, *, flip: bool = False) -> Report:
    """Make the report of probabilities (n, 7) for the faces of a split, opinions included."""
    report = report_on(probabilities, split.labels, flip=flip)
    if split.opinions is None:
        return report
    return replace(report, opinions=_opinion_report(probabilities, split, flip))


def _opinion_report(probabilities: np.ndarray, split: Split, flip: bool) -> OpinionReport:
    majority, heard = split.majority(), split.heard()
    decided = majority >= 0
    opinions = split.opinions[heard].astype(np.float64)
    surprise = -np.log(np.maximum(probabilities[heard], np.finfo(np.float32).tiny))
    return OpinionReport(
        majority=report_on(probabilities[decided], majority[decided], flip=flip)
        if decided.any()
        else None,
        n=int(heard.sum()),
        cross_entropy=float((opinions * surprise).sum(axis=1).mean()) if heard.any() else np.nan,
        entropy=float(entropy(opinions, axis=1).mean()) if heard.any() else np.nan,
    )


def report_on(probabilities: np.ndarray, labels: np.ndarray, *, flip: bool = False) -> Report:
    """Make the report of probabilities (n, 7) for faces whose labels (n,) are known."""
    predicted = probabilities.argmax(axis=1)
    classes = range(len(EMOTIONS))
    precision, recall, f1, n = precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=np.nan
    )
    table = pd.DataFrame(
        {"precision": precision, "recall": recall, "f1": f1, "n": n}, index=list(EMOTIONS)
    )
    return Report(
        n=len(labels),
        accuracy=float((predicted == labels).mean()),
        per_emotion=table.rename_axis("emotion"),
        confusion=confusion_matrix(labels, predicted, labels=classes),
        ece=expected_calibration_error(probabilities, labels),
        flip_averaging=flip,
    )


def comparison_tables(
    vote: SoftVote, split: Split, parts: dict[str, np.ndarray]
) -> dict[str, pd.DataFrame]:
    """Measure a vote and each of its networks, without and with flip averaging.

    Parameters
    ----------
    vote : SoftVote
    split : Split
        n faces.
    parts : dict of str to ndarray of bool, shape (n,)
        Which faces to measure on, by a name for them.

    Returns
    -------
    dict of str to pandas.DataFrame
        "label", and where the split has opinions "majority": against FER2013's label, and against
        what more than half of the people said (`Split.majority`). Columns: pictures (the name of
        the part), network, flip averaging, n, accuracy, balanced accuracy, the recall of each
        emotion, ECE and cross-fitted ECE, all from 0 to 1. Of the majority also opinions (the
        number of faces with opinions of their own), cross-entropy and entropy; see
        `OpinionReport`.
    """
    rows: dict[str, list[dict[str, object]]] = {"label": [], "majority": []}
    for flip in (False, True):
        probabilities = probabilities_by_name(vote, split.images, flip=flip)
        for (part, chosen), (name, each) in itertools.product(parts.items(), probabilities.items()):
            names = {"pictures": part, "network": name, "flip averaging": "yes" if flip else "no"}
            said, faces = each[chosen], split.take(chosen)
            rows["label"].append(names | _comparison_row(said, faces.labels))
            opinions = report_on_split(said, faces).opinions
            if opinions is None or opinions.majority is None:
                continue
            majority = faces.majority()
            decided = majority >= 0
            rows["majority"].append(
                names
                | _comparison_row(said[decided], majority[decided])
                | {
                    "opinions": opinions.n,
                    "cross-entropy": opinions.cross_entropy,
                    "entropy": opinions.entropy,
                }
            )
    return {
        against: pd.DataFrame(of_one).sort_values("pictures", kind="stable", ignore_index=True)
        for against, of_one in rows.items()
        if of_one
    }


def light_table(vote: SoftVote, split: Split) -> pd.DataFrame:
    """Measure a vote on the same faces in other light.

    Parameters
    ----------
    vote : SoftVote
    split : Split

    Returns
    -------
    pandas.DataFrame
        One row a light (see `LIGHTS`). Columns: light; n and accuracy against the labels and,
        where the split has opinions, majority n and majority accuracy, both accuracies 0 to 1.
    """
    rows = []
    for light, (factor, offset) in LIGHTS.items():
        relit = np.rint(split.images * np.float32(factor) + np.float32(offset)).astype(np.uint8)
        report = report_on_split(vote.predict_proba(relit), split)
        row = {"light": light, "n": report.n, "accuracy": report.accuracy}
        if report.opinions is not None and report.opinions.majority is not None:
            majority = report.opinions.majority
            row |= {"majority n": majority.n, "majority accuracy": majority.accuracy}
        rows.append(row)
    return pd.DataFrame(rows)


def probabilities_by_name(
    vote: SoftVote, images: np.ndarray, *, flip: bool = False, progress: bool = True
) -> dict[str, np.ndarray]:
    """Return what each network and what their vote says, having asked each network only once.

    Parameters
    ----------
    vote : SoftVote
    images : ndarray of uint8, shape (n, 48, 48)
    flip : bool
        Average each face with its mirror image.
    progress : bool
        Whether to show how many networks have been asked.

    Returns
    -------
    dict of str to ndarray of float32, shape (n, 7)
        Probabilities by the networks' names, numbered where two share one; "vote" stands last.
    """
    asked = tqdm(vote.models, "Asking the networks", unit="network", disable=not progress)
    each = [SoftVote([model]).predict_proba(images, flip=flip) for model in asked]
    names = [model.name for model in vote.models]
    if len({*names, "vote"}) <= len(names):
        names = [f"{number}: {name}" for number, name in enumerate(names, start=1)]
    mean = np.mean(each, axis=0)
    return dict(zip(names, each, strict=True)) | {"vote": apply_temperature(mean, vote.temperature)}


def _comparison_row(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    report = report_on(probabilities, labels)
    return {
        "n": report.n,
        "accuracy": report.accuracy,
        "balanced accuracy": report.balanced_accuracy,
        **report.recall,
        "ECE": report.ece,
        "cross-fitted ECE": cross_fitted_ece(probabilities, labels),
    }


def to_markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown: errors and entropies with 3 decimals, shares in percent."""

    def cell(column: str, value: object) -> str:
        if not isinstance(value, float):
            return str(value)
        return f"{value:.3f}" if column.endswith(("ECE", "entropy")) else f"{value:.1%}"

    lines = [list(table.columns), ["---"] * len(table.columns)]
    lines += [
        [cell(c, v) for c, v in zip(table.columns, row, strict=True)]
        for row in table.itertuples(index=False)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.evaluation",
        description="Measure a vote and each of its networks on a data set's validation part "
        "(FER2013: PublicTest) and print the table as Markdown.",
    )
    parser.add_argument("--data", required=True, help="fer2013.csv, a folder, or a zip of either")
    parser.add_argument("--opinions", metavar="FILE", help="FER+'s fer2013new.csv, for fer2013.csv")
    parser.add_argument("--vote", type=Path, default=SHIPPED_VOTE, help="vote file")
    parser.add_argument(
        "--networks",
        nargs="+",
        metavar="FILE",
        help="first write the vote file anew: these weights files in its folder, their checksums, "
        "and the temperature that fits the validation part best",
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Measure as the command line says; see ``--help``."""
    parser = _parser()
    args = parser.parse_args(arguments)
    with mistakes_as_lines(parser):
        _measure_as_told(args)


def _measure_as_told(args: argparse.Namespace) -> None:
    data = load_dataset(args.data, opinions=args.opinions)
    if args.networks:
        _write_fitted_vote(args.vote, args.networks, data.validation)
    vote = SoftVote.load(args.vote)
    parts = {
        "all": np.ones(len(data.validation), dtype=bool),
        "no copies": ~stands_in_training(data),
    }
    tables = comparison_tables(vote, data.validation, parts)
    print("Against the labels:\n")
    print(to_markdown(tables["label"]))
    if "majority" in tables:
        print("\nAgainst what more than half of the people said:\n")
        print(to_markdown(tables["majority"]))
    print("\nThe vote in other light:\n")
    print(to_markdown(light_table(vote, data.validation)))
    print(f"\nTemperature of the vote: {vote.temperature:.4f}")


def _write_fitted_vote(path: Path, files: list[str], split: Split) -> None:
    weights = [path.parent / file for file in files]
    probabilities = SoftVote.from_weights(weights).predict_proba(split.images)
    write_vote(path, weights, fit_temperature(probabilities, split.labels))
