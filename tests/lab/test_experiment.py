import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils import EMOTIONS, load_dataset
from fer_utils.data.dataset import FerDataset
from fer_utils.emotions import ink_on
from fer_utils.lab import imbalance_experiment
from fer_utils.lab.experiment import answers_of_all, plot_gains, summarize, verdict

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_fer2013.zip"
ANGRY, DISGUST, HAPPY = 0, 1, 3
WAYS = ("none", "class weights", "random", "smote", "logit adjustment")


def made_up(n: int = 400) -> pd.DataFrame:
    """Of angry faces each way has half right; of disgusted ones only "smote" has any."""
    labels = np.array([ANGRY] * n + [DISGUST] * n)
    half = np.where(np.arange(n) % 2, ANGRY, HAPPY)
    table = {"label": labels}
    for seed in (1, 2):
        for way in WAYS:
            disgust = DISGUST if way == "smote" else HAPPY
            table[f"{way} {seed}"] = [*half, *[disgust] * n]
    return pd.DataFrame(table)


def test_the_summary_counts_as_by_hand():
    summary = summarize(made_up(), base="none").set_index(["network", "metric"])
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
    summary = summarize(table, base="none").set_index(["network", "metric"])
    assert summary.loc[("random", "angry"), "value"] == pytest.approx(0.75)
    assert summary.loc[("random", "angry"), "low"] < 0.56
    assert summary.loc[("random", "angry"), "high"] == 1


def test_the_verdict_speaks_of_shown_differences_only():
    lines = verdict(summarize(made_up(), base="none")).splitlines()
    assert len(lines) == 4
    smote = next(line for line in lines if "smote" in line)
    assert "raises accuracy by 50.0 points (" in smote
    assert "disgust by 100.0 points (100.0 to 100.0)" in smote
    assert "lowers" not in smote
    assert "- **random** changes nothing that these runs can show." in lines


def test_any_way_can_be_the_base():
    summary = summarize(made_up(), base="smote")
    lines = verdict(summary).splitlines()
    others = ["none", "class weights", "random", "logit adjustment"]
    assert [line.split("**")[1] for line in lines] == others
    assert all("lowers accuracy by 50.0 points (" in line for line in lines)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda t: t, {"base": "SMOTE"}, "base must be one of none, class weights, .* got 'SMOTE'"),
        (lambda t: t, {"base": "none", "resamples": 0}, "resamples must be at least 1, got 0"),
        (lambda t: t[:0], {"base": "none"}, "predictions must have the column label"),
        (
            lambda t: t.drop(columns="smote 2"),
            {"base": "none"},
            "such as .smote 1., all with labels",
        ),
        (lambda t: t.assign(**{"none 1": np.nan}), {"base": "none"}, "all with labels from 0 to 6"),
    ],
)
def test_what_cannot_be_summarized_is_refused(spoil, options, message):
    with pytest.raises(ValueError, match=message):
        summarize(spoil(made_up()), **options)


def test_gains_are_drawn_in_points_and_in_brackets_where_they_may_be_chance():
    table = made_up()
    table["random 1"] = table["random 2"] = np.where(table.index == 0, ANGRY, table["none 1"])
    ax = plot_gains(summarize(table, base="none"))
    ways = [tick.get_text() for tick in ax.get_yticklabels()]
    metrics = [tick.get_text().replace("\n", " ") for tick in ax.get_xticklabels()]
    assert ways == ["class weights", "random", "smote", "logit adjustment"]
    assert metrics == [
        "accuracy",
        "balanced accuracy",
        "balanced accuracy without disgust",
        *EMOTIONS,
    ]
    cells = {
        (ways[int(text.get_position()[1])], metrics[int(text.get_position()[0])]): text.get_text()
        for text in ax.texts
    }
    assert cells[("smote", "accuracy")] == "+50.0"
    assert cells[("smote", "disgust")] == "+100.0"
    assert cells[("smote", "angry")] == "(+0.0)"
    assert cells[("random", "angry")] == "(+0.2)"
    assert {metric for _, metric in cells} == {*metrics[:3], "angry", "disgust"}  # those that occur
    assert ax.get_title() == "Points won and lost against none (in brackets: may be chance)"
    assert np.nanmax(ax.images[0].get_array()) == pytest.approx(100)


def test_losses_and_wins_have_other_colours_and_legible_numbers():
    ax = plot_gains(summarize(made_up(), base="smote"))
    image, (text, *_) = ax.images[0], ax.texts
    assert text.get_text() == "-50.0"
    lost = image.cmap(image.norm(-50.0))
    assert lost == image.cmap(image.norm(-10.0)) != image.cmap(image.norm(10.0))
    assert text.get_color() == ink_on(lost)


def test_the_base_alone_has_no_gains():
    summary = summarize(made_up()[["label", "none 1"]], base="none")
    with pytest.raises(ValueError, match="summary must hold a way to train beside the base"):
        plot_gains(summary)


@pytest.mark.slow
def test_on_ray_the_answers_are_the_same_and_a_mistake_is_told_as_here(tmp_path, capsys):
    data = load_dataset(TINY, cache=False, progress=False)

    def answer(data: FerDataset, way: str, seed: int) -> dict[str, np.ndarray]:
        if way == "none at all":
            raise ValueError("there is no such way.")
        rng = np.random.default_rng([seed, len(way)])
        if way == "killed":
            os._exit(1)
        return {f"{way} {seed}": rng.integers(len(EMOTIONS), size=len(data.validation))}

    here = answers_of_all(answer, data, ["none", "smote"], (1, 2), None)
    assert here.columns.tolist() == ["label", "none 1", "smote 1", "none 2", "smote 2"]
    try:
        pd.testing.assert_frame_equal(
            answers_of_all(answer, data, ["none", "smote"], (1, 2), "here"), here
        )
        assert "Trainings: 100%" in capsys.readouterr().err
        with pytest.raises(ValueError, match=r"^there is no such way\.$"):
            answers_of_all(answer, data, ["none at all"], (1,), "here")
        with pytest.raises(ValueError, match=r"^ray: a training ended before it was done \("):
            answers_of_all(answer, data, ["killed"], (1,), "here")
        train = partial(imbalance_experiment._answers, run_dir=tmp_path, steps=1, progress=False)
        trained = answers_of_all(train, data, ["none"], (1,), "here")
    except ValueError as error:
        if "Ray cannot start here" not in str(error):
            raise
        pytest.skip(str(error))
    run = tmp_path / "none-1" / "last.weights.h5"
    written = run.stat().st_mtime_ns
    pd.testing.assert_frame_equal(trained, answers_of_all(train, data, ["none"], (1,), None))
    assert run.stat().st_mtime_ns == written  # what Ray has trained was only read
