"""Recognised faces drawn on their picture, with Pillow alone: quick enough for video.

Ours, not supervision's annotators: those draw OpenCV's records and letters, and know no "unsure".
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from ..emotions import LABEL_COLORS, UNSURE, ink_on
from ..images import check_rgb


class FaceLike(Protocol):
    """What drawing needs of a `FaceEmotion`."""

    box: tuple[int, int, int, int]
    emotions: Mapping[str, float]
    top: str
    label: str
    confidence: float


def draw_faces(
    image: np.ndarray, faces: Sequence[FaceLike], *, numbered: bool = False
) -> np.ndarray:
    """Draw a box with emotion and probability around each face, in grey if it is unsure.

    Parameters
    ----------
    image : ndarray, uint8 (h, w, 3)
        RGB; it stays as it is.
    faces : sequence of FaceEmotion
        With ``box`` (x, y, w, h) in px.
    numbered : bool
        Begin each label with the face's number: the `face_id` of a `TrackedFace`, otherwise 1
        for the first, as in `plot_probabilities`.

    Returns
    -------
    ndarray, uint8 (h, w, 3)
        A new picture.

    Raises
    ------
    TypeError, ValueError
        If `image` is no RGB uint8 array or `faces` holds anything but faces.
    """
    faces = face_list(faces)
    check_rgb(image)
    canvas = Image.fromarray(image).copy()
    draw = ImageDraw.Draw(canvas)
    line_px = max(2, round(min(canvas.size) / 200))
    for face in faces:
        _draw_box(draw, face, line_px)
    for number, face in enumerate(faces, start=1):  # after all boxes: none crosses a label
        prefix = f"{getattr(face, 'face_id', number)}: " if numbered else ""
        _draw_tag(draw, canvas.size, face, prefix + caption(face))
    return np.array(canvas)


def face_list(faces: Any) -> list[FaceLike]:
    """Return one face, or a sequence of them, as a list; TypeError for anything else."""
    if hasattr(faces, "emotions"):
        return [faces]
    found = list(faces) if isinstance(faces, Sequence) else [faces]
    for face in found:
        if not all(hasattr(face, name) for name in FaceLike.__annotations__):
            raise TypeError(
                "faces must be what EmotionRecognizer.recognize returns, a list of FaceEmotion; "
                f"got {type(face).__name__} in it"
            )
    return found


def caption(face: FaceLike) -> str:
    """Return what a tag says about a face: ``"happy 93%"``, or ``"unsure (happy 34%)"``."""
    guess = f"{face.top} {face.confidence:.0%}"
    return f"{UNSURE} ({guess})" if face.label == UNSURE else guess


def _draw_box(draw: ImageDraw.ImageDraw, face: FaceLike, line_px: int) -> None:
    x, y, w, h = face.box
    right, bottom = x + w - 1, y + h - 1
    # A black rim keeps the box visible on a background of its own colour.
    draw.rectangle((x - 1, y - 1, right + 1, bottom + 1), None, "black", line_px + 2)
    draw.rectangle((x, y, right, bottom), None, LABEL_COLORS[face.label], line_px)


def _draw_tag(draw: ImageDraw.ImageDraw, size: tuple[int, int], face: FaceLike, text: str) -> None:
    x, y, w, h = face.box
    color = ImageColor.getrgb(LABEL_COLORS[face.label])
    font, width, height = _fitting_font(text, size, w)
    left = max(0, min(x, size[0] - width))
    # Above the box if there is room, else below, else inside along its upper edge.
    fits = (top for top in (y - height, y + h) if 0 <= top <= size[1] - height)
    top = next(fits, max(0, min(y, size[1] - height)))
    draw.rectangle((left, top, left + width - 1, top + height - 1), color)
    ink = ink_on([channel / 255 for channel in color])
    draw.text((left + width / 2, top + height / 2), text, ink, font, anchor="mm")


def _fitting_font(text: str, size: tuple[int, int], face_px: int) -> tuple[Any, int, int]:
    """Return a font, and the width and height in px of a tag with `text` in it."""
    side = min(size)
    wanted = np.clip(0.16 * face_px, max(11, 0.022 * side), max(11, 0.04 * side))
    font_px = int(min(wanted, size[0] / _tag_width_em(text), size[1] / 1.5))
    font_px = max(1, font_px)
    return _font(font_px), int(_tag_width_em(text) * font_px), int(1.5 * font_px)


def _tag_width_em(text: str) -> float:
    return _font(100).getlength(text) / 100 + 0.8


@lru_cache(maxsize=64)
def _font(size_px: int) -> Any:
    return ImageFont.load_default(size=size_px)
