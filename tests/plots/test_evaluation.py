from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb, to_rgba

from fer_utils.emotions import EMOTION_COLORS, EMOTIONS
from fer_utils.plots.evaluation import plot_confusion, plot_history, plot_probabilities
from fer_utils.recognition.recognizer import FaceEmotion

HISTORY = {
    "epoch": [1, 2, 3, 4],
    "loss": [2.0, 1.5, 1.2, 1.0],
    "accuracy": [0.2, 0.4, 0.5, 0.6],
    "val_loss": [1.9, 1.4, 1.5, 1.6],
    "val_accuracy": [0.25, 0.45, 0.51, 0.5],
}


def make_face(top: str = "happy", confidence: float = 0.93, **options: bool) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, (1 - confidence) / 6) | {top: confidence}
    return FaceEmotion((0, 0, 9, 9), 0.9, emotions, **options)


def make_confusion() -> np.ndarray:
    counts = np.diag([30, 3, 20, 1200, 40, 0, 50])
    counts[0, 3] = 10
    return counts


def texts(axes_texts) -> list[str]:
    return [text.get_text() for text in axes_texts]


@pytest.mark.parametrize("history", [HISTORY, pd.DataFrame(HISTORY)], ids=["dict", "frame"])
def test_history_shows_both_curves_and_marks_the_best_epoch(history):
    loss, accuracy = plot_history(history)
    for ax, name, best in ((loss, "loss", (2, 1.4)), (accuracy, "accuracy", (3, 0.51))):
        training, validation, mark = ax.lines
        np.testing.assert_array_equal(training.get_xydata().T, [HISTORY["epoch"], HISTORY[name]])
        np.testing.assert_array_equal(validation.get_ydata(), HISTORY[f"val_{name}"])
        assert tuple(mark.get_xydata()[0]) == best
        assert ax.get_title() == name.capitalize()
    assert texts(loss.get_legend().get_texts())[2] == "best: 1.400 (epoch 2)"
    assert texts(accuracy.get_legend().get_texts())[2] == "best: 51.0% (epoch 3)"


def test_history_without_epochs_counts_them():
    history = {name: HISTORY[name] for name in HISTORY if name != "epoch"}
    axes = plot_history(history)
    np.testing.assert_array_equal(axes[0].lines[0].get_xdata(), [1, 2, 3, 4])


def test_history_of_one_epoch_is_visible():
    axes = plot_history({name: values[:1] for name, values in HISTORY.items()})
    assert all(line.get_marker() in ".o" for ax in axes for line in ax.lines)


def test_history_marks_the_epochs_where_the_picture_size_changes():
    axes = plot_history(HISTORY | {"image_size": [34, 34, 48, 48]})
    for ax in axes:
        assert ax.lines[-1].get_xdata() == [2.5, 2.5]
        assert texts(ax.texts) == ["48 px"]


def test_history_that_diverged_still_plots():
    history = HISTORY | {"val_loss": [1.9, np.nan, np.nan, np.nan], "val_accuracy": [np.nan] * 4}
    loss, accuracy = plot_history(history)
    assert texts(loss.get_legend().get_texts())[-1] == "best: 1.900 (epoch 1)"
    assert texts(accuracy.get_legend().get_texts()) == ["training", "validation"]


@pytest.mark.parametrize(
    ("history", "error", "match"),
    [
        ([1, 2], TypeError, "history must be a DataFrame or a mapping .* got list"),
        ({"loss": [1], "val_loss": [1]}, ValueError, r"lacks \['accuracy', 'val_accuracy'\]"),
        ({name: [] for name in HISTORY}, ValueError, "history is empty"),
        (HISTORY | {"loss": [1, 2]}, ValueError, "as many in each column"),
        (HISTORY | {"loss": ["a", "b", "c", "d"]}, ValueError, "history must hold numbers"),
    ],
)
def test_history_refuses(history, error, match):
    with pytest.raises(error, match=match):
        plot_history(history)


def test_history_needs_two_axes():
    with pytest.raises(ValueError, match="ax must hold 2 Axes, one a panel; got 1"):
        plot_history(HISTORY, ax=plt.subplots()[1])


