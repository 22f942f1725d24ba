from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils import load_dataset
from fer_utils.lab import experiment, opinion_experiment
from tests.helpers.networks import narrow

FIXTURES = Path(__file__).parents[1] / "fixtures"
TINY, OPINIONS = FIXTURES / "tiny_fer2013.zip", FIXTURES / "tiny_fer2013new.csv"
ANGRY, SAD = 0, 4


@pytest.mark.slow
def test_each_share_answers_for_each_face(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "build_vgg", lambda shape, *, width, name: narrow(shape, name))
    monkeypatch.setattr(
        opinion_experiment, "SHARES", (0.0, 0.25, 1.0)
    )  # the others, too, take seconds
    files = ["--run-dir", str(tmp_path / "runs"), "--table", str(tmp_path / "answers.csv")]
    source = ["--data", str(TINY), "--opinions", str(OPINIONS)]
    opinion_experiment.main([*source, *files, "--steps", "4", "--seeds", "7"])
    table = pd.read_csv(tmp_path / "answers.csv")
    data = load_dataset(TINY, opinions=OPINIONS, cache=False, progress=False)
    assert table["label"].tolist() == data.validation.labels.tolist()
    assert table["majority"].tolist() == data.validation.majority().tolist()
    shares = ["share 0 7", "share 0.25 7", "share 1 7"]
    assert table.columns.tolist() == ["label", "majority", *shares]
    assert table[shares].isin(range(7)).all(axis=None)
    learned = [(tmp_path / "runs" / f"share_{s}-7" / "run.json").read_text() for s in ("0", "1")]
    assert '"opinion_share": 0.0' in learned[0]
    assert '"opinion_share": 1.0' in learned[1]
    said = capsys.readouterr().out
    assert said.index("Against FER2013's label:") < said.index("Against what most people see:")
    assert said.count("- **share 0.25** ") == 2


def made_up() -> pd.DataFrame:
    """All are labelled angry; most people find half of them sad and do not agree on a quarter.

    Share 0 says what the label says, share 1 what people say, and half as often does share 0.5.
    """
    n = 400
    place = np.arange(n)
    majority = np.select([place < n // 2, place < 3 * n // 4], [SAD, ANGRY], -1)
    people = np.where(majority == SAD, SAD, ANGRY)
    table = pd.DataFrame({"label": np.full(n, ANGRY), "majority": majority})
    for share in opinion_experiment.SHARES:
        table[f"share {share:g} 1"] = np.where(place % 4 < 4 * share, people, ANGRY)
    return table


def test_both_accuracies_are_drawn_over_the_shares():
    ax = opinion_experiment.plot_trade(made_up())
    drawn = {bars.get_label(): bars.lines[0].get_ydata().tolist() for bars in ax.containers}
    assert drawn["FER2013's label"] == pytest.approx([1, 0.875, 0.75, 0.625, 0.5])
    assert drawn["what most people see"] == pytest.approx([1 / 3, 1 / 2, 2 / 3, 5 / 6, 1])
    assert ax.containers[0].lines[0].get_xdata().tolist() == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere.zip", "--opinions", str(OPINIONS)], "nowhere.zip"),
        (["--data", str(TINY), "--opinions", "none.csv"], "none.csv"),
        (["--data", str(TINY), "--opinions", str(OPINIONS), "--steps", "0"], "steps must be"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        opinion_experiment.main(arguments)
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
