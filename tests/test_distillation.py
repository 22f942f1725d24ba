from types import SimpleNamespace

import numpy as np
import pytest
from made_probabilities import rows

from fer_utils.data import Split
from fer_utils.distillation import blend_labels

SPLIT = Split(np.zeros((3, 48, 48), np.uint8), np.array([0, 3, 6]))
SAID = rows([0, 4, 6], 0.7)
TEACHERS = SimpleNamespace(predict_proba=lambda images: SAID[: len(images)])


def test_a_teacher_who_contradicts_a_label_shares_its_probability():
    doubted = blend_labels(SPLIT, TEACHERS)[1]
    assert doubted[3] == pytest.approx(0.5 + 0.05 / 2)
    assert doubted[4] == pytest.approx(0.7 / 2)


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_labels_and_teachers_have_their_shares(share):
    blended = blend_labels(SPLIT, TEACHERS, share)
    assert blended.dtype == np.float32
    assert np.allclose(blended, share * SAID + (1 - share) * np.eye(7)[[0, 3, 6]])


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_is_no_more_than_all(share):
    with pytest.raises(ValueError, match="share must be between 0 and 1, got"):
        blend_labels(SPLIT, TEACHERS, share)
