import re
from functools import partial

import keras
import numpy as np
import pytest

from fer_utils import EMOTIONS, build_vgg
from fer_utils.data.dataset import FerDataset, Split
from fer_utils.lab import audit

RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (8, 48, 48), np.uint8)
BLANK = np.full((1, 48, 48), 255, np.uint8)


def split_of(*chosen: int, labels: list[int]) -> Split:
    return Split(FACES[list(chosen)], np.array(labels))


@pytest.fixture
def data() -> FerDataset:
    # Face 0 twice in train, once more with another label in test; 1 in train and validation.
    train = split_of(0, 0, 1, 2, labels=[3, 3, 4, 5])
    validation = Split(np.concatenate([FACES[[1, 3]], BLANK]), np.array([4, 0, 6]))
    return FerDataset(train, validation, split_of(0, 4, labels=[2, 1]))


def test_the_audit_counts_as_by_hand(data):
    table = audit.audit_table(data)
    assert table.loc["train"].to_dict() == {
        "faces": 4,
        "blank": 0,
        "repeats": 1,
        "also in train": 0,
        "also in validation": 1,
        "also in test": 2,
        "contradicted": 2,
    }
    assert table.loc["validation", ["faces", "blank", "also in train"]].tolist() == [3, 1, 1]
    assert table.loc["test", ["also in train", "contradicted"]].tolist() == [1, 1]


def test_without_a_test_part_there_is_no_row_for_it(data):
    table = audit.audit_table(FerDataset(data.train, data.validation))
    assert table.index.tolist() == ["train", "validation"]
    assert "also in test" not in table


def test_contradictions_name_all_labels(data):
    table = audit.contradictions(data)
    assert table.to_dict("records") == [
        {"split": "train", "index": 0, "copies": 3, "labels": "fear, happy"}
    ]
    assert audit.contradictions(FerDataset(data.train, data.validation)).empty


def test_contradictions_are_shown_with_their_labels(data):
    (ax,) = audit.plot_contradictions(data, audit.contradictions(data))
    assert np.array_equal(ax.images[0].get_array(), FACES[0])
    assert ax.get_title() == "fear\nhappy"


def test_an_empty_split_has_no_blank_faces():
    assert audit.is_blank(Split(FACES[:0], np.zeros(0, np.int64))).tolist() == []


def test_the_spread_of_light_has_a_box_for_each_emotion():
    split = split_of(*range(7), labels=list(range(7)))
    axes = audit.plot_light(split)
    for ax in axes:
        assert [label.get_text() for label in ax.get_yticklabels()] == list(EMOTIONS)
    medians = [line.get_xdata()[0] for line in axes[0].lines if len(set(line.get_xdata())) == 1]
    assert set(medians) >= set(split.images.mean(axis=(1, 2)))


def test_means_are_by_emotion_and_missing_where_there_is_none():
    split = split_of(0, 1, 2, labels=[1, 1, 3])
    means = audit.mean_by_emotion(split.images, split.labels)
    assert np.allclose(means[1], FACES[:2].astype(float).mean(axis=0))
    assert np.array_equal(means[3], FACES[2])
    assert np.isnan(means[[0, 2, 4, 5, 6]]).all()
    grid = audit.plot_by_emotion({"train": means, "test": means})
    assert grid.shape == (2, 7)
    assert [ax.get_title() for ax in grid[0]] == list(EMOTIONS)
    assert np.array_equal(grid[1, 3].images[0].get_array(), FACES[2])


@pytest.mark.slow
def test_on_the_map_alike_faces_are_neighbours(capsys):
    # Light from the side and from above, eight times each with a little noise. Of four pictures
    # each, t-SNE scattered one for about one network in 250, hence the number and the seed.
    keras.utils.set_random_seed(0)
    ramp = np.tile(np.linspace(0, 240, 48, dtype=np.uint8), (48, 1))
    noise = np.random.default_rng(0).integers(0, 8, (16, 48, 48), dtype=np.uint8)
    split = Split(np.repeat([ramp, ramp.T], 8, axis=0) + noise, np.repeat([0, 3], 8))
    places = audit.feature_map(build_vgg(width=0.1), split, progress=False)
    assert capsys.readouterr() == ("", "")
    assert places.shape == (16, 2)
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert (split.labels[nearest] == split.labels).all()
    ax = audit.plot_feature_map(places, split.labels, title="vgg")
    dots = {dot.get_label(): len(dot.get_offsets()) for dot in ax.collections}
    assert dots == dict.fromkeys(EMOTIONS, 0) | {"angry": 8, "happy": 8}


@pytest.mark.parametrize("n", [7, 700, 7000])
def test_the_maps_legend_has_dots_of_one_size_however_many_faces_there_are(n):
    ax = audit.plot_feature_map(np.zeros((n, 2)), np.arange(n) % 7)
    sizes = [handle.get_sizes()[0] for handle in ax.get_legend().legend_handles]
    np.testing.assert_allclose(sizes, 60)


@pytest.mark.slow
def test_bars_tell_how_far_the_map_is_and_nothing_else_is_printed(capsys, monkeypatch):
    # By default a bar leaves out what follows within a tenth of a second.
    monkeypatch.setattr(audit, "tqdm", partial(audit.tqdm, mininterval=0))
    split = split_of(*range(8), labels=[0] * 8)
    audit.feature_map(build_vgg(width=0.1, name="small"), split)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Features of small: 100%" in err
    assert "Layout of small: 100%" in err
    steps = {int(step) for step in re.findall(r"(\d+)/1000", err)}
    assert {0, 1000} < steps  # the bar has moved on the way


def test_too_few_faces_are_refused():
    with pytest.raises(ValueError, match="split must hold at least 5 faces, got 4"):
        audit.feature_map(build_vgg(width=0.1), split_of(0, 1, 2, 3, labels=[0] * 4))
    with pytest.raises(ValueError, match="split must hold at least 1 faces, got 0"):
        audit.plot_light(Split(FACES[:0], np.zeros(0, np.int64)))


def of_opinions(labels: list[int], majorities: list[int | None]) -> Split:
    """Return faces of which all people say the same, or half of them nothing of ours."""
    opinions = np.eye(7, dtype=np.float32)[
        [label if m is None else m for label, m in zip(labels, majorities, strict=True)]
    ]
    elsewhere = np.float32([[0, 0.6 if m is None else 0.1, 0] for m in majorities])
    images = np.zeros((len(labels), 48, 48), np.uint8)
    return Split(images, np.array(labels), opinions, elsewhere)


def test_the_table_of_opinions_counts_as_by_hand():
    data = FerDataset(of_opinions([3, 3, 4, 6], [3, 6, None, 6]), of_opinions([2], [None]))
    table = audit.opinion_table(data)
    assert table.loc["train"].tolist() == [4, 1, 3, 2 / 3]
    assert table.loc["validation"].tolist() == [1, 1, 0, 0]


def test_the_plot_of_opinions_shows_shares_of_each_label():
    ax = audit.plot_opinions(of_opinions([3, 3, 3, 3, 4], [3, 3, 3, 6, 6]))
    texts = {text.get_position()[::-1]: text.get_text() for text in ax.texts}
    assert {column: text for (row, column), text in texts.items() if row == 3} == {3: "75", 6: "25"}
    assert ax.get_yticklabels()[3].get_text() == "happy (4)"
    with pytest.raises(ValueError, match="most people said the same, got none"):
        audit.plot_opinions(of_opinions([3], [None]))
