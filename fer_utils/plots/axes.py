"""What the plots share: panels, round ticks, texts in the cells of a matrix, networks' colours.

All plots take ``ax=None`` (then they make a figure), return the Axes they drew on and never
call ``plt.show()``. Emotions come in FER2013's order, each in its own colour. Text, background
and grey tones follow matplotlib's current style, so the plots fit light and dark notebooks.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..emotions import ink_on

# They belong to no emotion, are told apart by the colour-blind (IBM's palette) and legible on
# black and on white.
NETWORK_COLORS = ("#785EF0", "#DC267F", "#648FFF", "#FE6100", "#FFB000")

MATRIX_SIZE = (9.5, 5.2)  # inches, of a confusion matrix: as wide as a notebook's output


def new_grid(rows: int, columns: int, size: tuple[float, float], **pads: float) -> np.ndarray:
    """Return Axes (rows, columns) in a new figure of `size` inches, clear of the figure's edge."""
    figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=size, layout="constrained")
    figure.patch.set_alpha(1)  # where a notebook leaves it clear, a dark page would shine through
    figure.get_layout_engine().set(rect=(0.01, 0.01, 0.98, 0.98), **pads)
    return grid


def panels(ax: Any, count: int, *, size: tuple[float, float], most_columns: int = 2) -> np.ndarray:
    """Return `count` Axes in a flat array: those given, else a new figure of `size` inches each."""
    if ax is None:
        columns = _columns(count, most_columns)
        rows = -(-count // columns)
        grid = new_grid(rows, columns, (size[0] * columns, size[1] * rows))
        for spare in grid.flat[count:]:
            spare.remove()
        return grid.flat[:count]
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if not all(isinstance(one, Axes) for one in axes):
        raise TypeError(f"ax must be matplotlib Axes, got {type(ax).__name__}.")
    if len(axes) != count:
        raise ValueError(f"ax must hold {count} Axes, one a panel; got {len(axes)}.")
    return axes


def _columns(count: int, most: int) -> int:
    """Return how many panels to put in a row: as many as leave the fewest places empty."""
    if count <= most:
        return count
    return min(range(most, min(2, most) - 1, -1), key=lambda columns: -count % columns)


def round_ticks(axis: Axis, *, percent: bool = False) -> None:
    """Put an axis's ticks at round numbers, such as 0.2, 0.4 or 20%, 40%, not at 0.25, 0.5."""
    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    if percent:
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 6):g}%"))


def write_in_cells(image: AxesImage, texts: Sequence[Sequence[str]]) -> None:
    """Write a text into each cell of a matrix that `imshow` drew, black or white as reads best.

    Not seaborn's annotations: on middle shades they are white where black is easier to read.
    """
    for (row, column), text in np.ndenumerate(texts):
        if text:
            ink = ink_on(image.to_rgba(image.get_array()[row, column]))
            style = {"ha": "center", "va": "center", "color": ink}
            image.axes.text(column, row, text, **style)


def network_colors(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each network, in the same order; "vote" has that of the text."""
    colors = itertools.cycle(NETWORK_COLORS)
    text = plt.rcParams["text.color"]
    return {name: text if name == "vote" else next(colors) for name in names}
