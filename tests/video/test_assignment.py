import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from fer_utils.video.assignment import cheapest_pairs


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 6), (6, 1), (2, 2), (5, 5), (4, 9), (9, 4), (30, 30)]
)
def test_the_sum_is_scipys(shape):
    rng = np.random.default_rng(0)
    for _ in range(50):
        costs = rng.random(shape)
        assert cheapest_pairs(costs) == list(
            zip(*map(list, linear_sum_assignment(costs)), strict=True)
        )


def test_equal_and_capped_costs_cost_no_more_than_scipys():
    rng = np.random.default_rng(1)
    for _ in range(200):
        costs = np.minimum(rng.integers(0, 6, rng.integers(1, 8, 2)), 3).astype(float)
        pairs = cheapest_pairs(costs)
        rows, columns = map(set, zip(*pairs, strict=True))
        assert len(rows) == len(columns) == len(pairs) == min(costs.shape)
        least = costs[linear_sum_assignment(costs)].sum()
        assert sum(costs[pair] for pair in pairs) == least


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_pair(shape):
    assert cheapest_pairs(np.zeros(shape)) == []
