"""Recognised faces drawn on their picture, with Pillow alone: quick enough for video.

Ours, not supervision's annotators: those draw OpenCV's records and letters, and know no "unsure".
"""

import base64
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import ExifTags, Image, ImageColor, ImageDraw, ImageFont

from ..emotions import UNSURE, colors_of, ink_on, label_color
from ..files import checked_target, unwritable_as_value_error, write_whole
from ..images import ColorOrder, ImageSource, check_rgb, load_image

SAVED_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# In the metadata of what is saved: file names may change, and may be those of others.
DRAWN_MARK = "fer_utils: faces drawn"
# The longer side of what notebooks show, and keep, of a larger picture.
_SHOWN_PX = 1280
# A dash of an unsure face's box, and the gap after it, as multiples of the line's thickness.
_DASH, _GAP = 4, 3


def png_address(picture: Image.Image) -> str:
    """Return an address for HTML that holds all of a picture."""
    png = io.BytesIO()
    picture.save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


class FaceLike(Protocol):
    """What drawing needs of a `FaceEmotion`."""

    box: tuple[int, int, int, int]
    emotions: Mapping[str, float]
    top: str
    label: str
    confidence: float


class DrawnPicture(np.ndarray):
    """A picture with faces drawn on it: an array that can be saved, and that notebooks show.

    `draw_faces` returns it.

    Parameters
    ----------
    pixels : ndarray, uint8 (h, w, 3)
        RGB; the memory is shared.

    Examples
    --------
    >>> fer.draw_faces(np.zeros((48, 64, 3), np.uint8), []).shape
    (48, 64, 3)
    """

    def __new__(cls, pixels: np.ndarray) -> "DrawnPicture":
        return pixels.view(cls)

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file; one that is there already is replaced.

        Its metadata (EXIF, Software) say that faces are drawn on it: by that, the command ``fer``
        leaves it out when it is given the folder.

        Parameters
        ----------
        path : str or Path
            Its suffix says the format: .jpg, .jpeg, .png or .webp.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        FileNotFoundError
            If the folder of `path` does not exist.
        ValueError
            If `path` has another suffix, or cannot be written; or this is no RGB uint8 picture any
            more, but a part of one or the result of a calculation.
        TypeError
            If `path` is no path.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw_faces(np.zeros((48, 64, 3), np.uint8), []).save(f"{folder}/out.jpg").name
        'out.jpg'
        """
        target = checked_target("path", path, *SAVED_SUFFIXES)
        check_rgb(self)
        picture = Image.fromarray(self)
        exif = Image.Exif()
        exif[ExifTags.Base.Software] = DRAWN_MARK
        with unwritable_as_value_error(target, "path"):
            write_whole(target, lambda temporary: picture.save(temporary, quality=95, exif=exif))
        return target

    # No _repr_png_: notebooks give such a picture no words for those who cannot see it.
    def _repr_html_(self) -> str | None:
        try:
            check_rgb(self)
        except ValueError:  # a part of one, or the result of a calculation: shown as numbers
            return None
        shown = Image.fromarray(self)
        shown.thumbnail((_SHOWN_PX, _SHOWN_PX))
        words = "The picture, with a box and a label at each face that was found"
        return f'<img alt="{words}" style="max-width:100%" src="{png_address(shown)}">'


def is_drawn(path: Path) -> bool:
    """Tell a file that `DrawnPicture.save` wrote, under whatever name; its pixels are not read."""
    if not (path.suffix.lower() in SAVED_SUFFIXES and path.is_file()):  # a pipe would never end
        return False
    try:
        with Image.open(path) as image:
            return DRAWN_MARK.encode() in image.info.get("exif", b"")
    # On damaged bytes Pillow raises nearly anything, and who reads the picture tells it.
    except Exception:
        return False


def draw_faces(
    image: ImageSource,
    faces: Sequence[FaceLike],
    *,
    numbered: bool | None = None,
    color: ColorOrder = "rgb",
) -> DrawnPicture:
    """Draw a box with emotion and probability around each face, a dashed one if it is unsure.

    Parameters
    ----------
    image : str, Path, bytes, PIL.Image.Image or numpy.ndarray
        The picture in which they were found, as `load_image` takes it; it stays as it is.
    faces : sequence of FaceEmotion
        With `box` (x, y, w, h) in px.
    numbered : bool, optional
        Whether each label begins with the face's number, as `face_number` tells it; by default
        where there are several faces.
    color : {"rgb", "bgr"}
        The order of an array's channels, as `load_image` takes it; what comes out is RGB.

    Returns
    -------
    DrawnPicture
        A new picture, uint8 (h, w, 3), RGB; ``.save("out.jpg")`` writes it to a file.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_image` raises them.
    TypeError
        If `image` is no picture, or `faces` holds anything but faces.

    Examples
    --------
    >>> faces = fer.EmotionRecognizer.load().recognize("docs/faces/happy-collins.jpg")
    >>> fer.draw_faces("docs/faces/happy-collins.jpg", faces).shape
    (330, 330, 3)
    """
    faces = face_list(faces)
    canvas = Image.fromarray(load_image(image, color=color))  # of RGB always a copy
    draw = ImageDraw.Draw(canvas)
    line_px = max(2, round(min(canvas.size) / 200))
    for face in faces:
        _draw_box(draw, face, line_px)
    numbered = len(faces) > 1 if numbered is None else numbered
    for place, face in enumerate(faces):  # after all boxes: none crosses a label
        prefix = f"{face_number(face, place)}: " if numbered else ""
        _draw_tag(draw, canvas.size, face, prefix + caption(face))
    return DrawnPicture(np.array(canvas))


def face_number(face: FaceLike, place: int) -> int:
    """Return the number that a face is shown with, from 1: one more than its `face_id` in tables.

    A face without an id of its own has that of its place among its picture's faces, from 0.
    """
    return getattr(face, "face_id", place) + 1


def face_list(faces: Any) -> list[FaceLike]:
    """Return one face, or a sequence of them, as a list; TypeError for anything else."""
    if hasattr(faces, "emotions"):
        return [faces]
    found = list(faces) if isinstance(faces, Sequence) else [faces]
    for face in found:
        if not all(hasattr(face, name) for name in FaceLike.__annotations__):
            raise TypeError(
                "faces must be what EmotionRecognizer.recognize returns, a list of FaceEmotion; "
                f"got {type(face).__name__} in it."
            )
    return found


def caption(face: FaceLike) -> str:
    """Return what a tag says about a face: ``"happy 93%"``, or ``"unsure (happy 34%)"``."""
    guess = f"{face.top} {face.confidence:.0%}"
    return f"{UNSURE} ({guess})" if face.label == UNSURE else guess


def describe(face: FaceLike) -> str:
    """Return a face in a few words: ``"happy 93% at (10, 20), 90x90 px"``."""
    x, y, w, h = face.box
    return f"{caption(face)} at ({x}, {y}), {w}x{h} px"


def _draw_box(draw: ImageDraw.ImageDraw, face: FaceLike, line_px: int) -> None:
    x, y, w, h = face.box
    right, bottom = x + w - 1, y + h - 1
    # A black rim keeps the box visible on a background of its own colour.
    draw.rectangle((x - 1, y - 1, right + 1, bottom + 1), None, "black", line_px + 2)
    color = colors_of(face.emotions)[face.top]
    if face.label != UNSURE:
        draw.rectangle((x, y, right, bottom), None, color, line_px)
        return
    for start, end in _dashes(w, line_px):
        draw.rectangle((x + start, y, x + end, y + line_px - 1), color)
        draw.rectangle((x + start, bottom - line_px + 1, x + end, bottom), color)
    for start, end in _dashes(h, line_px):
        draw.rectangle((x, y + start, x + line_px - 1, y + end), color)
        draw.rectangle((right - line_px + 1, y + start, right, y + end), color)


def _dashes(side_px: int, line_px: int) -> list[tuple[int, int]]:
    """Return where a side's dashes start and end, in px: one in each corner, none cut short."""
    dash, period = _DASH * line_px, (_DASH + _GAP) * line_px
    gaps = max(1, round((side_px - dash) / period))
    starts = np.linspace(0, max(0, side_px - dash), gaps + 1).round().astype(int).tolist()
    return [(start, min(start + dash, side_px) - 1) for start in starts]


def _draw_tag(draw: ImageDraw.ImageDraw, size: tuple[int, int], face: FaceLike, text: str) -> None:
    x, y, w, h = face.box
    color = ImageColor.getrgb(label_color(face.label, face.emotions))
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
