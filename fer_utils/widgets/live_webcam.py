"""Emotions live: the webcam in a notebook's output, and the table of what it saw."""

import io
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from PIL import Image, ImageColor

from ..emotions import LABEL_COLORS, UNSURE, colors_of, ink_on
from ..files import checked_target, unwritable_as_value_error, write_whole
from ..images import load_image
from ..recognition.drawing import caption, draw_faces, png_address
from ..recognition.recognizer import EmotionRecognizer
from ..video.stream import EmotionStream, TrackedFace
from ..video.tables import FaceTable
from .browser_files import joined

# Not text/html: a place that shows widgets might prefer it to the widget.
_WITHOUT_WIDGETS = (
    "The live webcam needs a notebook that shows widgets, with a running kernel: JupyterLab, "
    'Notebook 7 or Colab. Without one, recognise a still picture: recognize("photo.jpg").'
)


def webcam(recognizer: EmotionRecognizer) -> "LiveWebcam":
    """Recognise emotions live with the webcam, in a notebook's output.

    Leave it as a cell's last line to show it, in JupyterLab, Notebook 7 or Colab. Start opens
    the camera; boxes, labels and a small chart then follow the faces. Stop, running the cell
    again, clearing its output and leaving the page close it. It answers as fast as the kernel
    can: pictures that come faster are left out. A notebook that sends widget messages to the
    kernel's main thread, as Colab does, shows nothing new while a cell is running.

    The pictures go from the browser to this kernel and nowhere else, scaled down to 640 px at
    most, and are never saved in the notebook.

    In Colab this can only be tried by hand; it is tested in JupyterLab. The browser offers the
    camera to pages on https or localhost only.

    Parameters
    ----------
    recognizer : EmotionRecognizer
        Finds and classifies the faces.

    Returns
    -------
    LiveWebcam
        The widget. After Stop, `to_frame()` has the table and `snapshot()` a picture; the button
        Snapshot also links it, to be downloaded.

    Raises
    ------
    TypeError
        If `recognizer` is no EmotionRecognizer.

    Examples
    --------
    >>> camera = fer.webcam(fer.EmotionRecognizer.load())
    >>> len(camera.to_frame())  # until Start was pressed in the notebook
    0
    """
    return LiveWebcam(EmotionStream(recognizer))


def _build_palette(emotions: Sequence[str]) -> dict[str, Any]:
    """Return the emotions' names, and for each label its colour and that of text on it."""
    labels = colors_of(emotions) | {UNSURE: LABEL_COLORS[UNSURE]}
    colors = {label: (color, _ink_on_hex(color)) for label, color in labels.items()}
    return {"emotions": [*emotions], "colors": colors}


def _ink_on_hex(color: str) -> str:
    return ink_on([channel / 255 for channel in ImageColor.getrgb(color)])


