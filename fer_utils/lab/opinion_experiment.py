"""What should a network learn, the labels or the opinions? Five shares at equal steps and seeds.

``python -m fer_utils.lab.opinion_experiment --data fer2013.zip --opinions fer2013new.csv`` runs the
experiment; `plot_trade` draws what it wrote.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..data.dataset import FerDataset, split_off_validation
from ..data.duplicates import drop_duplicates
from ..data.options import add_data_options, load_as_told
from ..files import checked_target, write_whole
from ..graceful_exit import HelpWithDefaults, mistakes_as_lines, parsed
from ..plots.axes import panels, round_ticks
from .experiment import (
    CHOOSING,
    add_run_options,
    answers_of_all,
    check_runs,
    probabilities_of_small_network,
    summarize,
    verdict,
)

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
STEPS = 3800
BASE = "share 0"
_NO_MAJORITY = -1


def run_experiment(
    data: FerDataset,
    run_dir: str | Path,
    *,
    steps: int = STEPS,
    seeds: tuple[int, ...] = (1, 2, 3),
    ray: str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train the small network with every share of the opinions; name the emotions of new faces.

    Share 0 learns the labels, share 1 what people said, those between a blend of both
    (`Split.targets`). A tenth of the training part chooses the best epoch, by what is learned, so
    the faces that are measured, `data.validation`, have no say in anything.

    Parameters
    ----------
    data : FerDataset
        With opinions, without copies: see `drop_duplicates`.
    run_dir : str or Path
        A folder for the runs, which go on where they were cut off.
    steps : int
        Of each training; the nearest whole number of epochs is taken.
    seeds : tuple of int
        Of start weights, order and augmentation.
    ray : str, optional
        As `answers_of_all` takes it.
    progress : bool

    Returns
    -------
    pandas.DataFrame
        One row a face of `data.validation`: label, the true one; majority, what more than half of
        the people named, else -1; and a column for each training with the label it gave, such as
        ``"share 0.25 1"`` for the seed 1.

    Raises
    ------
    TypeError, ValueError
        If there are no opinions, `steps` is no whole number of at least 1, or `seeds` is empty or
        names one twice; or as `answers_of_all` raises it.
    """
    check_runs(steps, seeds)
    majority = data.validation.majority()  # refuses data without opinions before any training
    run_dir = Path(run_dir).absolute()
    train_one = partial(_answers, run_dir=run_dir, steps=steps, progress=progress)
    answers = answers_of_all(train_one, data, SHARES, seeds, ray, progress=progress)
    answers.insert(1, "majority", majority)
    return answers


def _answers(
    data: FerDataset, share: float, seed: int, *, run_dir: Path, steps: int, progress: bool
) -> dict[str, np.ndarray]:
    parts = split_off_validation(data.train, CHOOSING, seed)
    way = f"share {share:g}"
    probabilities = probabilities_of_small_network(
        way,
        parts["train"],
        parts["validation"],
        data.validation,
        run_dir=run_dir,
        steps=steps,
        seed=seed,
        progress=progress,
        opinion_share=share,
    )
    return {f"{way} {seed}": probabilities.argmax(axis=1)}


def against_labels(answers: pd.DataFrame) -> pd.DataFrame:
    """Return what `run_experiment` wrote, to be summarized against FER2013's labels."""
    return answers.drop(columns="majority")


def against_majority(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the same for the faces on which most people agree, against what those said."""
    decided = answers[answers["majority"] != _NO_MAJORITY]
    return decided.drop(columns="label").rename(columns={"majority": "label"})


def plot_trade(answers: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each share wins by what people said, and what it loses by the labels.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `run_experiment`, or read from the file that the command wrote.
    ax : Axes, optional

    Returns
    -------
    Axes
        Lines of both accuracies over the shares, with 95% intervals over faces and seeds.
    """
    ax = panels(ax, 1, size=(7, 4))[0]
    measured = {
        "what most people see": against_majority(answers),
        "FER2013's label": against_labels(answers),
    }
    for name, each in measured.items():
        rows = summarize(each, base=BASE).query("metric == 'accuracy'")
        ways = rows["network"].str.removeprefix("share ").astype(float)
        lengths = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        ax.errorbar(ways, rows["value"], yerr=lengths, fmt="o-", capsize=3, label=name)
    ax.set_xticks(SHARES)
    ax.set(xlabel="Share of the opinions in what is learned", ylabel="Accuracy")
    round_ticks(ax.yaxis, percent=True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, title="Measured against")
    return ax


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.lab.opinion_experiment",
        description="Train a small network with five shares of the opinions and write down what "
        "it calls the faces of the validation part. Run the same command again to go on.",
        formatter_class=HelpWithDefaults,
    )
    add_data_options(parser)
    parser.add_argument("--opinions", required=True, metavar="FILE", help="FER+'s fer2013new.csv")
    add_run_options(parser, "opinions", STEPS)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the experiment as the command line says; see ``--help``."""
    parser = _parser()
    args = parsed(parser, arguments)
    with mistakes_as_lines(parser):
        target = checked_target("table", args.table, ".csv")
        data = drop_duplicates(load_as_told(args))
        answers = run_experiment(
            data, args.run_dir, steps=args.steps, seeds=tuple(args.seeds), ray=args.ray
        )
        write_whole(target, lambda path: answers.to_csv(path, index=False))
        for name, each in (
            ("FER2013's label", against_labels(answers)),
            ("what most people see", against_majority(answers)),
        ):
            print(f"Against {name}:\n{verdict(summarize(each, base=BASE))}")


if __name__ == "__main__":
    main()
