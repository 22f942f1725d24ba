import keras
import numpy as np
import pytest
from keras import layers

from fer_utils import SoftVote
from fer_utils.data import Split
from fer_utils.distillation import blend_labels

SPLIT = Split(np.zeros((3, 48, 48), np.uint8), np.array([0, 3, 6]))


def teacher(*favoured: int) -> keras.Model:
    """Return a network that says the same of every face: 0.4 for each of two emotions."""
    start = keras.initializers.Constant(np.log([0.4 if k in favoured else 0.04 for k in range(7)]))
    softmax = layers.Dense(7, "softmax", kernel_initializer="zeros", bias_initializer=start)
    return keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), softmax])


@pytest.fixture(scope="module")
def teachers() -> SoftVote:
    return SoftVote([teacher(3, 4), teacher(3, 5)])


def test_teachers_who_contradict_a_label_share_its_probability(teachers):
    blended = blend_labels(SPLIT, teachers, progress=False)
    assert blended.dtype == np.float32
    assert blended[1] == pytest.approx([0.02, 0.02, 0.02, 0.5 + 0.2, 0.11, 0.11, 0.02])
    assert blended[2] == pytest.approx([0.02, 0.02, 0.02, 0.2, 0.11, 0.11, 0.5 + 0.02])