@pytest.mark.parametrize("wrap", [np.asarray, lambda counts: SimpleNamespace(confusion=counts)])
def test_confusion_shows_counts_coloured_by_share_of_the_row(wrap):
    ax = plot_confusion(wrap(make_confusion()))
    shares = np.asarray(ax.images[0].get_array())
    assert shares[0, 0] == pytest.approx(0.75)
    assert shares[0, 3] == pytest.approx(0.25)
    cells = np.reshape(texts(ax.texts), (7, 7))
    assert cells[0, 0] == "30\n75%"
    assert cells[0, 3] == "10\n25%"
    assert cells[3, 3] == "1,200\n100%"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted emotion", "True emotion")
    assert texts(ax.get_xticklabels()) == texts(ax.get_yticklabels()) == list(EMOTIONS)
    assert ax.get_title() == "Confusion matrix (1,353 pictures, 99.3% right)"


def test_confusion_row_without_pictures_has_no_shares():
    ax = plot_confusion(make_confusion())
    row = EMOTIONS.index("surprise")
    assert not np.asarray(ax.images[0].get_array())[row].any()
    assert np.reshape(texts(ax.texts), (7, 7))[row].tolist() == ["0"] * 7


def test_confusion_of_nothing():
    ax = plot_confusion(np.zeros((7, 7), dtype=int))
    assert ax.get_title() == "Confusion matrix (0 pictures)"


def test_confusion_text_is_light_on_dark_cells_only():
    ax = plot_confusion(make_confusion())
    inks = np.reshape([text.get_color() for text in ax.texts], (7, 7))
    assert inks[3, 3] == "white"
    assert inks[3, 0] == "black"


def test_confusion_draws_on_the_given_axes():
    _, ax = plt.subplots()
    assert plot_confusion(make_confusion(), ax=ax) is ax


@pytest.mark.parametrize(
    ("report", "match"),
    [
        (np.zeros((6, 7), dtype=int), r"counts \(7, 7\); got \(6, 7\)"),
        (np.full((7, 7), 0.5), "whole and not negative"),
        (np.full((7, 7), -1), "whole and not negative"),
        ("report", r"counts \(7, 7\); got \(\)"),
    ],
)
def test_confusion_refuses(report, match):
    with pytest.raises(ValueError, match=match):
        plot_confusion(report)


def test_probabilities_of_one_face():
    (ax,) = plot_probabilities(make_face("sad", 0.88))
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.02] * 4 + [0.88, 0.02, 0.02])
    assert texts(ax.texts) == ["2%"] * 4 + ["88%", "2%", "2%"]
    assert [bar.get_facecolor() for bar in ax.patches] == [
        to_rgba(EMOTION_COLORS[name]) for name in EMOTIONS
    ]
    assert texts(ax.get_yticklabels()) == list(EMOTIONS)
    assert ax.yaxis_inverted()  # angry on top
    assert ax.get_title() == "Sad 88%"


def test_probabilities_of_several_faces_have_numbered_panels():
    axes = plot_probabilities([make_face("sad", 0.5), make_face(), make_face(), make_face()])
    assert axes.shape == (4,)
    assert [ax.get_title() for ax in axes[:2]] == ["Face 1: sad 50%", "Face 2: happy 93%"]
    assert len(axes[0].figure.axes) == 4


def test_probabilities_of_an_unsure_face_say_so():
    (ax,) = plot_probabilities(make_face("sad", 0.34, is_sure=False))
    assert ax.get_title() == "Unsure (sad 34%)"


def test_probabilities_without_a_face_say_so():
    (ax,) = plot_probabilities([])
    assert texts(ax.texts) == ["No face found"]


def test_probabilities_draw_on_the_given_axes():
    _, given = plt.subplots(1, 2)
    assert plot_probabilities([make_face(), make_face()], ax=given).tolist() == given.tolist()


@pytest.mark.parametrize("faces", [None, "happy", [make_face(), 3], {"happy": 0.9}])
def test_probabilities_refuse(faces):
    with pytest.raises(TypeError, match=r"faces must be what EmotionRecognizer\.recognize"):
        plot_probabilities(faces)


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_figures_are_opaque_and_their_text_stands_out(style):
    with plt.style.context(style):
        axes = [plot_confusion(make_confusion()), *plot_history(HISTORY)]
    for ax in axes:
        background = ax.figure.get_facecolor()
        assert background[3] == 1
        assert abs(np.mean(to_rgb(ax.title.get_color())) - np.mean(background[:3])) > 0.8
