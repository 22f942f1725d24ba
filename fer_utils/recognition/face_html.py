"""Recognised faces as notebooks show them: each with its thumbnail, its label and small bars.

All styles stand in the elements, and text has the page's own colour: notebooks may strip style
sheets, and are light or dark.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from ..emotions import UNSURE, colors_of
from .drawing import FaceLike, caption, face_number, png_address

CARD_PX = 330  # a card's width, about
_LIST = "display:flex;flex-wrap:wrap;gap:10px;font-size:12px;line-height:1.35"
_CARD = (
    "display:flex;gap:10px;padding:8px;border:2px {line} {color};border-radius:8px;color:inherit"
)
_BAR = "display:grid;grid-template-columns:5em 90px 3em;gap:6px;align-items:center"
_TRACK = "height:8px;border-radius:3px;background:rgba(128,128,128,.25)"
_FILL = "height:8px;border-radius:3px;width:{share:.0%};background:{color}"


def to_html(faces: Sequence[FaceLike]) -> str:
    """Return the faces of a picture as HTML, each on a card: numbered where there are several.

    A card's border has the colour of the emotion, and is dashed where the face is unsure.
    """
    if not faces:
        return "<p>No face found.</p>"
    if len(faces) == 1:
        cards = [_card(faces[0], "")]
    else:
        cards = [_card(face, f"{face_number(face, place)}: ") for place, face in enumerate(faces)]
    return f'<div style="{_LIST}">{"".join(cards)}</div>'


def image_tag(pixels: np.ndarray, text: str, side_px: int) -> str:
    """Return a square picture, uint8, grey or RGB, as HTML that holds all of it."""
    source = png_address(Image.fromarray(pixels))
    style = f"width:{side_px}px;height:{side_px}px;border-radius:4px;margin:0"
    return f'<img alt="{text}" style="{style}" src="{source}">'


def _card(face: FaceLike, prefix: str) -> str:
    title = escape(prefix + caption(face))
    crop = getattr(face, "crop", None)  # faces of a video have none
    picture = "" if crop is None else image_tag(crop, title, 96)
    colors = colors_of(face.emotions)
    style = _CARD.format(line="dashed" if face.label == UNSURE else "solid", color=colors[face.top])
    bars = "".join(_bar(name, share, colors[name]) for name, share in face.emotions.items())
    return f'<div style="{style}">{picture}<div><b>{title}</b>{bars}</div></div>'


def _bar(name: str, share: float, color: str) -> str:
    fill = _FILL.format(share=share, color=color)
    return (
        f'<div style="{_BAR}"><span>{escape(name)}</span>'
        f'<div style="{_TRACK}"><div style="{fill}"></div></div><span>{share:.0%}</span></div>'
    )
