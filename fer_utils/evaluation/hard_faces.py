"""Which faces are worth a look: those named wrong and yet surely, and those most in doubt."""

import numpy as np

from .calibration import check_probabilities


def surest_mistakes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the places of the faces that are named wrong, the surest first.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 7)
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (number of mistakes,)

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or hold what is no probability or no label.

    Examples
    --------
    >>> said = np.array([[0.6, 0.4, 0, 0, 0, 0, 0], [0, 0.9, 0.1, 0, 0, 0, 0]])
    >>> surest_mistakes(said, np.array([1, 2])).tolist()
    [1, 0]
    """
    check_probabilities({"of the network": probabilities}, labels)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def most_doubtful(probabilities: np.ndarray) -> np.ndarray:
    """Return the places of all faces, first those whose two likeliest emotions are nearest.

    The margin of active learning (Scheffer et al., 2001).

    Parameters
    ----------
    probabilities : ndarray, shape (n, 7)

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> said = np.array([[0.9, 0.1, 0, 0, 0, 0, 0], [0, 0.4, 0.35, 0.25, 0, 0, 0]])
    >>> most_doubtful(said).tolist()
    [1, 0]
    """
    likeliest = np.sort(probabilities, axis=1)[:, -2:]
    return np.argsort(likeliest[:, 1] - likeliest[:, 0], kind="stable")
