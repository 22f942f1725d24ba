from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils import EMOTIONS, load_dataset
from fer_utils.lab import experiment, imbalance_experiment
from tests.helpers.networks import narrow

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_fer2013.zip"
HAPPY = 3


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> tuple[pd.DataFrame, Path]:
    """What the command writes for a run of one epoch, and the folder it worked in."""
    folder = tmp_path_factory.mktemp("imbalance")
    run_command(folder)
    return pd.read_csv(folder / "answers.csv"), folder


def run_command(folder: Path) -> None:
    files = ["--run-dir", str(folder / "runs"), "--table", str(folder / "answers.csv")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "build_vgg", lambda shape, *, width, name: narrow(shape, name))
        imbalance_experiment.main(["--data", str(TINY), *files, "--steps", "4", "--seeds", "7"])


def test_each_method_answers_for_each_face(answers):
    table, folder = answers
    data = load_dataset(TINY, cache=False, progress=False)
    assert table.columns.tolist()[0] == "label"
    assert set(table.columns[1:]) == {f"{method} 7" for method in imbalance_experiment.METHODS}
    assert table["label"].tolist() == data.validation.labels.tolist()
    assert table.drop(columns="label").isin(range(7)).all(axis=None)
    runs = {path.name for path in (folder / "runs").iterdir()}
    assert runs == {"none-7", "class_weights-7", "random-7", "smote-7"}


def test_adjusted_answers_are_never_more_frequent_emotions(answers):
    table, _ = answers
    frequency = np.array([*load_dataset(TINY, progress=False).train.counts().values()])
    plain, adjusted = frequency[table["none 7"]], frequency[table["logit adjustment 7"]]
    assert (adjusted <= plain).all()


@pytest.mark.slow
def test_the_command_goes_on_with_what_is_there(answers, capsys):
    table, folder = answers
    written = {p: p.stat().st_mtime_ns for p in (folder / "runs").rglob("last.weights.h5")}
    run_command(folder)
    assert {p: p.stat().st_mtime_ns for p in (folder / "runs").rglob("last.weights.h5")} == written
    assert pd.read_csv(folder / "answers.csv").equals(table)
    assert "- **smote** " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere.zip"], "nowhere.zip"),
        (["--data", str(TINY), "--table", "answers.txt"], "table must end in .csv"),
        (
            ["--data", str(TINY), "--steps", "0"],
            "steps must be a whole number of at least 1",
        ),
        (["--data", str(TINY), "--seeds", "1", "1"], "each only once, got (1, 1)"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        imbalance_experiment.main(arguments)
    assert message in capsys.readouterr().err


def test_weights_balance_the_emotions_that_there_are():
    split = load_dataset(TINY, progress=False).train
    weights = imbalance_experiment._balanced(split.take(split.labels != HAPPY))
    counts = split.counts() | {"happy": 0}
    weighed = {name: weights[name] * counts[name] for name in EMOTIONS if counts[name]}
    assert len({round(value, 6) for value in weighed.values()}) == 1
