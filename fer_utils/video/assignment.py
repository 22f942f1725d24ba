"""The assignment problem: pairs that cost as little as possible in all.

Ours, not SciPy's `linear_sum_assignment`, which gives the same pairs: there are as many faces as
people in view, and SciPy is an eighth of all that recognising would have to install.
"""

import numpy as np

_NONE = -1


def cheapest_pairs(costs: np.ndarray) -> list[tuple[int, int]]:
    """Pair rows with columns, as many as there are of the fewer, at the least sum of costs.

    One row after the other is given a column, along the path of reassignments that adds the least
    to the sum: the Hungarian method (Kuhn, 1955) by shortest paths (Jonker and Volgenant, 1987).

    Parameters
    ----------
    costs : numpy.ndarray
        Shape (rows, columns), finite; either may be 0.

    Returns
    -------
    list of tuple of int
        (row, column) of each pair, in the order of the rows.

    Examples
    --------
    >>> cheapest_pairs(np.array([[1.0, 2.0, 9.0], [1.0, 8.0, 9.0]]))
    [(0, 1), (1, 0)]
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in cheapest_pairs(costs.T))
    row_prices, prices = np.zeros(costs.shape[0]), np.zeros(costs.shape[1])
    row_of = np.full(costs.shape[1], _NONE)
    for start in range(len(costs)):
        added = np.full(len(prices), np.inf)  # by the cheapest known path to each column
        before = np.full(len(prices), _NONE)  # the column before it on that path
        is_settled = np.zeros(len(prices), bool)
        row, column, so_far = start, _NONE, 0.0
        while row != _NONE:
            through = so_far + costs[row] - row_prices[row] - prices
            is_cheaper = ~is_settled & (through < added)
            added[is_cheaper], before[is_cheaper] = through[is_cheaper], column
            column = int(np.argmin(np.where(is_settled, np.inf, added)))
            is_settled[column] = True
            row, so_far = row_of[column], added[column]
        # What keeps every pair's cost at or above its two prices, and those of the chosen at them.
        row_prices[start] += so_far
        passed = is_settled & (row_of != _NONE)
        row_prices[row_of[passed]] += so_far - added[passed]
        prices[is_settled] -= so_far - added[is_settled]
        while column != _NONE:  # back along the path, where each row takes its new column
            row_of[column] = start if before[column] == _NONE else row_of[before[column]]
            column = before[column]
    return sorted((int(row), column) for column, row in enumerate(row_of) if row != _NONE)
