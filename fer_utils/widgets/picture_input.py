"""One picture, taken with the webcam or chosen from the files, in a notebook's output."""

import io

import anywidget
import numpy as np
import traitlets
from PIL import Image

from ..images import load_image
from .browser_files import joined

_NO_PICTURE = "This file cannot be read as a picture. Choose a complete JPEG or PNG file."


class PictureInput(anywidget.AnyWidget):
    """A widget to take a photo with the webcam, or to choose a picture's file.

    Leave it as a cell's last line to show it, in JupyterLab, Notebook 7 or Colab. The picture
    goes from the browser to this kernel and nowhere else, scaled down to 1920 px at most. It
    is not saved with the notebook. It arrives when the kernel is idle: read it in a later
    cell, or be told of it with ``observe(function, "image")``.

    Attributes
    ----------
    image : numpy.ndarray or None
        The last picture: uint8, shape (h, w, 3), RGB. None as long as there is none.
    error : str
        Why the last file could not be read, else empty. The widget shows it too.

    Examples
    --------
    >>> own = fer.PictureInput()
    >>> own.image is None  # until a picture was chosen in the notebook
    True
    """

    _esm = joined("widget.js", "picture_input.js")
    _css = joined("widget.css", "picture_input.css")

    image = traitlets.Instance(np.ndarray, allow_none=True, read_only=True)
    error = traitlets.Unicode(read_only=True)

    def __init__(self) -> None:
        super().__init__()
        # A message, not a synchronised trait: those are saved with the notebook.
        self.on_msg(self._receive)

    def _receive(self, _: object, content: dict, buffers: list[memoryview]) -> None:
        if content.get("kind") != "picture":
            return
        image = _decode(bytes(buffers[0]))
        self.set_trait("error", _NO_PICTURE if image is None else "")
        self.set_trait("image", image)
        height, width = (0, 0) if image is None else image.shape[:2]
        self.send({"kind": "received", "width": width, "height": height, "error": self.error})


def _decode(data: bytes) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return load_image(image)
    # On damaged bytes Pillow raises nearly anything, and nobody can catch what is raised here.
    except Exception:
        return None
