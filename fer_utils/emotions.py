"""The seven emotions: their names in FER2013's label order, and one colour each; and "unsure"."""

import itertools
from collections.abc import Iterable, Sequence

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

_SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "neutrality": "neutral",
}

# The palette of Okabe and Ito (2008), made for the colour-blind, without its black and its
# yellow: those two vanish on a dark and on a light page.
EMOTION_COLORS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "neutral": "#8C8C8C",
}

# For other emotions, once ours are used up: Paul Tol's scheme "muted", without its two palest.
_MORE_COLORS = ("#332288", "#AA4499", "#117733", "#882255", "#44AA99", "#999933", "#CC6677")

# The label of a face whose emotion is not probable enough to be named.
UNSURE = "unsure"
# A grey, as it is no emotion, and darker than "neutral". On black and on white it has the
# contrast of 3 to 1 that WCAG 2.2 asks of graphics.
LABEL_COLORS = EMOTION_COLORS | {UNSURE: "#5E5E5E"}


def colors_of(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each emotion: ours have their own, others what is left, in turn.

    Examples
    --------
    >>> colors_of(["happy", "bored"])
    {'happy': '#E69F00', 'bored': '#D55E00'}
    """
    names = list(names)
    left = [color for name, color in EMOTION_COLORS.items() if name not in names]
    others = itertools.cycle((*left, *_MORE_COLORS))
    return {name: EMOTION_COLORS.get(name) or next(others) for name in names}


def label_color(label: str, emotions: Iterable[str]) -> str:
    """Return the colour of a face's label: one of these emotions, or "unsure"."""
    return LABEL_COLORS.get(label) or colors_of(emotions)[label]


def plain_name(name: str) -> str:
    """Return an emotion's name in lower case, and our word for it where we have one.

    Examples
    --------
    >>> plain_name("Happiness"), plain_name("Bored")
    ('happy', 'bored')
    """
    name = name.strip().lower()
    return _SYNONYMS.get(name, name)


def ours_or(names: Sequence[str]) -> tuple[str, ...]:
    """Return `EMOTIONS` if these names, in whatever order and words, are our seven; else them.

    Examples
    --------
    >>> ours_or(["Anger", "bored"])
    ('Anger', 'bored')
    """
    return EMOTIONS if sorted(map(plain_name, names)) == sorted(EMOTIONS) else tuple(names)


def checked_names(argument: str, names: object) -> tuple[str, ...]:
    """Return the names of the classes that a network or a data set tells apart, as a tuple.

    Parameters
    ----------
    argument : str
        What the messages call them.
    names : list or tuple of str
        Two at least, in an order that counts.

    Raises
    ------
    TypeError
        If it is no list or tuple of texts.
    ValueError
        If there is one name alone, one stands twice, or one is empty, a number or "unsure".

    Examples
    --------
    >>> checked_names("label_order", ["bored", "awake"])
    ('bored', 'awake')
    """
    such_as = 'such as ("surprise", "fear", "disgust")'
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be a list of names, {such_as}, got {names!r}.")
    plain = tuple(name.strip() for name in names)
    if len(plain) < 2:
        raise ValueError(f"{argument} must hold two names at least, {such_as}, got {names!r}.")
    lower = [name.lower() for name in plain]
    for name in plain:
        if lower.count(name.lower()) > 1:
            raise ValueError(f"{argument} must name each once, got {name!r} twice in {names!r}.")
        if not name or name.isdecimal() or name.lower() == UNSURE:
            raise ValueError(
                f"{argument} must hold names, {such_as}; a number, {UNSURE!r} or an empty text is "
                f"none, got {names!r}."
            )
    return plain


def ink_on(rgb: Sequence[float]) -> str:
    """Return "black" or "white", whichever is easier to read on a colour of 0-1 channels.

    By the relative luminance of WCAG 2.2; above 0.179 black has the higher contrast ratio.
    """
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3])
    luminance = sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
    return "black" if luminance > 0.179 else "white"
