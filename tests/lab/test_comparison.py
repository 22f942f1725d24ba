import numpy as np
import pandas as pd
import pytest

from fer_utils import EMOTIONS
from fer_utils.data.dataset import Split
from fer_utils.evaluation.metrics import report_on
from fer_utils.lab.comparison import (
    bootstrap_table,
    find_disagreements,
    mcnemar_table,
    plot_confusion_difference,
    plot_disagreements,
    plot_intervals,
    with_intervals,
)
from tests.helpers.made_probabilities import drawn_faces, rows

ANGRY, DISGUST, FEAR, HAPPY = range(4)


def cell(table: pd.DataFrame, network: str, metric: str) -> pd.Series:
    return table[(table["network"] == network) & (table["metric"] == metric)].iloc[0]


def test_the_values_are_those_of_the_report():
    probabilities, labels = drawn_faces(1.0, n=700)
    report = report_on(probabilities, labels)
    table = bootstrap_table({"one": probabilities}, labels)
    assert cell(table, "one", "accuracy").value == pytest.approx(report.accuracy)
    assert cell(table, "one", "balanced accuracy").value == pytest.approx(report.balanced_accuracy)
    assert cell(table, "one", "macro F1").value == pytest.approx(report.per_emotion["f1"].mean())
    recall = table[table["metric"].isin(EMOTIONS)].set_index("metric")["value"]
    assert recall.to_dict() == pytest.approx(report.recall)


def test_the_interval_of_accuracy_is_that_of_a_share():
    labels = np.zeros(2000, int)
    table = bootstrap_table({"one": rows([ANGRY] * 1200 + [FEAR] * 800)}, labels)
    accuracy = cell(table, "one", "accuracy")
    half = 1.96 * np.sqrt(0.6 * 0.4 / 2000)
    assert (accuracy.low, accuracy.high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.003)
    assert bootstrap_table({"one": rows([ANGRY] * 2000)}, labels)["low"].iloc[0] == 1


def test_a_recall_of_few_faces_has_a_wide_interval_even_when_all_are_found():
    table = bootstrap_table({"one": rows([ANGRY] * 10 + [FEAR])}, np.array([ANGRY] * 10 + [HAPPY]))
    found, missed = cell(table, "one", "angry"), cell(table, "one", "happy")
    # Wilson's formula with z = 1.96: z**2 / (n + z**2) wide where the share is 0 or 1.
    assert (found.low, found.high) == pytest.approx((1 - 3.8416 / 13.8416, 1), abs=1e-3)
    assert (missed.low, missed.high) == pytest.approx((0, 3.8416 / 4.8416), abs=1e-3)


def test_emotions_that_do_not_occur_have_no_recall():
    table = bootstrap_table({"one": rows([ANGRY, FEAR, FEAR])}, np.array([ANGRY, ANGRY, FEAR]))
    assert np.isnan(cell(table, "one", "sad")[["value", "low", "high"]].astype(float)).all()
    assert cell(table, "one", "balanced accuracy").value == pytest.approx(0.75)
    laid_out = with_intervals(table)
    assert laid_out.loc["sad", "one"] == "does not occur"
    assert laid_out.loc["accuracy", "one"].startswith("66.7% (")
    assert laid_out.index.tolist() == ["accuracy", "balanced accuracy", "macro F1", *EMOTIONS]


def test_each_interval_is_drawn_around_its_value():
    probabilities, labels = drawn_faces(1.0, n=300)
    table = bootstrap_table({"one": probabilities, "vote": probabilities}, labels)
    ax = plot_intervals(table)
    assert [bars.get_label() for bars in ax.containers] == ["one", "vote"]
    for bars in ax.containers:
        rows = table[table["network"] == bars.get_label()]
        assert bars.lines[0].get_ydata().tolist() == rows["value"].tolist()
        ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
        assert ends == pytest.approx(rows[["low", "high"]].to_numpy())


def test_mcnemar_counts_what_only_one_has_right():
    labels = np.zeros(20, int)
    first = rows([ANGRY] * 14 + [FEAR] * 6)
    second = rows([ANGRY] * 4 + [FEAR] * 16)
    table = mcnemar_table({"first": first, "second": second, "twin": first}, labels)
    by_pair = table.set_index(["first", "second"])
    assert by_pair.loc[("first", "second"), ["only first right", "only second right"]].tolist() == [
        10,
        0,
    ]
    assert by_pair.loc[("first", "second"), "p"] == pytest.approx(2 * 0.5**10)
    assert by_pair.loc[("first", "second"), "verdict"] == "first is better"
    assert by_pair.loc[("first", "twin"), ["p", "verdict"]].tolist() == [1, "no difference shown"]


