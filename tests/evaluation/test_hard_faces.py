import numpy as np
import pytest

from fer_utils.evaluation.hard_faces import most_doubtful, surest_mistakes
from tests.helpers.made_probabilities import rows


def test_only_mistakes_are_found_and_the_surest_come_first():
    said = rows([0, 1, 2, 3], [0.5, 0.9, 0.99, 0.7])
    assert surest_mistakes(said, np.array([1, 2, 2, 4])).tolist() == [1, 3, 0]
    assert surest_mistakes(said, np.arange(4)).tolist() == []


def test_the_nearest_two_emotions_come_first_however_probable_they_are():
    said = np.zeros((3, 7))
    said[0, :3] = 0.4, 0.3, 0.3
    said[1, :2] = 0.95, 0.05
    said[2, :2] = 0.52, 0.48
    assert most_doubtful(said).tolist() == [2, 0, 1]


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="must have a row of 7 for each of the 3 labels"):
        surest_mistakes(rows([0, 1]), np.array([0, 1, 2]))
