"""Measures a network or a vote; ``python -m fer_utils.evaluation`` makes the model card's table."""

import argparse
import itertools
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..data.dataset import FerDataset, Split
from ..data.duplicates import drop_duplicates, stands_in_training
from ..data.options import add_data_options, load_as_told
from ..emotions import EMOTIONS
from ..extras import training_extra
from ..files import unwritable_as_value_error
from ..graceful_exit import mistakes_as_lines, parsed
from ..network.int8 import Int8File, Int8Network, has_fast_int8, write_int8
from ..network.vote import (
    SHIPPED_VOTE,
    SoftVote,
    add_int8,
    apply_temperature,
    read_vote,
    write_vote,
)
from ..quiet_keras import keras
from .calibration import (
    FOLDS,
    cross_fitted_ece,
    expected_calibration_error,
    fit_temperature,
)
from .parts import PARTS, check_not_split_off, choose_part

with training_extra():
    from scipy.stats import entropy
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

# Which training faces the int8 copy of a vote is fitted to.
INT8_FACES, INT8_SEED = 300, 42
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
    confusion : ndarray of int64, shape (emotions, emotions)
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
            f"{self.balanced_accuracy:.1%},\nexpected calibration error {self.ece:.3f}\n"
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
            f"What people said: {most};\ncross-entropy {self.cross_entropy:.3f} nats on {self.n} "
            f"faces, where opinions differ by {self.entropy:.3f}"
        )


def evaluate(model: keras.Model | SoftVote, split: Split, *, flip: bool = False) -> Report:
    """Measure how well a network, or a vote of networks, recognises the faces of a split.

    Parameters
    ----------
    model : keras.Model or SoftVote
        Returns probabilities (n, emotions) for faces (n, 48, 48).
    split : Split
        At least one face, of emotions that the model tells apart; some may be missing. With
        opinions, the report has them too.
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
        If the split is empty, or holds emotions that the model does not know.

    Examples
    --------
    >>> data = fer.load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False)
    >>> report = fer.evaluate(fer.SoftVote.load(), data.validation)
    >>> report.n, report.confusion.shape
    (76, (7, 7))
    """
    if not isinstance(model, keras.Model | SoftVote):
        raise TypeError(f"model must be a keras.Model or a SoftVote, got {type(model).__name__}.")
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split, such as data.test, got {type(split).__name__}.")
    if len(split) == 0:
        raise ValueError("split must hold at least one face, got none.")
    model = model if isinstance(model, SoftVote) else _vote_of(model, split)
    split = _as_told_by(model, split)
    return report_on_split(model.predict_proba(split.images, flip=flip), split, flip=flip)


def _vote_of(model: keras.Model, split: Split) -> SoftVote:
    """Let a network vote alone; one without names, which cannot mean ours, has the split's."""
    is_nameless = getattr(model, "emotions", None) is None
    is_other = getattr(model, "output_shape", None) == (None, len(split.emotions))
    if is_nameless and is_other and len(split.emotions) != len(EMOTIONS):
        return SoftVote([model], emotions=split.emotions)
    return SoftVote([model])


def _as_told_by(vote: SoftVote, split: Split) -> Split:
    """Return the faces with the labels that the vote would give them."""
    try:
        return split.among(vote.emotions)
    except ValueError as error:
        raise ValueError(
            f"split holds emotions that the networks cannot tell: {error} Measure networks that "
            "were trained on such a data set."
        ) from None


def report_on_split(probabilities: np.ndarray, split: Split, *, flip: bool = False) -> Report:
    """Make the report of probabilities (n, emotions) for a split's faces, opinions included."""
    report = report_on(probabilities, split.labels, flip=flip, emotions=split.emotions)
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


