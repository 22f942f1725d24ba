"""The seven emotions: their names in FER2013's label order, and one colour each; and "unsure"."""

from collections.abc import Sequence

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

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

# The label of a face whose emotion is not probable enough to be named.
UNSURE = "unsure"
# A grey, as it is no emotion, and darker than "neutral". On black and on white it has the
# contrast of 3 to 1 that WCAG 2.2 asks of graphics.
LABEL_COLORS = EMOTION_COLORS | {UNSURE: "#5E5E5E"}


def ink_on(rgb: Sequence[float]) -> str:
    """Return "black" or "white", whichever is easier to read on a colour of 0-1 channels.

    By the relative luminance of WCAG 2.2; above 0.179 black has the higher contrast ratio.
    """
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3])
    luminance = sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
    return "black" if luminance > 0.179 else "white"
