import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from fer_utils import EMOTIONS, SoftVote, build_vgg, evaluate
from fer_utils.data.dataset import Split
from fer_utils.evaluation import metrics
from fer_utils.evaluation.metrics import (
    comparison_tables,
    light_table,
    probabilities_by_name,
    report_on,
    report_on_split,
    to_markdown,
)
from fer_utils.files import sha256_of
from fer_utils.network.int8 import has_fast_int8
from fer_utils.network.vote import write_vote
from tests.helpers.made_probabilities import rows

TINY_DATA = Path(__file__).parents[1] / "fixtures/tiny_fer2013.zip"
ANGRY, DISGUST, FEAR, HAPPY = range(4)


def looks_left(weight: float = 8.0) -> keras.Model:
    """Return a network that calls a face angry where its left half is bright, else happy."""
    model = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(7, activation="softmax"),
        ]
    )
    kernel = np.zeros((48, 48, 7))
    kernel[:, :24, ANGRY] = kernel[:, 24:, HAPPY] = weight / (48 * 24)
    model.set_weights([kernel.reshape(-1, 7), np.zeros(7)])
    return model


def lit_faces(*sides: str) -> np.ndarray:
    faces = np.zeros((len(sides), 48, 48), np.uint8)
    for face, side in zip(faces, sides, strict=True):
        face[:, slice(0, 24) if side == "left" else slice(24, 48)] = 255
    return faces


def test_a_report_counts_as_by_hand():
    labels = np.array([ANGRY, ANGRY, ANGRY, ANGRY, FEAR, FEAR, HAPPY, HAPPY])
    predicted = [ANGRY, ANGRY, ANGRY, FEAR, FEAR, HAPPY, HAPPY, HAPPY]
    report = report_on(rows(predicted), labels)
    assert report.n == 8
    assert report.accuracy == 6 / 8
    expected = np.zeros((7, 7), int)
    expected[ANGRY, [ANGRY, FEAR]] = [3, 1]
    expected[FEAR, [FEAR, HAPPY]] = [1, 1]
    expected[HAPPY, HAPPY] = 2
    assert np.array_equal(report.confusion, expected)
    table = report.per_emotion
    assert table.index.tolist() == list(EMOTIONS)
    assert table["n"].tolist() == [4, 0, 2, 2, 0, 0, 0]
    occurring = table.loc[["angry", "fear", "happy"]]
    assert np.allclose(occurring["precision"], [1, 1 / 2, 2 / 3])
    assert np.allclose(occurring["recall"], [3 / 4, 1 / 2, 1])
    assert np.allclose(occurring["f1"], [6 / 7, 1 / 2, 4 / 5])
    assert report.ece == pytest.approx(0.9 - 6 / 8)


def test_emotions_that_do_not_occur_have_no_recall_and_do_not_count():
    report = report_on(rows([ANGRY, FEAR]), np.array([ANGRY, ANGRY]))
    assert report.recall["angry"] == 0.5
    assert all(np.isnan(report.recall[name]) for name in EMOTIONS[1:])
    assert report.balanced_accuracy == 0.5


def test_balanced_accuracy_weighs_emotions_alike():
    labels = np.array([HAPPY] * 9 + [DISGUST])
    report = report_on(rows([HAPPY] * 10), labels)
    assert report.accuracy == 0.9
    assert report.balanced_accuracy == 0.5


def test_a_network_and_a_vote_of_it_are_measured_alike():
    split = Split(lit_faces("left", "right", "left"), np.array([ANGRY, HAPPY, HAPPY]))
    for model in (looks_left(), SoftVote([looks_left()])):
        report = evaluate(model, split)
        assert report.n == 3
        assert report.accuracy == pytest.approx(2 / 3)
        assert report.confusion[HAPPY, [ANGRY, HAPPY]].tolist() == [1, 1]


def test_the_report_says_whether_faces_were_flipped():
    split = Split(lit_faces("left", "left"), np.array([ANGRY, ANGRY]))
    plain, flipped = evaluate(looks_left(), split), evaluate(looks_left(), split, flip=True)
    assert (plain.flip_averaging, flipped.flip_averaging) == (False, True)
    assert "2 faces, without flip averaging: accuracy 100.0%" in str(plain)
    assert "2 faces, with flip averaging" in str(flipped)
    # Averaged with its mirror image, such a face is angry and happy by halves.
    assert plain.ece < 0.01
    assert flipped.ece == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("model", [None, "vgg.weights.h5", [looks_left]])
