"""A worker: turns tasks into parts of the data set, and outlives files that crash what reads them.

The pictures are read and recognised in a process of its own, `child`. When a file ends that
process, as a damaged one may end a decoder in C, the worker starts another one and goes on behind
the last picture that was done, one picture at a time. A file that does so twice gets a row.
"""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ..emotions import EMOTIONS
from ..extras import bulk_extra
from .parquet_output import FaceDataSet, to_table
from .source import Task, pictures_in

with bulk_extra():
    import pyarrow as pa

DEATHS = 2  # by which a file is known to crash what reads it
_LOAD = "fer_utils.recognition.recognizer:EmotionRecognizer.load"


@dataclass(frozen=True)
class Recipe:
    """How each worker makes its recognizer, and how it uses it.

    Parameters
    ----------
    options : dict
        What the maker is called with; plain values.
    every_s : float
        As `recognize_video` takes it.
    threads : int, optional
        How many the networks compute with; without it, as many as there are cores.
    root : str
        A folder that must be there, or empty.
    maker : str
        "module:name" of what returns an `EmotionRecognizer`.
    emotions : tuple of str
        Those that it tells apart.
    """

    options: dict[str, Any] = field(default_factory=dict)
    every_s: float = 0.0
    threads: int | None = None
    root: str = ""
    maker: str = _LOAD
    emotions: tuple[str, ...] = EMOTIONS


@dataclass(frozen=True)
class Counts:
    """How many pictures and videos a part holds, faces in them, and of those files not readable."""

    items: int = 0
    faces: int = 0
    unreadable: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.items + other.items,
            self.faces + other.faces,
            self.unreadable + other.unreadable,
        )


class ChildDiedError(Exception):
    """The process that looks at pictures is no more."""


class Worker:
    """Does tasks one after the other.

    Parameters
    ----------
    recipe : Recipe
    out : FaceDataSet
        Where the parts are written.

    Raises
    ------
    ValueError
        If the recipe's root is not there, or its recognizer cannot be made.
    """

    def __init__(self, recipe: Recipe, out: FaceDataSet) -> None:
        if recipe.root and not os.path.isdir(recipe.root):
            raise ValueError(
                f"source: {recipe.root!r} is not there on the machine {platform.node()!r}; "
                "name a place that all machines share."
            )
        self._recipe, self._out = recipe, out
        self._child: _Child | None = None

    def __call__(self, task: Task) -> Counts:
        """Do a task: write its part, and return what is in it.

        Raises
        ------
        ValueError
            If the source cannot be read any more, the part cannot be written, or the process
            that looks at pictures ends for another reason than a picture.
        """
        done = _Done(task, self._recipe.emotions)
        deaths: Counter[int | None] = Counter()
        while not done.is_complete:
            done.begin_anew()
            try:
                self._child = self._child or _Child(self._recipe)
                for message in self._child.ask(task, done.number, alone=bool(deaths)):
                    done.add(message)
            except ChildDiedError as death:
                deaths[done.at] += 1
                if deaths[done.at] >= DEATHS:
                    if done.at is None:
                        raise ValueError(
                            f"the process that looks at pictures ended before it looked ({death}); "
                            "check that the machine has enough memory."
                        ) from death
                    done.give_up(f"it ends the program that reads it ({death})")
                self.close()
        self._out.write(task.key, done.table())
        return done.counts

    def close(self) -> None:
        """End the process that looks at pictures."""
        if self._child:
            self._child.close()
        self._child = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Done:
    """What is done of a task: the rows of its first pictures."""

    def __init__(self, task: Task, emotions: tuple[str, ...]) -> None:
        self._task, self._emotions = task, emotions
        self._tables = [to_table([], emotions)]
        self._unfinished: list[list] = []  # rows of a long video
        self.number = 0
        self.at: int | None = None  # the picture that is being looked at
        self.is_complete = False
        self.counts = Counts()

    def table(self) -> pa.Table:
        """Return all rows."""
        return pa.concat_tables(self._tables)

    def begin_anew(self) -> None:
        """Forget what a process said of the picture at which it ended."""
        self.at, self._unfinished = None, []

    def add(self, message: dict[str, Any]) -> None:
        """Take in what the child says."""
        if "end" in message:
            self.is_complete = True
        elif "at" in message:
            self.at = message["at"]
        else:
            self._add_rows(message["rows"], message["next"])

    def give_up(self, status: str) -> None:
        """Let the picture that was being looked at have this status."""
        if self._task.row_group is None:
            name = self._task.items[self.at].name
        else:
            name, _ = next(pictures_in(self._task, self.at))
        self._unfinished = []  # of a video that ended the process in its midst
        self._add_rows([[name, status]], self.at + 1)
        self.is_complete = self._task.is_video  # which is all there is of its task

    def _add_rows(self, rows: list[list], number: int) -> None:
        self._unfinished += rows
        if number == self.number:
            return
        statuses = Counter(row[1] for row in self._unfinished)
        known = statuses["ok"] + statuses["no face"]
        self.counts += Counts(number - self.number, statuses["ok"], statuses.total() - known)
        self._tables.append(to_table(self._unfinished, self._emotions))
        self.number, self.at, self._unfinished = number, None, []


class _Child:
    """The process, and the talk with it."""

    def __init__(self, recipe: Recipe) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fer_utils.bulk.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # It finds what this process finds, whatever has been added to the path here.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._recipe = recipe
        self._is_ready = False

    def ask(self, task: Task, first: int, *, alone: bool) -> Iterator[dict[str, Any]]:
        """Give a task, from picture `first` on; yield the answers up to the end."""
        if not self._is_ready:
            self._say(asdict(self._recipe))
            self._hear()
            self._is_ready = True
        self._say({"task": task.to_json(), "first": first, "alone": alone})
        while True:
            message = self._hear()
            yield message
            if "end" in message:
                return

    def close(self) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not sent
                stream.close()
        self._process.wait()

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def _hear(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._death()
        message = json.loads(line)
        if "error" in message:
            raise ValueError(message["error"])
        return message

    def _death(self) -> ChildDiedError:
        code = self._process.wait()
        if code >= 0:
            return ChildDiedError(f"exit code {code}")
        with contextlib.suppress(ValueError):
            return ChildDiedError(signal.Signals(-code).name)
        return ChildDiedError(f"signal {-code}")


def work_here(tasks: Iterable[Task], recipe: Recipe, out: str) -> Generator[Counts]:
    """Do tasks with one worker on this machine, without Ray; yield what their parts hold."""
    with Worker(recipe, FaceDataSet(out)) as worker:
        for task in tasks:
            yield worker(task)
