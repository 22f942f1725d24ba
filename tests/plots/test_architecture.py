import keras
import pytest
from matplotlib.patches import Rectangle

from fer_utils.network.vgg import build_vgg
from fer_utils.plots.architecture import plot_architecture


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