def test_what_is_no_network_is_refused(model):
    split = Split(lit_faces("left"), np.array([ANGRY]))
    with pytest.raises(TypeError, match=r"model must be a keras\.Model or a SoftVote, got"):
        evaluate(model, split)


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="split must hold at least one face, got none"):
        evaluate(looks_left(), Split(lit_faces(), np.array([], np.int64)))


def test_the_table_compares_votes_parts_and_flipping():
    sides = ["left", "right"] * 10
    split = Split(lit_faces(*sides), np.array([ANGRY, HAPPY] * 10))
    first_half = np.arange(20) < 10
    vote = SoftVote([looks_left()])
    tables = comparison_tables(vote, split, {"all": first_half | True, "half": first_half})
    assert [*tables] == ["label"]
    table = tables["label"]
    assert table["pictures"].tolist() == ["all"] * 4 + ["half"] * 4
    assert table["flip averaging"].tolist() == ["no", "no", "yes", "yes"] * 2
    assert table["n"].tolist() == [20] * 4 + [10] * 4
    assert table["accuracy"].tolist() == [1.0, 1.0, 0.5, 0.5] * 2
    assert table["angry"].tolist() == [1.0] * 8  # of equal probabilities, the first is named
    lines = to_markdown(table).splitlines()
    assert lines[0].startswith("| pictures | network | flip averaging | n | accuracy |")
    assert lines[2].startswith(f"| all | {vote.models[0].name} | no | 20 | 100.0% |")
    assert lines[3].startswith("| all | vote | no | 20 | 100.0% |")
    assert f"| {table['ECE'][2]:.3f} |" in lines[4]
    assert {line.count("|") for line in lines} == {len(table.columns) + 1}


def test_networks_of_one_name_are_numbered():
    first, second = looks_left(), looks_left()
    first.name = second.name = "best"
    names = probabilities_by_name(SoftVote([first, second]), lit_faces("left"))
    assert [*names] == ["1: best", "2: best", "vote"]
    first.name = "vote"
    assert [*probabilities_by_name(SoftVote([first]), lit_faces("left"))] == ["1: vote", "vote"]


def test_the_vote_of_the_table_is_the_vote():
    split = Split(lit_faces(*["left", "right"] * 10), np.array([ANGRY, HAPPY] * 10))
    vote = SoftVote([looks_left(), looks_left()], temperature=2.0)
    tables = comparison_tables(vote, split, {"all": np.ones(20, dtype=bool)})
    table = tables["label"].set_index("network")
    for flip, row in zip((False, True), table.loc["vote"].itertuples(), strict=True):
        expected = report_on(vote.predict_proba(split.images, flip=flip), split.labels)
        assert row.ECE == pytest.approx(expected.ece)


def judged(*votes: dict[int, float], elsewhere: float = 0.0, labels: list[int]) -> Split:
    """Return faces, the left half of each bright, of which people said these shares."""
    opinions = np.zeros((len(votes), 7), np.float32)
    for row, shares in zip(opinions, votes, strict=True):
        row[list(shares)] = list(shares.values())
    others = np.tile(np.float32([0, elsewhere, 0]), (len(votes), 1))
    return Split(lit_faces(*["left"] * len(votes)), np.array(labels), opinions, others)


def test_a_report_tells_the_label_from_what_most_people_said():
    # Labelled happy; two of three times most people say angry, once nobody has a majority.
    split = judged(
        {ANGRY: 1.0}, {ANGRY: 0.6, FEAR: 0.4}, {ANGRY: 0.5, FEAR: 0.5}, labels=[HAPPY] * 3
    )
    report = evaluate(looks_left(), split)
    assert report.accuracy == 0
    assert report.opinions.majority.n == 2
    assert report.opinions.majority.accuracy == 1
    assert report.opinions.majority.recall["angry"] == 1
    assert "strict majority, 2 faces: accuracy 100.0%" in str(report)


def test_a_report_measures_the_distance_from_the_opinions_as_by_hand():
    split = judged({ANGRY: 1.0}, {ANGRY: 0.75, FEAR: 0.25}, labels=[ANGRY, ANGRY])
    probabilities = np.full((2, 7), 0.1)
    probabilities[:, [ANGRY, FEAR]] = [0.4, 0.1]
    opinions = report_on_split(probabilities, split).opinions
    expected = np.mean([-np.log(0.4), -0.75 * np.log(0.4) - 0.25 * np.log(0.1)])
    assert opinions.cross_entropy == pytest.approx(expected)
    assert opinions.entropy == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / 2)
    assert opinions.n == 2


def test_faces_of_which_people_say_something_else_do_not_count_as_opinions():
    split = judged({ANGRY: 1.0}, elsewhere=0.5, labels=[ANGRY])
    report = evaluate(looks_left(), split)
    assert report.accuracy == 1
    assert (report.opinions.n, report.opinions.majority) == (0, None)
    assert "no face has a strict majority" in str(report)


