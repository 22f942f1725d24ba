"""One call to see it: a picture recognised, drawn, shown in a notebook, and saved."""

import functools
from dataclasses import dataclass
from pathlib import Path

from ..images import ColorOrder, ImageSource, load_image
from .drawing import DrawnPicture, draw_faces
from .face_html import CARD_PX, to_html
from .recognizer import EmotionRecognizer, FaceList

# The faces stand beside the picture where there is room, else below it.
_ABREAST = "display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start"


@dataclass(frozen=True, repr=False)
class RecognizedPicture:
    """What `show` returns; as a cell's last line, notebooks show it.

    Parameters
    ----------
    picture : DrawnPicture
        The picture, with its faces drawn on it.
    faces : FaceList
        Its faces.

    Examples
    --------
    >>> seen = fer.show("docs/faces/happy-collins.jpg")
    >>> seen.picture.shape, len(seen.faces)
    ((330, 330, 3), 1)
    """

    picture: DrawnPicture
    faces: FaceList

    def save(self, path: str | Path) -> Path:
        """Write the drawn picture to a file, as `DrawnPicture.save` does.

        Parameters
        ----------
        path : str or Path
            Its suffix says the format: .jpg, .jpeg, .png or .webp.

        Returns
        -------
        Path
            The file.
        """
        return self.picture.save(path)

    def __repr__(self) -> str:
        height, width = self.picture.shape[:2]
        return f"Picture of {width}x{height} px with the faces\n{self.faces}"

    def _repr_html_(self) -> str:
        cards = f'<div style="flex:1 1 {CARD_PX}px">{to_html(self.faces)}</div>'
        return f'<div style="{_ABREAST}">{self.picture._repr_html_()}{cards}</div>'


def show(
    picture: ImageSource,
    *,
    recognizer: EmotionRecognizer | None = None,
    color: ColorOrder = "rgb",
) -> RecognizedPicture:
    """Find the faces in a picture, tell their emotions, and draw them: all in one call.

    As a cell's last line it shows, in a notebook, the picture and its faces.

    Parameters
    ----------
    picture : str, Path, bytes, PIL.Image.Image or numpy.ndarray
        Any picture that `load_image` takes.
    recognizer : EmotionRecognizer, optional
        By default `EmotionRecognizer.load()`, which is loaded once.
    color : {"rgb", "bgr"}
        The order of an array's channels, as `load_image` takes it.

    Returns
    -------
    RecognizedPicture
        With ``.picture``, ``.faces`` and ``.save("out.jpg")``.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_image` raises them.
    TypeError
        If `picture` is no picture, or `recognizer` no EmotionRecognizer.

    Examples
    --------
    >>> from matplotlib.cbook import get_sample_data
    >>> seen = show(get_sample_data("grace_hopper.jpg", asfileobj=False))
    >>> len(seen.faces)
    1
    """
    if not isinstance(recognizer, EmotionRecognizer | None):
        raise TypeError(
            f"recognizer must be an EmotionRecognizer, got {type(recognizer).__name__}."
        )
    pixels = load_image(picture, color=color)
    faces = (recognizer or _shipped_recognizer()).recognize(pixels)
    return RecognizedPicture(draw_faces(pixels, faces), faces)


@functools.cache
def _shipped_recognizer() -> EmotionRecognizer:
    return EmotionRecognizer.load()
