import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from fer_utils.network.vgg import build_vgg
from fer_utils.plots.training import plot_architecture, plot_history

HISTORY = {
    "epoch": [1, 2, 3, 4],
    "loss": [2.0, 1.5, 1.2, 1.0],
    "accuracy": [0.2, 0.4, 0.5, 0.6],
    "val_loss": [1.9, 1.4, 1.5, 1.6],
    "val_accuracy": [0.25, 0.45, 0.51, 0.5],
}


def texts(axes_texts) -> list[str]:
    return [text.get_text() for text in axes_texts]


@pytest.mark.parametrize("history", [HISTORY, pd.DataFrame(HISTORY)], ids=["dict", "frame"])
def test_history_shows_both_curves_and_marks_the_epoch_that_is_kept(history):
    loss, accuracy = plot_history(history)
    for ax, name, kept in ((loss, "loss", (3, 1.5)), (accuracy, "accuracy", (3, 0.51))):
        training, validation, mark = ax.lines
        np.testing.assert_array_equal(training.get_xydata().T, [HISTORY["epoch"], HISTORY[name]])
        np.testing.assert_array_equal(validation.get_ydata(), HISTORY[f"val_{name}"])
        assert tuple(mark.get_xydata()[0]) == kept
        assert ax.get_title() == name.capitalize()
    assert texts(loss.get_legend().get_texts())[2] == "kept: 1.500 (epoch 3)"
    assert texts(accuracy.get_legend().get_texts())[2] == "kept: 51.0% (epoch 3)"


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


@pytest.mark.parametrize(
    ("sizes", "accuracies", "kept"),
    [
        ([34, 34, 48, 48], [0.9, 0.2, 0.3, 0.4], 4),  # the last picture size counts
        ([48] * 4, [0.2, 0.5, 0.5, 0.4], 2),  # the first of equal ones
        ([34, 34, 34, 48], [0.9, 0.8, 0.7, 0.1], 4),
        ([48] * 4, [0.2, np.nan, 0.5, np.nan], 3),
    ],
)
def test_the_epoch_that_is_kept_is_the_one_that_training_keeps(sizes, accuracies, kept):
    axes = plot_history(HISTORY | {"image_size": sizes, "val_accuracy": accuracies})
    assert all(ax.lines[2].get_xdata() == [kept] for ax in axes)


def test_history_that_diverged_still_plots():
    history = HISTORY | {"val_loss": [1.9, np.nan, np.nan, np.nan], "val_accuracy": [np.nan] * 4}
    for ax in plot_history(history):
        assert texts(ax.get_legend().get_texts()) == ["training", "validation"]


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


def test_every_counted_layer_has_its_box():
    ax = plot_architecture(build_vgg())

    texts = [text.get_text() for text in ax.texts]
    assert texts[::2] == [
        *["46x46"] * 2,
        *["23x23"] * 3,
        *["11x11"] * 3,
        *["5x5"] * 3,
        "2x2",
        *[""] * 3,
    ]
    channels = [64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512, 512, 1024, 256, 7]
    assert texts[1::2] == [str(count) for count in channels]
    assert sum(isinstance(patch, Rectangle) for patch in ax.patches) == 15


def test_title_and_legend_count_the_layers():
    ax = plot_architecture(build_vgg())

    assert ax.get_title().startswith("15 layers, 7.1 million")
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["8 x convolution", "4 x max-pool", "3 x dense"]


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        ("vgg", TypeError, "model must be a keras.Model, got str"),
        (keras.Sequential([keras.Input((3,)), keras.layers.ReLU()]), ValueError, "has none"),
    ],
)
def test_what_has_no_architecture_is_refused(model, error, match):
    with pytest.raises(error, match=match):
        plot_architecture(model)
