from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils import EMOTIONS, load_dataset
from fer_utils.lab import imbalance_experiment as imbalance

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_fer2013.zip"
ANGRY, DISGUST, HAPPY = 0, 1, 3


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> tuple[pd.DataFrame, Path]:
    """What the command writes for a run of one epoch, and the folder it worked in."""
    folder = tmp_path_factory.mktemp("imbalance")
    run_command(folder)
    return pd.read_csv(folder / "answers.csv"), folder


def run_command(folder: Path) -> None:
    files = ["--run-dir", str(folder / "runs"), "--table", str(folder / "answers.csv")]
    imbalance.main(["--data", str(TINY), *files, "--steps", "4", "--seeds", "7"])


def test_each_method_answers_for_each_face(answers):
    table, folder = answers
    data = load_dataset(TINY, cache=False, progress=False)
    assert table.columns.tolist()[0] == "label"
    assert set(table.columns[1:]) == {f"{method} 7" for method in imbalance.METHODS}
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
        (["--data", str(TINY), "--steps", "0"], "steps must be at least 1, got 0"),
        (["--data", str(TINY), "--seeds", "1", "1"], "each only once, got (1, 1)"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        imbalance.main(arguments)
    assert message in capsys.readouterr().err


def made_up(n: int = 400) -> pd.DataFrame:
    """Of angry faces each method has half right; of disgusted ones only "smote" has any."""
    labels = np.array([ANGRY] * n + [DISGUST] * n)
    half = np.where(np.arange(n) % 2, ANGRY, HAPPY)
    table = {"label": labels}
    for seed in (1, 2):
        for method in imbalance.METHODS:
            disgust = DISGUST if method == "smote" else HAPPY
            table[f"{method} {seed}"] = [*half, *[disgust] * n]
    return pd.DataFrame(table)


def test_the_summary_counts_as_by_hand():
    summary = imbalance.summarize(made_up()).set_index(["network", "metric"])
    assert summary.loc[("none", "accuracy"), "value"] == pytest.approx(0.25)
    assert summary.loc[("smote", "accuracy"), "value"] == pytest.approx(0.75)
    assert summary.loc[("smote", "balanced accuracy"), "gain"] == pytest.approx(0.5)
    assert summary.loc[("smote", "disgust"), ["value", "low", "high"]].tolist() == [1, 1, 1]
    assert summary.loc[("random", "disgust"), ["gain", "gain_low", "gain_high"]].tolist() == [0] * 3
    half = 1.96 * np.sqrt(0.25 / 400)
    interval = summary.loc[("none", "angry"), ["low", "high"]].tolist()
    assert interval == pytest.approx([0.5 - half, 0.5 + half], abs=0.01)
    assert np.isnan(summary.loc[("none", "sad"), "value"])
    without = summary.loc[("smote", "balanced accuracy without disgust"), ["value", "gain"]]
    assert without.tolist() == pytest.approx([0.5, 0])
    assert [m for n, m in summary.index if n == "none"][3:] == list(EMOTIONS)


def test_a_spread_between_seeds_widens_the_interval():
    table = made_up()
    table["random 2"] = table["label"]
    summary = imbalance.summarize(table).set_index(["network", "metric"])
    assert summary.loc[("random", "angry"), "value"] == pytest.approx(0.75)
    assert summary.loc[("random", "angry"), "low"] < 0.56
    assert summary.loc[("random", "angry"), "high"] == 1


def test_the_verdict_speaks_of_shown_differences_only():
    lines = imbalance.verdict(imbalance.summarize(made_up())).splitlines()
    assert len(lines) == 4
    smote = next(line for line in lines if "smote" in line)
    assert "raises accuracy by 50.0 points (" in smote
    assert "disgust by 100.0 points (100.0 to 100.0)" in smote
    assert "lowers" not in smote
    assert "- **random** changes nothing that these runs can show." in lines


def test_any_method_can_be_the_base():
    summary = imbalance.summarize(made_up(), base="smote")
    lines = imbalance.verdict(summary).splitlines()
    others = ["none", "class weights", "random", "logit adjustment"]
    assert [line.split("**")[1] for line in lines] == others
    assert all("lowers accuracy by 50.0 points (" in line for line in lines)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda t: t, {"base": "SMOTE"}, "base must be one of none, class weights, .* got 'SMOTE'"),
        (lambda t: t, {"resamples": 0}, "resamples must be at least 1, got 0"),
        (lambda t: t[:0], {}, "predictions must have the column label"),
        (lambda t: t.drop(columns="smote 2"), {}, "such as 'smote 1', all with labels from 0"),
        (lambda t: t.assign(**{"none 1": np.nan}), {}, "all with labels from 0 to 6"),
    ],
)
def test_what_cannot_be_summarized_is_refused(spoil, options, message):
    with pytest.raises(ValueError, match=message):
        imbalance.summarize(spoil(made_up()), **options)


def test_weights_balance_the_emotions_that_there_are():
    split = load_dataset(TINY, progress=False).train
    weights = imbalance._balanced(split.take(split.labels != HAPPY))
    counts = split.counts() | {"happy": 0}
    weighed = {name: weights[name] * counts[name] for name in EMOTIONS if counts[name]}
    assert len({round(value, 6) for value in weighed.values()}) == 1