def test_without_opinions_a_report_has_none():
    report = evaluate(looks_left(), Split(lit_faces("left"), np.array([ANGRY])))
    assert report.opinions is None
    assert "What people said" not in str(report)


def test_the_tables_judge_by_label_and_by_majority():
    split = judged(*[{ANGRY: 1.0}] * 6, *[{ANGRY: 0.5, FEAR: 0.5}] * 4, labels=[ANGRY, HAPPY] * 5)
    tables = comparison_tables(SoftVote([looks_left()]), split, {"all": np.ones(10, dtype=bool)})
    label, majority = (tables[name].query("network == 'vote'").iloc[0] for name in tables)
    assert [*tables] == ["label", "majority"]
    assert (label["n"], label["accuracy"]) == (10, 0.5)
    assert (majority["n"], majority["accuracy"], majority["opinions"]) == (6, 1.0, 10)
    assert majority["entropy"] == pytest.approx(0.4 * np.log(2))
    assert "| 0.277 |" in to_markdown(tables["majority"])


def test_the_vote_is_measured_in_every_light():
    split = judged({ANGRY: 1.0}, {ANGRY: 0.5, FEAR: 0.5}, labels=[ANGRY, ANGRY])
    table = light_table(SoftVote([looks_left()]), split).set_index("light")
    assert table.loc["as they are"].tolist() == [2, 1.0, 1, 1.0]
    assert len(table) == 4
    plain = Split(split.images, split.labels)
    assert light_table(SoftVote([looks_left()]), plain).columns.tolist() == [
        "light",
        "n",
        "accuracy",
    ]


def test_other_light_is_what_its_name_says():
    seen = []

    class Watching(SoftVote):
        def predict_proba(self, images, *, flip=False):
            seen.append(images)
            return super().predict_proba(images, flip=flip)

    faces = np.full((1, 48, 48), 200, np.uint8)
    light_table(Watching([looks_left()]), Split(faces, np.array([ANGRY])))
    assert [int(images[0, 0, 0]) for images in seen] == [200, 60, 120, 227]


@pytest.mark.skipif(not has_fast_int8(), reason="this processor has no fast int8")
@pytest.mark.slow
def test_the_command_adds_an_int8_copy_whole_and_measures_it(tmp_path, monkeypatch, capsys):
    names = [f"{name}.weights.h5" for name in ("one", "other")]
    for name in names:
        build_vgg().save_weights(tmp_path / name)
    monkeypatch.setattr(metrics, "INT8_FACES", 4)  # seconds instead of a minute
    vote = tmp_path / "vote.json"
    command = ["--vote", str(vote), "--data", str(TINY_DATA), "--part", "validation"]
    metrics.main(["--networks", *names, "--int8", *command])
    said = json.loads(vote.read_text())["int8"]
    assert said["made_from"] == {
        "sha256": [sha256_of(tmp_path / name) for name in names],
        "faces": 4,
        "seed": metrics.INT8_SEED,
    }
    assert {file["file"]: file["sha256"] for file in said["files"]} == {
        name: sha256_of(tmp_path / name) for name in ("vote_int8.xml", "vote_int8.bin")
    }
    printed = capsys.readouterr().out
    assert printed.count("| all | vote, int8 | no | 76 |") == 1
    assert f"Temperature of its int8 copy: {said['temperature']:.4f}" in printed

    def interrupt(*_: object) -> float:
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(metrics, "INT8_FACES", 5)
    monkeypatch.setattr(metrics, "fit_temperature", interrupt)
    with pytest.raises(SystemExit):
        metrics.main(["--int8", *command])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_without_fast_int8_no_copy_is_made_and_one_line_says_what_is_not_measured(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(metrics, "has_fast_int8", lambda: False)
    with pytest.raises(SystemExit):
        metrics.main(["--int8", "--data", str(TINY_DATA)])
    assert "error: --int8 needs a processor with AVX512-VNNI" in capsys.readouterr().err
    metrics.main(["--data", str(TINY_DATA), "--part", "validation"])
    assert "int8 is not measured: this processor has no" in capsys.readouterr().out
    build_vgg().save_weights(tmp_path / "own.weights.h5")
    write_vote(tmp_path / "vote.json", [tmp_path / "own.weights.h5"], 1.0)
    own = ["--vote", str(tmp_path / "vote.json")]
    metrics.main(["--data", str(TINY_DATA), "--part", "validation", *own])
    assert "int8" not in capsys.readouterr().out
