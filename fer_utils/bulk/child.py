"""The process that looks at pictures, where a damaged file may crash it: see `worker`.

``python -m fer_utils.bulk.child`` speaks JSON by its input and its output, a line a message. It
is first told how to make its recognizer, then one task after the other.
"""

import importlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..graceful_exit import warnings_as_lines
from ..images import UnreadableImageError, load_encoded
from ..recognition.folder import GONE, load_listed, recognize_readable
from ..recognition.recognizer import BATCH_SIZE, EmotionRecognizer, FaceEmotion
from ..video.recognize import recognize_video
from .parquet_output import column_types
from .places import first_line, is_address, place_of, read_bytes
from .source import Item, Task, pictures_in

_ROWS_A_MESSAGE = 4096
_NOT_IN_A_VIDEO = (None, None)  # frame and time


def main() -> None:
    """Do what the input says, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    threading.Thread(target=_end_with_parent, args=[os.getppid()], daemon=True).start()
    answers = _own_output()

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    told = json.loads(sys.stdin.readline())
    try:
        recognizer = make_recognizer(told["maker"], told["options"], told["threads"])
    except (ValueError, TypeError, OSError, ImportError) as error:
        answer(error=str(error))
        return
    answer(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)
        task = Task.from_json(asked["task"])
        try:
            if task.is_video:
                _answer_video(answer, recognizer, task.items[0], told["every_s"])
            else:
                _answer_pictures(answer, recognizer, task, asked["first"], asked["alone"])
            answer(end=True)
        except BrokenPipeError:  # nobody listens
            os._exit(1)


def make_recognizer(
    maker: str, options: dict[str, Any], threads: int | None = None
) -> EmotionRecognizer:
    """Call what "module:name" stands for."""
    module, _, name = maker.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found(**options, threads=threads)


def _end_with_parent(parent: int) -> None:
    """End, even in the middle of a long video, when the process that asks was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _own_output() -> Any:
    """Keep the output for messages: what libraries print goes to the error output."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _answer_pictures(
    answer: Callable, recognizer: EmotionRecognizer, task: Task, first: int, alone: bool
) -> None:
    """Tell the number of each picture before it is read, and their rows when some are done."""

    def loads() -> Iterator[Callable[[], np.ndarray]]:
        for number, (_, load) in enumerate(some, first):
            answer(at=number)
            yield load

    pictures = _pictures(task, first)
    while some := list(islice(pictures, 1 if alone else BATCH_SIZE)):
        found = recognize_readable(recognizer.recognize_batch, loads())
        rows = []
        for (name, _), (status, faces) in zip(some, found, strict=True):
            rows += [
                [name, status, face_id, *_values(face), *_NOT_IN_A_VIDEO]
                for face_id, face in enumerate(faces)
            ] or [[name, status]]
        first += len(some)
        answer(rows=rows, next=first)


def _values(face: FaceEmotion) -> list:
    return [*face.box, *face.emotions.values(), face.top, face.label]


def _pictures(task: Task, first: int) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    if task.row_group is None:
        for item in task.items[first:]:
            yield item.name, partial(_load, item)
        return
    try:
        for name, content in pictures_in(task, first):
            yield name, partial(load_encoded, content or b"", name)
    except (OSError, ValueError) as error:
        name = f"{task.items[0].name}, row group {task.row_group}"
        yield name, partial(_refuse, UnreadableImageError(name, first_line(error)))


def _refuse(error: UnreadableImageError) -> NoReturn:
    raise error


def _load(item: Item) -> np.ndarray:
    if not is_address(item.where):
        return load_listed(Path(item.where))
    try:
        content = read_bytes(item.where)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UnreadableImageError(repr(item.where), first_line(error)) from error
    return load_encoded(content, item.where)


def _answer_video(
    answer: Callable, recognizer: EmotionRecognizer, item: Item, every_s: float
) -> None:
    answer(at=0)
    rows = _rows_of_video(recognizer, item, every_s)
    while len(rows) > _ROWS_A_MESSAGE:
        answer(rows=rows[:_ROWS_A_MESSAGE], next=0)
        rows = rows[_ROWS_A_MESSAGE:]
    answer(rows=rows, next=1)


def _rows_of_video(recognizer: EmotionRecognizer, item: Item, every_s: float) -> list[list]:
    """Return the rows of a video; where it is damaged, the last one says so."""
    problem, rows = "", []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            files, path = place_of(item.where)
            if not is_address(item.where) and Path(path).exists() and not Path(path).is_file():
                raise ValueError("it is no regular file")  # to read a pipe might never end
            with files.open_input_file(path) as file:
                table = recognize_video(
                    file if is_address(item.where) else path,
                    recognizer=recognizer,
                    every_s=every_s,
                    progress=False,
                )
            types = column_types(recognizer.emotions)
            columns = [table[name].tolist() for name in types if name != "status"]
            rows = [[name, "ok", *rest] for name, *rest in zip(*columns, strict=True)]
        except FileNotFoundError:
            problem = GONE
        except (OSError, ValueError) as error:
            problem = first_line(error)
    problem = "; ".join([problem] * bool(problem) + [str(one.message) for one in caught])
    for row in rows:
        row[0] = item.name
    if problem or not rows:
        rows.append([item.name, _without_name(problem) or "no face"])
    return rows


def _without_name(problem: str) -> str:
    """Leave out the beginning of a message, "source: 'a.mp4' ": the row says it already."""
    if problem.startswith("source: ") and "' " in problem:
        return problem.partition("' ")[2]
    return problem


if __name__ == "__main__":
    with warnings_as_lines():
        main()