def report_on(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    flip: bool = False,
    emotions: Sequence[str] = EMOTIONS,
) -> Report:
    """Make the report of probabilities (n, emotions) for faces whose labels (n,) are known."""
    predicted = probabilities.argmax(axis=1)
    classes = range(len(emotions))
    precision, recall, f1, n = precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=np.nan
    )
    table = pd.DataFrame(
        {"precision": precision, "recall": recall, "f1": f1, "n": n}, index=list(emotions)
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
    vote: SoftVote,
    split: Split,
    parts: dict[str, np.ndarray],
    others: Mapping[str, SoftVote] | None = None,
) -> dict[str, pd.DataFrame]:
    """Measure a vote and each of its networks, without and with flip averaging.

    Parameters
    ----------
    vote : SoftVote
    split : Split
        n faces.
    parts : dict of str to ndarray of bool, shape (n,)
        Which faces to measure on, by a name for them.
    others : mapping of str to SoftVote, optional
        Other votes to measure beside it, each as a whole, by a name for it.

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
    split = _as_told_by(vote, split)
    rows: dict[str, list[dict[str, object]]] = {"label": [], "majority": []}
    for flip in (False, True):
        probabilities = probabilities_by_name(vote, split.images, flip=flip)
        for name, other in (others or {}).items():
            probabilities[name] = other.predict_proba(split.images, flip=flip)
        for (part, chosen), (name, each) in itertools.product(parts.items(), probabilities.items()):
            names = {"pictures": part, "network": name, "flip averaging": "yes" if flip else "no"}
            said, faces = each[chosen], split.take(chosen)
            rows["label"].append(names | _comparison_row(said, faces.labels, vote.emotions))
            opinions = report_on_split(said, faces).opinions
            if opinions is None or opinions.majority is None:
                continue
            majority = faces.majority()
            decided = majority >= 0
            rows["majority"].append(
                names
                | _comparison_row(said[decided], majority[decided], vote.emotions)
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
    split = _as_told_by(vote, split)
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
    dict of str to ndarray of float32, shape (n, emotions)
        Probabilities by the networks' names, numbered where two share one; "vote" stands last.
    """
    asked = tqdm(vote.apart(), "Asking the networks", unit="network", disable=not progress)
    each = [network.predict_proba(images, flip=flip) for network in asked]
    names = [model.name for model in vote.models]
    if len({*names, "vote"}) <= len(names):
        names = [f"{number}: {name}" for number, name in enumerate(names, start=1)]
    mean = np.mean(each, axis=0)
    return dict(zip(names, each, strict=True)) | {"vote": apply_temperature(mean, vote.temperature)}


def _comparison_row(
    probabilities: np.ndarray, labels: np.ndarray, emotions: Sequence[str]
) -> dict[str, object]:
    report = report_on(probabilities, labels, emotions=emotions)
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
        description="Measure a vote and each of its networks on one part of a data set and print "
        "the table as Markdown.",
    )
    add_data_options(parser)
    parser.add_argument("--opinions", metavar="FILE", help="FER+'s fer2013new.csv, for fer2013.csv")
    parser.add_argument(
        "--part",
        choices=PARTS,
        default="",
        help="what to measure: FER2013's PrivateTest is test, its PublicTest validation; train and "
        "all are for faces that the networks have never seen (default: test where there is one, "
        "else validation)",
    )
    parser.add_argument("--vote", type=Path, default=SHIPPED_VOTE, help="vote file")
    parser.add_argument(
        "--networks",
        nargs="+",
        metavar="FILE",
        help="first write the vote file anew: these weights files in its folder, their checksums, "
        "and the temperature that fits the validation part best, whatever --part is measured",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="first make the int8 copy of the vote's networks anew: files beside the vote file, "
        f"made by NNCF from {INT8_FACES} faces of the training part, with a temperature of their "
        "own, fitted in the same way",
    )
    return parser


def main(arguments: list[str] | None = None, prog: str | None = None) -> None:
    """Measure as the command line says; see ``--help``."""
    parser = _parser()
    parser.prog = prog or parser.prog
    args = parsed(parser, arguments)
    with mistakes_as_lines(parser):
        _measure_as_told(args)


