"""What notebooks say where a long text or an empty table would stand."""

import pandas as pd
from IPython.display import Markdown

from ..quiet_keras import keras


def folded(title: str, text: str) -> Markdown:
    """Return a text that a notebook shows folded away under its title, until that is clicked.

    Parameters
    ----------
    title : str
    text : str
        Markdown.

    Examples
    --------
    >>> print(folded("In words", "- SMOTE wins.").data)
    <details><summary>In words</summary>
    <BLANKLINE>
    - SMOTE wins.
    <BLANKLINE>
    </details>
    """
    return Markdown(f"<details><summary>{title}</summary>\n\n{text}\n\n</details>")


def folded_summary(model: keras.Model) -> Markdown:
    """Return all layers of a network, as Keras lists them, folded away."""
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return folded(f"All layers of {model.name}", "\n".join(["```", *lines, "```"]))


def or_none_found(table: pd.DataFrame) -> pd.DataFrame | Markdown:
    """Return a table to be shown, or words where it has no row.

    Examples
    --------
    >>> or_none_found(pd.DataFrame({"copies": []})).data
    'None found.'
    """
    return table if len(table) else Markdown("None found.")
