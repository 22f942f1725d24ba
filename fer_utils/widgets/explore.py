"""Dropdowns, sliders and photos in a notebook, and below them a result that follows them."""

import inspect
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from .picture_input import PictureInput


def explore(
    draw: Callable[..., Any], **choices: Sequence[Any] | Mapping[str, Any] | ipywidgets.Widget
) -> None:
    """Show what a function draws, and above it the means to have it draw something else.

    The result is an output like any other: it is saved with the notebook, and it is there where
    no browser is, as when a notebook is run by a program. Then it is that of each first choice.

    Parameters
    ----------
    draw : callable
        Called with a choice for each name. What it returns is shown: Axes by their figure, a text
        as Markdown, anything else as a notebook shows it.
    **choices : sequence, mapping or ipywidgets.Widget
        Under the names of the function's arguments: what a dropdown offers, in the form that
        `ipywidgets.Dropdown` takes; a widget with a `value`, such as
        ``ipywidgets.FloatSlider(0.5, max=1)``; or a `PictureInput`, whose `image` is chosen. Until
        a picture arrives, `draw` is called without it; one that cannot do without is not called.

    Raises
    ------
    TypeError
        If `draw` cannot be called, or one of the choices is neither a widget nor a list.
    ValueError
        If there is no choice, or a dropdown would have nothing to offer.

    Examples
    --------
    Outside a notebook the objects are named, since nothing can show them:

    >>> explore(lambda emotion: f"You chose {emotion}.", emotion=["happy", "sad"])
    ... # doctest: +ELLIPSIS
    Dropdown(description='emotion', options=('happy', 'sad'), ...
    <IPython.core.display.Markdown object>
    """
    if not callable(draw):
        raise TypeError(f"draw must be a function, got {type(draw).__name__}.")
    if not choices:
        raise ValueError(
            "choices must name one argument of draw at least, got none; write explore(draw, "
            'emotion=["happy", "sad"]).'
        )
    controls = {name: _control(name, choice) for name, choice in choices.items()}

    def result() -> Any:
        chosen = {
            name: getattr(control, _trait(control))
            for name, control in controls.items()
            if not (isinstance(control, PictureInput) and control.image is None)
        }
        if len(chosen) < len(controls) and not _can_be_called(draw, chosen):
            return Markdown("The result appears here when the picture arrives.")
        return _displayable(draw(**chosen))

    for name, control in controls.items():  # in no box: in Colab a PictureInput shows up only so
        if isinstance(control, PictureInput) and len(controls) > 1:
            display(Markdown(f"**{_words(name)}**"))  # it has no name of its own
        display(control)
    shown = display(result(), display_id=True)
    for control in controls.values():
        control.observe(lambda _: shown.update(result()), _trait(control))


def _can_be_called(draw: Callable[..., Any], arguments: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(draw).bind(**arguments)
    except TypeError:
        return False
    return True


def _control(name: str, choice: Any) -> ipywidgets.Widget:
    if isinstance(choice, ipywidgets.Widget):
        return choice
    if not isinstance(choice, Sized):
        raise TypeError(f"{name} must be a widget or a list of choices, got {choice!r}.")
    if not len(choice):
        raise ValueError(f"{name} must offer one choice at least, got none.")
    style = {"description_width": "initial"}
    return ipywidgets.Dropdown(options=choice, description=_words(name), style=style)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _trait(control: ipywidgets.Widget) -> str:
    return "image" if isinstance(control, PictureInput) else "value"


def _displayable(drawn: Any) -> Any:
    if isinstance(drawn, str):
        return Markdown(drawn)
    first = drawn.flat[0] if isinstance(drawn, np.ndarray) and drawn.dtype == object else drawn
    if not isinstance(first, Artist):
        return drawn
    figure = first if isinstance(first, Figure) else first.figure
    plt.close(figure)  # else the notebook shows it once more
    return figure