def _measure_as_told(args: argparse.Namespace) -> None:
    if args.int8 and not has_fast_int8():
        raise ValueError(
            "--int8 needs a processor with AVX512-VNNI, AVX-VNNI or AMX: on others sums overflow, "
            "and the temperature would be fitted to those; make the copy on one that has it."
        )
    data = load_as_told(args)
    part, split = choose_part(data, args.part)
    if (args.networks or args.int8) and part != "validation":
        check_not_split_off(data, "--part validation, and the temperature is fitted to it")
    if args.networks:
        _write_fitted_vote(args.vote, args.networks, data.validation)
    if args.int8:
        _add_fitted_int8(args.vote, data)
    vote = SoftVote.load(args.vote, precision="float")
    parts = {"all": np.ones(len(split), dtype=bool)}
    if part != "all":
        parts["no copies"] = ~stands_in_training(data, part)
    # Of fewer faces, their confidence cannot be judged.
    parts = {name: chosen for name, chosen in parts.items() if chosen.sum() >= FOLDS}
    if not parts:
        raise ValueError(f"part: {part} has {len(split)} faces; {FOLDS} are needed at least.")
    print(f"Measured on the part {part}: {len(split)} faces.\n")
    int8 = _int8_of(args.vote)
    tables = comparison_tables(vote, split, parts, {"vote, int8": int8} if int8 else {})
    print("Against the labels:\n")
    print(to_markdown(tables["label"]))
    if "majority" in tables:
        print("\nAgainst what more than half of the people said:\n")
        print(to_markdown(tables["majority"]))
    print("\nThe vote in other light:\n")
    print(to_markdown(light_table(vote, split)))
    print(f"\nTemperature of the vote: {vote.temperature:.4f}")
    if int8:
        print(f"Temperature of its int8 copy: {int8.temperature:.4f}")


def _write_fitted_vote(path: Path, files: list[str], split: Split) -> None:
    weights = [path.parent / file for file in files]
    vote = SoftVote.from_weights(weights)
    split = _as_told_by(vote, split)
    write_vote(path, weights, fit_temperature(vote.predict_proba(split.images), split.labels))


def _add_fitted_int8(path: Path, data: FerDataset) -> None:
    """Make the int8 copy of a vote's networks, and let the vote file name it."""
    vote = SoftVote.load(path, precision="float")
    file = read_vote(path)
    known = drop_duplicates(data).train.images
    chosen = np.random.default_rng(INT8_SEED).permutation(len(known))[:INT8_FACES]
    split = _as_told_by(vote, data.validation)
    folder = file.path.parent
    weights = [path for path, _ in file.networks]
    made_from = [sha256 for _, sha256 in file.networks]
    with (
        unwritable_as_value_error(file.path),
        tempfile.TemporaryDirectory(dir=folder) as scratch,
    ):
        made = write_int8(Path(scratch, f"{file.path.stem}_int8.xml"), weights, known[chosen])
        # Not kept by a name: Windows moves no file that is in use.
        told = SoftVote([Int8Network(made, vote.models[0].emotions)]).predict_proba(split.images)
        temperature = fit_temperature(told, split.labels)
        files = {folder / path.name: sha256 for path, sha256 in made.items()}
        for source, target in zip(made, files, strict=True):
            os.replace(source, target)
        add_int8(file, Int8File(files, made_from, temperature), faces=len(chosen), seed=INT8_SEED)


def _int8_of(path: Path) -> SoftVote | None:
    """Return a vote's int8 copy; None if there is none or, as is said then, of no use here."""
    if read_vote(path).int8 is None:
        return None
    if not has_fast_int8():
        print("int8 is not measured: this processor has no instructions for it.\n")
        return None
    try:
        return SoftVote.load(path, precision="int8")
    except (FileNotFoundError, ImportError, ValueError) as error:
        print(f"int8 is not measured: {error}\n")
        return None
