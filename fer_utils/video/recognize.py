"""A video in; out come a table of its faces, a CSV, and the video with the faces drawn on it."""

import csv
import os
import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import av
import pandas as pd

from ..files import checked_target, part_path, printable, unwritable_as_value_error
from ..graceful_exit import held_interrupt
from ..images import ColorOrder
from ..recognition.drawing import DRAWN_MARK, draw_faces
from ..recognition.recognizer import EmotionRecognizer
from .container import ContainerReader, DamagedVideoError
from .frames import VideoFrame
from .image_sequences import PictureReader
from .reader import VideoSource, open_reader
from .smoothing import SMOOTHING_S
from .stream import DETECT_EVERY_S, EmotionStream, TrackedFace
from .tables import FaceTable
from .writer import VideoWriter, letterboxed


def recognize_video(
    source: VideoSource,
    output: str | Path | None = None,
    *,
    table: str | Path | None = None,
    recognizer: EmotionRecognizer | None = None,
    every_s: float = 0.0,
    smoothing_s: float = SMOOTHING_S,
    detect_every_s: float = DETECT_EVERY_S,
    video_track: int | None = None,
    fps: float | None = None,
    color: ColorOrder = "rgb",
    progress: bool = True,
) -> pd.DataFrame:
    """Recognise the emotions in a video, face by face over time.

    When you interrupt it (Ctrl-C; in a notebook, Stop), and where the end of the video is missing,
    it ends early, with a warning: what was done up to there is returned, and the files hold it.
    Any other error is raised, and the files hold what was done up to there as well, but for one
    that cannot be written. A second Ctrl-C gives up and leaves no unfinished file. While they are
    being written, the names of the files end in ``.part``.

    Parameters
    ----------
    source : str, Path, int, binary file object or iterable
        A video file, numbered pictures, a camera's number, an address, or the frames themselves:
        whatever `read_video` takes. Only an address makes a network connection, and only to
        where it points. A camera never ends: interrupt it, or take a part, as below.
    output : str or Path, optional
        Where to write the video with the faces drawn on it, and with its sound: an MP4 that
        plays in browsers, and so in a notebook. Each label begins with the face's number, one
        more than its `face_id`. It has the size of the first frame; frames of another size are
        fitted into it, between black bars. A file there is replaced.
    table : str or Path, optional
        Where to write the table, as a CSV file that grows while the video is read. A file there
        is replaced.
    recognizer : EmotionRecognizer, optional
        By default `EmotionRecognizer.load()`.
    every_s : float
        Seconds from one frame to the next; 0 takes every frame. The others are neither
        recognised nor written to `output`.
    smoothing_s, detect_every_s : float
        As `EmotionStream` takes them.
    video_track, fps, color
        As `read_video` takes them.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        One row a face and frame, in the order of time. Columns source, a path as it was given;
        frame, from 0; time_s, in seconds from the start; face_id, the same while a face stays in
        view; x, y, w, h in px; p_angry to p_neutral, 0-1, smoothed over time; raw_angry to
        raw_neutral, of the frame alone; top, the steady emotion; label, top or "unsure". It is
        all that grows with the video: by less than 200 bytes a row while the video is read, about
        twice that as a table at the end.

    Raises
    ------
    FileNotFoundError
        If there is no such video, or the folder of `output` or `table` does not exist.
    ValueError
        As `read_video` raises it, or the source is damaged from its start; `output` or `table`
        cannot be written, has another ending than ``.mp4`` and ``.csv``, or is the source
        itself; or a number is negative or not finite.
    TypeError
        If an argument is of another type.

    Examples
    --------
    The first ten seconds of the first camera:

    >>> from itertools import takewhile
    >>> from fer_utils import read_video, recognize_video
    >>> frames = takewhile(lambda frame: frame.time_s < 10, read_video(0))  # doctest: +SKIP
    >>> table = recognize_video(frames, "me.mp4")  # doctest: +SKIP
    """
    video_path = None if output is None else checked_target("output", output, ".mp4")
    table_path = None if table is None else checked_target("table", table, ".csv")
    asked = {"every_s": every_s, "video_track": video_track, "fps": fps, "color": color}
    with open_reader(source, **asked, sound=video_path is not None) as reader:
        _check_distinct(reader.path, output=video_path, table=table_path)
        stream = EmotionStream(
            EmotionRecognizer.load() if recognizer is None else recognizer,
            smoothing_s=smoothing_s,
            detect_every_s=detect_every_s,
        )
        with (
            held_interrupt() as interrupted,
            _Results(reader, stream.emotions, video_path, table_path) as results,
        ):
            early = _recognize(reader, stream, results, interrupted, progress)
    if early:
        warnings.warn(early, stacklevel=2)
    return results.rows.to_frame()


