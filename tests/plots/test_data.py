import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba

from fer_utils.data.dataset import Split
from fer_utils.emotions import EMOTION_COLORS, EMOTIONS
from fer_utils.plots.data import plot_distribution, plot_samples, plot_variants

BEFORE = {"angry": 40, "disgust": 4, "fear": 41, "happy": 1072, "sad": 48, "neutral": 50}
AFTER = dict.fromkeys(EMOTIONS, 1072)


def make_split(*labels: str) -> Split:
    """Each picture is filled with its position times 7 plus its label, so it can be told apart."""
    numbers = np.array([EMOTIONS.index(label) for label in labels], dtype=np.int64)
    values = (np.arange(len(labels)) * 7 + numbers).astype(np.uint8)
    return Split(np.broadcast_to(values[:, None, None], (len(labels), 48, 48)).copy(), numbers)


def shown_values(axes) -> list[int]:
    """What the pictures on these Axes are filled with."""
    pictures = [ax.images[0].get_array() for ax in axes if ax.images]
    return [int(picture[0, 0]) for picture in pictures]


def test_bars_have_the_counts_as_heights_and_labels_in_fer2013_order():
    ax = plot_distribution(BEFORE)
    assert [bar.get_height() for bar in ax.patches] == [40, 4, 41, 1072, 48, 0, 50]
    assert [text.get_text() for text in ax.texts] == ["40", "4", "41", "1,072", "48", "0", "50"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(EMOTIONS)
    assert [bar.get_facecolor() for bar in ax.patches] == [
        to_rgba(EMOTION_COLORS[name]) for name in EMOTIONS
    ]
    assert ax.get_title() == "Pictures per emotion (1,255 in all)"
    assert ax.get_legend() is None


@pytest.mark.parametrize(("most", "step"), [(72, 10), (3, 1), (7215, 1000)])
def test_counts_are_told_in_round_numbers(most, step):
    ticks = plot_distribution({"happy": most}).get_yticks()
    assert set(np.diff(ticks)) == {step}


def test_a_split_is_counted():
    ax = plot_distribution(make_split("sad", "angry", "sad"))
    assert [bar.get_height() for bar in ax.patches] == [1, 0, 0, 0, 2, 0, 0]


def test_a_split_may_be_named_like_an_emotion():
    ax = plot_distribution({"happy": make_split("sad", "sad"), "sad": {"angry": 1}})
    assert [bar.get_height() for bar in ax.patches[:7]] == [0, 0, 0, 0, 2, 0, 0]


def test_splits_stand_side_by_side_in_the_order_given():
    ax = plot_distribution({"Before SMOTE": BEFORE, "After SMOTE": AFTER})
    before, after = (container.patches for container in ax.containers[:2])
    for place, (left, right) in enumerate(zip(before, after, strict=True)):
        assert place - 0.5 < left.get_x() < left.get_x() + left.get_width() <= right.get_x()
        assert right.get_x() + right.get_width() < place + 0.5
        assert to_rgb(left.get_facecolor()) == to_rgb(right.get_facecolor())
        assert left.get_facecolor()[3] < right.get_facecolor()[3] == 1
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["Before SMOTE (1,255)", "After SMOTE (7,504)"]


def test_distribution_legend_and_title_do_not_overlap():
    ax = plot_distribution({"Before SMOTE": BEFORE, "After SMOTE": AFTER})
    ax.figure.canvas.draw()
    legend, title = ax.get_legend().get_window_extent(), ax.title.get_window_extent()
    assert legend.y1 <= title.y0
    assert title.y1 <= ax.figure.bbox.y1


def test_distribution_draws_on_the_given_axes():
    _, ax = plt.subplots()
    assert plot_distribution(BEFORE, ax=ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(
    ("splits", "error", "match"),
    [
        ({}, ValueError, "splits is empty"),
        ([1, 2], TypeError, r"splits must be a Split or counts .* got list"),
        ({"happy": 3, "joy": 4}, TypeError, r"splits\['happy'\] must be a Split"),
        ({"happy": -3}, ValueError, r"splits: the count of 'happy' must be .* got -3"),
        ({"happy": "x"}, TypeError, r"the count of 'happy' must be a whole number .* got 'x'"),
        ({"new": {"sad": 0.5}}, TypeError, r"splits\['new'\]: the count of 'sad' .* got 0.5"),
        ({"happy": 3, "sad": {"sad": 1}}, TypeError, r"splits\['happy'\] must be a Split"),
        ({"train": {"joy": 4}}, TypeError, r"splits\['train'\] .* got \{'joy': 4\}"),
    ],
)
def test_distribution_refuses(splits, error, match):
    with pytest.raises(error, match=match):
        plot_distribution(splits)


def test_ax_must_be_axes():
    with pytest.raises(TypeError, match="ax must be matplotlib Axes, got str"):
        plot_distribution(BEFORE, ax="left")


def test_each_emotion_has_a_named_row_of_its_own_pictures():
    split = make_split(*EMOTIONS * 3)
    grid = plot_samples(split, columns=2)
    assert grid.shape == (7, 2)
    for row, name in zip(grid, EMOTIONS, strict=True):
        assert row[0].get_ylabel() == name
        tag = row[0].yaxis.label.get_bbox_patch()
        assert to_rgb(tag.get_facecolor()) == to_rgb(EMOTION_COLORS[name])
        shown = shown_values(row)
        assert len(set(shown)) == 2
        assert {value % 7 for value in shown} == {EMOTIONS.index(name)}
    assert grid[0, 0].figure.get_suptitle() == "14 of 21 pictures"


def test_rows_with_few_or_no_pictures_stay_empty_there():
    grid = plot_samples(make_split("angry", "angry", "sad"), columns=3)
    assert [len(shown_values(row)) for row in grid] == [2, 0, 0, 0, 1, 0, 0]
    notes = [[text.get_text() for text in row[0].texts] for row in grid]
    assert notes == [[], *[["no pictures"]] * 3, [], *[["no pictures"]] * 2]


@pytest.mark.parametrize(
    ("emotion", "shape", "pictures", "title"),
    [
        ("sad", (2, 4), 8, "Sad: 8 of 9 pictures"),
        ("fear", (1, 4), 3, "Fear: 3 of 3 pictures"),
        ("disgust", (1, 4), 0, "Disgust: 0 of 0 pictures"),
    ],
)
def test_one_emotion_fills_the_grid(emotion, shape, pictures, title):
    split = make_split(*["sad"] * 9, *["fear"] * 3, "happy")
    grid = plot_samples(split, emotion=emotion, columns=4, rows=2)
    assert grid.shape == shape
    shown = shown_values(grid.flat)
    assert len(set(shown)) == len(shown) == pictures
    assert {value % 7 for value in shown} <= {EMOTIONS.index(emotion)}
    assert grid[0, 0].figure.get_suptitle() == title


def test_the_seed_decides_the_choice():
    split = make_split(*["sad"] * 30)
    first, again, other = (
        shown_values(plot_samples(split, emotion="sad", rows=1, random_state=seed).flat)
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_pictures_keep_their_grey_values():
    ax = plot_samples(make_split("happy"), emotion="happy")[0, 0]
    assert ax.images[0].get_clim() == (0, 255)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"emotion": "joy"}, "emotion must be one of angry, .*; got 'joy'"),
        ({"columns": 0}, "columns must be a whole number of at least 1, got 0"),
        ({"rows": -1}, "rows must be a whole number of at least 1, got -1"),
    ],
)
def test_samples_refuse(options, match):
    with pytest.raises(ValueError, match=match):
        plot_samples(make_split("happy"), **options)


def test_samples_need_a_split():
    with pytest.raises(TypeError, match="split must be a Split with images and labels, got dict"):
        plot_samples(BEFORE)


def test_variants_stand_in_the_row_of_their_picture():
    split = make_split("sad", "happy")
    variants = np.stack([split.images[[0, 0, 0]] + 1, split.images[[1, 1, 1]] + 2])
    grid = plot_variants(split, variants)
    assert grid.shape == (2, 4)
    assert [shown_values(row) for row in grid] == [[4, 5, 5, 5], [10, 12, 12, 12]]
    assert [ax.get_ylabel() for ax in grid[:, 0]] == ["sad", "happy"]
    assert grid[0, 0].get_title() == "original"
    assert grid[0, 1].get_title("left") == "changed by chance"


@pytest.mark.parametrize("shape", [(2, 48, 48), (3, 1, 48, 48), (2, 1, 40, 40), (2, 0, 48, 48)])
def test_variants_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be uint8 \(2, 'k', 48, 48\), .* got uint8"):
        plot_variants(make_split("sad", "happy"), np.zeros(shape, np.uint8))