def test_the_more_pairs_are_compared_the_surer_a_verdict_must_be():
    labels = np.zeros(20, int)
    first = rows([ANGRY] * 16 + [FEAR] * 4)
    second = rows([FEAR] * 10 + [ANGRY] * 8 + [FEAR] * 2)
    pair = {"first": first, "second": second}
    (alone,) = mcnemar_table(pair, labels).itertuples(index=False)
    assert (alone[2], alone[3]) == (10, 2)
    assert 0.05 / 3 < alone.p < 0.05
    assert alone.verdict == "first is better"
    of_three = mcnemar_table({**pair, "third": second}, labels).set_index(["first", "second"])
    assert of_three.loc[("first", "second"), "p"] == alone.p
    assert of_three.loc[("first", "second"), "verdict"] == "no difference shown"


def test_few_faces_show_no_difference():
    first, second = rows([ANGRY, ANGRY, ANGRY]), rows([FEAR, FEAR, ANGRY])
    table = mcnemar_table({"first": first, "second": second}, np.zeros(3, int))
    assert table["verdict"].tolist() == ["no difference shown"]


def test_the_difference_of_two_confusions_is_in_points():
    labels = np.array([ANGRY] * 4 + [FEAR] * 2)
    first = report_on(rows([ANGRY, ANGRY, FEAR, FEAR, FEAR, FEAR]), labels)
    second = report_on(rows([ANGRY, ANGRY, ANGRY, FEAR, FEAR, HAPPY]), labels)
    ax = plot_confusion_difference(first, second, names=("one", "two"))
    texts = {tuple(map(int, text.get_position())): text.get_text() for text in ax.texts}
    assert texts[(ANGRY, ANGRY)] == "+25.0"
    assert texts[(FEAR, ANGRY)] == "-25.0"
    assert texts[(HAPPY, FEAR)] == "+50.0"
    assert len(texts) == 4  # no zeros, and nothing in rows of emotions that do not occur


def test_disagreements_come_widest_first():
    labels = np.array([ANGRY, FEAR, HAPPY, HAPPY])
    first = rows([ANGRY, ANGRY, FEAR, HAPPY], [0.6, 0.9, 0.5, 0.9])
    second = rows([FEAR, FEAR, ANGRY, HAPPY], [0.6, 0.9, 0.5, 0.8])
    table = find_disagreements(first, second, labels)
    assert table["index"].tolist() == [1, 0, 2]
    assert table["right"].tolist() == ["second", "first", "neither"]
    assert table["true"].tolist() == ["fear", "angry", "happy"]
    assert table.loc[0, ["first", "second"]].tolist() == ["angry", "fear"]
    assert table.loc[0, "distance"] == pytest.approx(0.9 - 0.1 / 6)


def test_a_disagreement_shows_face_bars_and_who_is_right():
    split = Split(
        np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8), np.array([0, 1])
    )
    pair = {"plain": rows([ANGRY, ANGRY]), "smote": rows([FEAR, FEAR])}
    table = find_disagreements(*pair.values(), split.labels)
    grid = plot_disagreements(split, table, pair)
    assert grid.shape == (2, 2)
    for (face, bars), row in zip(grid, table.itertuples(), strict=True):
        assert np.array_equal(face.images[0].get_array(), split.images[row.index])
        widths = [bar.get_width() for bar in bars.patches]
        assert widths == pytest.approx([*pair["plain"][row.index], *pair["smote"][row.index]])
    assert [bars.get_title() for bars in grid[:, 1]] == ["right: plain", "right: neither"]


@pytest.mark.parametrize(("count", "axes"), [(1, 2), (2, 4), (3, 6)])
def test_disagreements_stand_two_abreast_and_no_panel_is_empty(count, axes):
    split = Split(np.zeros((count, 48, 48), np.uint8), np.zeros(count, np.int64))
    pair = {"plain": rows([ANGRY] * count), "smote": rows([FEAR] * count)}
    grid = plot_disagreements(split, find_disagreements(*pair.values(), split.labels), pair)
    assert grid.shape == (count, 2)
    assert len(grid[0, 0].figure.axes) == axes
    for face, bars in grid:
        assert len(face.images) == 1
        assert len(bars.patches) == 14
    lefts = [ax.get_subplotspec().colspan.start for ax in grid.flat]
    assert lefts == [0, 1, 2, 3, 0, 1][:axes]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, y, s: bootstrap_table({}, y), "must hold those of one network at least"),
        (lambda p, y, s: bootstrap_table({"one": p[:1]}, y), r"got the shape \(1, 7\)"),
        (lambda p, y, s: bootstrap_table({"one": p}, y, resamples=0), "resamples must be at least"),
        (lambda p, y, s: mcnemar_table({"one": p}, y), "two networks or more, got one"),
        (
            lambda p, y, s: plot_disagreements(s, find_disagreements(p, p, y), {"a": p, "b": p}),
            "disagreements must hold one row at least, got none",
        ),
        (
            lambda p, y, s: plot_disagreements(s, find_disagreements(p, p[::-1], y), {"a": p}),
            "must hold those of 2 networks, got 1",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call, message):
    probabilities, labels = rows([ANGRY, FEAR]), np.array([ANGRY, FEAR])
    split = Split(np.zeros((2, 48, 48), np.uint8), labels)
    with pytest.raises(ValueError, match=message):
        call(probabilities, labels, split)