class LiveWebcam(anywidget.AnyWidget):
    """The widget that `webcam` returns.

    Start after Stop goes on with the same table; its `time_s` counts from the first Start.

    Parameters
    ----------
    stream : EmotionStream
        Is shown the pictures, one after the other.

    Attributes
    ----------
    error : Exception or None
        What stopped the widget last while it worked on a picture; ``raise camera.error`` shows
        where. The widget shows its message.
    """

    _esm = joined("widget.js", "live_drawing.js", "live_webcam.js")
    _css = joined("widget.css", "live_webcam.css")
    _palette = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, stream: EmotionStream) -> None:
        super().__init__()
        self.set_trait("_palette", _build_palette(stream.emotions))
        self.error: Exception | None = None
        self._stream = stream
        self._session: str | None = None
        self._first_start_s: float | None = None
        self._offset_s = self._time_s = 0.0
        self._pictures = 0
        self._table = FaceTable("webcam", stream.emotions)
        self._newest: tuple[np.ndarray, Sequence[TrackedFace]] | None = None
        self._kept = self._newest
        # JupyterLab hands messages to a thread of their own, so that they arrive during a cell.
        self._lock = threading.Lock()
        # Messages, not synchronised traits: those are saved with the notebook.
        self.on_msg(self._receive)

    def to_frame(self) -> pd.DataFrame:
        """Put all that was seen into a tidy table, one row a face and picture.

        Returns
        -------
        pandas.DataFrame
            The columns of a video's table: source, which is "webcam"; frame, the number of the
            picture among those looked at, from 0; time_s; face_id; x, y, w, h in px; p_angry to
            p_neutral, smoothed, and raw_angry to raw_neutral, 0-1; top; label, top or "unsure".
            It is kept in memory: under 200 bytes a row.
        """
        with self._lock:
            return self._table.to_frame()

    def snapshot(self, path: str | Path | None = None) -> np.ndarray:
        """Return the picture that the button Snapshot kept, else the newest one.

        Parameters
        ----------
        path : str or Path, optional
            Also save it here, as a PNG file. A file there is replaced.

        Returns
        -------
        numpy.ndarray
            uint8, shape (h, w, 3), RGB, with boxes and labels; not mirrored.

        Raises
        ------
        FileNotFoundError
            If the folder of `path` does not exist.
        ValueError
            If no picture was taken yet, or `path` does not end in ``.png`` or cannot be written.
        TypeError
            If `path` is no path.
        """
        target = None if path is None else checked_target("path", path, ".png")
        with self._lock:
            kept = self._kept or self._newest
        if kept is None:
            raise ValueError("there is no picture yet: show the widget and press Start first.")
        drawn = draw_faces(*kept)
        if target is not None:
            _save_png(drawn, target)
        return drawn

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/plain": _WITHOUT_WIDGETS}, metadata

    def _receive(self, _: object, content: dict, buffers: list[memoryview]) -> None:
        answers: dict[str, Callable[[dict, list[memoryview]], dict]] = {
            "start": self._on_start,
            "frame": self._on_frame,
            "keep": self._on_keep,
        }
        if (kind := content.get("kind")) not in answers:
            return
        try:
            with self._lock:
                answer = answers[kind](content, buffers)
        # Jupyter would hide it in a log: show it in the widget, whatever it is.
        except Exception as error:
            self.error = error
            answer = {"error": _explanation(error)}
        self.send({"question": content["question"], **answer})

    def _on_start(self, content: dict, _: list[memoryview]) -> dict:
        self._session = content["session"]
        now_s = time.monotonic()
        if self._first_start_s is None:
            self._first_start_s = now_s
        self._offset_s = now_s - self._first_start_s
        return {}

    def _on_frame(self, content: dict, buffers: list[memoryview]) -> dict:
        if content["session"] != self._session:
            return {"error": "Stopped, because the webcam was started in another place."}
        image = load_image(Image.open(io.BytesIO(bytes(buffers[0]))))
        time_s = self._advance(content["time_s"])
        faces = self._stream.update(image, time_s)
        self._table.add(self._pictures, time_s, faces)
        self._pictures += 1
        self._newest = image, faces
        return {"faces": [_to_message(face) for face in faces]}

    def _advance(self, time_s: float) -> float:
        """Return the time from the first Start on, given the browser's from the last."""
        # Where the browser's clock falls behind, as may happen when a computer sleeps, time goes
        # on from the last picture: the stream takes no earlier one, and table and chart need none.
        self._offset_s = max(self._offset_s, self._time_s - time_s)
        self._time_s = max(self._time_s, self._offset_s + time_s)  # but for a rounding error
        return self._time_s

    def _on_keep(self, *_: object) -> dict:
        if self._newest is None:
            return {"error": "There is no picture yet. Wait for the first one, then try again."}
        self._kept = self._newest
        return {"address": png_address(Image.fromarray(draw_faces(*self._kept)))}


def _to_message(face: TrackedFace) -> dict[str, Any]:
    return {
        "id": face.face_id,
        "box": list(face.box),
        "top": face.top,
        "label": face.label,
        "caption": caption(face),
        "emotions": list(face.emotions.values()),
    }


def _explanation(error: Exception) -> str:
    if not threading.main_thread().is_alive():  # Python ends, and with it what pictures need
        return "The kernel is ending, so the camera is off. Run the cells again."
    return f"Stopped by an error in the kernel. {type(error).__name__}: {error}"


def _save_png(image: np.ndarray, path: Path) -> None:
    with unwritable_as_value_error(path, "path"):
        write_whole(path, lambda temporary: Image.fromarray(image).save(temporary, "PNG"))