def is_drawn_video(path: Path) -> bool:
    """Tell a video that `recognize_video` wrote, under whatever name; its frames are not read."""
    if not path.is_file():  # a pipe would never end
        return False
    try:
        with path.open("rb") as file, av.open(file, format="mp4") as container:
            return container.metadata.get("comment") == DRAWN_MARK
    except (OSError, av.FFmpegError):
        return False


class EndsEarlyWarning(UserWarning):
    """A result that ends before its video does, by Ctrl-C or where the video is damaged.

    Parameters
    ----------
    why : str
        A sentence.
    interrupted : bool
        Whether Ctrl-C ended it; kept as `interrupted`.
    """

    def __init__(self, why: str, *, interrupted: bool) -> None:
        super().__init__(f"{why} The result ends there.")
        self.interrupted = interrupted


def _recognize(
    reader: ContainerReader | PictureReader,
    stream: EmotionStream,
    results: "_Results",
    interrupted: threading.Event,
    progress: bool,
) -> EndsEarlyWarning | None:
    """Fill in the results; return why they end before the video does, if they do."""
    try:
        for item in reader.read(progress=progress):
            if isinstance(item, av.Packet):
                results.add_sound(item)
            else:
                results.add(item, stream.update(item.image, item.time_s))
            if interrupted.is_set():
                why = f"interrupted after {results.frames} frames."
                return EndsEarlyWarning(why, interrupted=True)
    except DamagedVideoError as error:
        if not results.frames:
            raise
        return EndsEarlyWarning(str(error), interrupted=False)
    return None


class _Results:
    """What is written while a video is read: under temporary names, which end in ``.part``.

    At the end of a `with` block the files get their names if any frame came, else they vanish.
    """

    def __init__(
        self,
        reader: ContainerReader | PictureReader,
        emotions: Sequence[str],
        video: Path | None,
        table: Path | None,
    ) -> None:
        self.frames = 0
        self.rows = FaceTable(printable(reader.name), emotions)
        self._size: tuple[int, int] | None = None
        options = {"sound": reader.sound, "comment": DRAWN_MARK}
        self._video = VideoWriter(video, reader.rate, **options) if video else None
        try:
            self._csv = _CsvWriter(table, self.rows.columns) if table else None
        except ValueError:
            if self._video:
                self._video.discard()
            raise

    def add(self, frame: VideoFrame, faces: Sequence[TrackedFace]) -> None:
        rows = self.rows.add(frame.index, frame.time_s, faces)
        if self._csv:
            self._csv.write(rows)
        if self._video:
            drawn = draw_faces(frame.image, faces, numbered=True)
            self._size = self._size or drawn.shape[:2]
            self._video.write(letterboxed(drawn, *self._size), frame.time_s)
        self.frames += 1

    def add_sound(self, packet: av.Packet) -> None:
        if self._video:
            self._video.write_sound(packet)

    def __enter__(self) -> "_Results":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        keep = self.frames and kind is not KeyboardInterrupt
        with ExitStack() as stack:  # so that each gets its turn, even if another one fails
            for writer in filter(None, (self._csv, self._video)):
                stack.callback(writer.finish if keep else writer.discard)


class _CsvWriter:
    """A CSV file that grows row by row."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._part = part_path(path)
        with unwritable_as_value_error(self._path):
            self._file = self._part.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._written_bytes = 0
        try:
            self.write([tuple(columns)])
        except ValueError:
            self.discard()
            raise

    def write(self, rows: Sequence[tuple]) -> None:
        """Add rows, and let others read them at once."""
        with unwritable_as_value_error(self._path):
            self._writer.writerows(rows)
            self._file.flush()
            self._written_bytes = os.fstat(self._file.fileno()).st_size

    def finish(self) -> None:
        """Give the file its name; where the disk was full, without the row that did not fit."""
        with suppress(OSError):
            self._file.close()
        with unwritable_as_value_error(self._path):
            os.truncate(self._part, self._written_bytes)
            os.replace(self._part, self._path)

    def discard(self) -> None:
        """Leave nothing of the file."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._part.unlink()


def _check_distinct(source: Path | None, **targets: Path | None) -> None:
    """Refuse to write a file, or what it is called while it grows, over the one that is read."""
    for argument, target in targets.items():
        names = (target, part_path(target)) if source and target else ()
        if any(os.path.exists(name) and name.samefile(source) for name in names):
            raise ValueError(
                f"{argument} must be another file than the source, also while it is written as "
                f"{part_path(target).name!r}, got {str(target)!r} for the source {str(source)!r}."
            )
