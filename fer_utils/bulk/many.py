"""Pictures and videos without number, labelled; also ``python -m fer_utils.bulk``."""

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from tqdm.auto import tqdm

from ..argument_checks import checked_flag, checked_number, checked_whole_number
from ..faces.detector import MIN_SCORE
from ..graceful_exit import HelpWithDefaults, mistakes_as_lines, parsed
from ..network.vote import Precision
from ..recognition.folder import relative, settings_of
from .child import make_recognizer
from .parquet_output import FaceDataSet
from .places import checked_where, is_address
from .source import Task, root_of, tasks_of
from .worker import Counts, Recipe, work_here

Engine: TypeAlias = Callable[[Iterator[Task], Recipe, str], Generator[Counts]]

_PART_SIZE = 512
GET_RAY = 'get it by pip install "ray[data]", or pip install ".[ray]" in this repository'


@dataclass(frozen=True)
class BulkReport:
    """What a call of `recognize_many` did.

    Attributes
    ----------
    out : str
        The data set's folder.
    items : int
        Pictures and videos that were looked at.
    faces : int
        Faces found in them; a face in a video counts once a frame.
    unreadable : int
        Pictures that could not be read, and videos not to their end.
    parts_before : int
        Parts of the data set that earlier calls had done, and that are not counted above.
    """

    out: str
    items: int
    faces: int
    unreadable: int
    parts_before: int

    def __str__(self) -> str:
        before = f"; {self.parts_before} parts were there before" if self.parts_before else ""
        return (
            f"{self.items} pictures and videos with {self.faces} faces, {self.unreadable} not "
            f"readable{before}. The table: {self.out}"
        )


def recognize_many(
    source: str | Path,
    out: str | Path,
    *,
    column: str | None = None,
    models: Sequence[str | Path] | None = None,
    min_confidence: float = 0.0,
    min_detection_score: float = MIN_SCORE,
    thorough: bool = False,
    precision: Precision | None = None,
    every_s: float = 0.0,
    part_size: int = _PART_SIZE,
    local: bool = False,
    address: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> BulkReport:
    """Recognise the faces in any number of pictures and videos, into a Parquet data set.

    Ray (``pip install "ray[data]"``) spreads the work over the cores of this machine, or
    over a cluster; without it, or with `local`, one worker does it here, and the table is the
    same, row for row. A call that was cut off, however abruptly, goes on when it is repeated:
    parts that are done are not done again, unless a file of them came, went or changed its size
    or time. One call at a time may write a data set. A file that crashes what reads it costs a
    row.

    Nothing is contacted but the addresses named here; Ray reports no usage, and listens on this
    machine's loopback only, unless `address` is given.

    Parameters
    ----------
    source : str or Path
        A folder; a glob, where ``**/`` stands for any number of folders; a picture or video; a
        list, .txt or .lst, with a path or an address a line, seen from the list's folder; or
        Parquet with a column of pictures or of paths: a file or folder ending in .parquet, or a
        glob that does. Each may lie on this machine or at an address that pyarrow can open, such
        as ``s3://bucket/photos``. Of folders and globs, files with a picture's or a video's
        suffix are taken.
    out : str or Path
        The folder to write, or its address: new, empty, or of an earlier call.
    column : str, optional
        The Parquet column. Without it, the only one of bytes, else the only one of text.
    models, min_confidence, min_detection_score, thorough
        As `EmotionRecognizer.load` takes them. Each worker loads `models` by its path.
    precision : {"float", "int8"}, optional
        As `EmotionRecognizer.load` takes it. By default what this machine's processor is quicker
        at, which all workers then keep to; where some of a cluster cannot, or to go on with a data
        set of another machine, name "float".
    every_s : float
        Seconds from one frame of a video to the next, as `recognize_video` takes it.
    part_size : int
        About how many pictures a part of the data set has. A part that was being made is what a
        cut-off call loses.
    local : bool
        Whether to do without Ray.
    address : str, optional
        Of a Ray cluster to join, such as ``"auto"`` or ``"ray://host:10001"``. All its machines
        must have this package, and reach `source` and `out` by the same names.
    workers : int, optional
        How many workers Ray keeps, each with a core. Default: as many as there are cores.
    progress : bool
        Whether to show how many are done.

    Returns
    -------
    BulkReport
        What this call did. ``pandas.read_parquet(out)`` gives the table: the columns and
        statuses of `recognize_folder`, then frame and time_s, which pictures do not have. A
        row of a Parquet file is called by the file and its number, "faces.parquet#0". In each
        part, the rows of one emotion are a row group: a reader that asks for one by
        ``filters=[("top", "==", "fear")]`` passes over the others. A video that is damaged has
        the rows up to there, and one whose status says so.

    Raises
    ------
    FileNotFoundError
        If there is no such source, or no such file of `models`.
    ValueError
        If `source` holds nothing to look at or cannot be read; `out` holds something else, was
        made of another source or with other settings, or cannot be written; Ray is not
        installed although `address` is given, or the cluster cannot be joined or has no room;
        or a number is out of range.
    TypeError
        If an argument is of another type.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from matplotlib.cbook import get_sample_data
    >>> portrait = get_sample_data("grace_hopper.jpg", asfileobj=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = recognize_many(portrait, folder, local=True, progress=False)
    ...     pd.read_parquet(folder)[["source", "status", "face_id"]].values.tolist()
    [['grace_hopper.jpg', 'ok', 0]]
    """
    checked_number("every_s", every_s, least=0, below=math.inf)
    checked_whole_number("part_size", part_size, least=1)
    checked_flag("local", local)
    data_set = FaceDataSet(out)
    recipe = Recipe(
        options={
            "models": _absolute(models),
            "min_confidence": min_confidence,
            "min_detection_score": min_detection_score,
            "thorough": thorough,
            "precision": precision,
        },
        every_s=float(every_s),
        root=root_of(source),
    )
    asked = {
        "source": _as_seen_from(data_set.where, checked_where("source", source)),
        "column": column,
        "every_s": every_s,
        "part_size": part_size,
    }
    tasks = tasks_of(source, column=column, part_size=part_size)
    work = _chosen_engine(local, address, workers)
    return label(tasks, recipe, data_set, asked, work, progress=progress)


def label(
    tasks: Iterator[Task],
    recipe: Recipe,
    out: FaceDataSet,
    asked: dict[str, Any],
    work: Engine,
    *,
    progress: bool,
) -> BulkReport:
    """Let an engine do the tasks that are not done yet, and tidy up behind it."""
    first = next(tasks, None)
    if first is None:
        raise ValueError(
            f"source: there are no pictures or videos in {asked['source']!r}; name Parquet files "
            "as 'folder/*.parquet', and files with other suffixes in a list."
        )
    recognizer = make_recognizer(recipe.maker, recipe.options)
    recipe = replace(recipe, emotions=tuple(recognizer.emotions))
    if "precision" in recipe.options:  # else each machine of a cluster would choose for itself
        precision = recognizer.classifier.precision
        recipe = replace(recipe, options=recipe.options | {"precision": precision})
    settings = settings_of(recognizer) | asked
    del recognizer  # each worker makes its own
    before: set[str] = set()
    keys: set[str] = set()

    def undone() -> Iterator[Task]:
        # Only here, when the engine asks: one that cannot start leaves nothing behind.
        before.update(out.begin(settings))
        for task in chain([first], tasks):
            key = task.key
            keys.add(key)
            if key not in before:
                yield task

    total = Counts()
    with (
        tqdm(unit="picture", desc="Recognising", disable=not progress) as bar,
        closing(work(undone(), recipe, out.where)) as parts,
    ):
        for counts in parts:
            total += counts
            bar.update(counts.items)
    out.finish(keys)
    return BulkReport(out.where, total.items, total.faces, total.unreadable, len(before & keys))


def _absolute(models: Sequence[str | Path] | None) -> Any:
    """Return paths that mean the same in any folder; what is no list is left for others to see."""
    if not isinstance(models, list | tuple):
        return models
    return [str(Path(one).expanduser().absolute()) for one in models]


def _as_seen_from(out: str, source: str) -> str:
    """Tell the source as seen from the data set, so that both may be moved together."""
    if is_address(out) or is_address(source):
        return source
    return relative(Path(source), Path(out))


def _chosen_engine(local: bool, address: str | None, workers: int | None) -> Engine:
    if workers is not None:
        checked_whole_number("workers", workers, least=1)
    if local:
        if address is not None or workers is not None:
            raise ValueError("address and workers are for Ray, which local=True does without.")
        return work_here
    if importlib.util.find_spec("ray") is None:
        if address is not None:
            raise ValueError(f"address needs Ray, which is not installed; {GET_RAY}.")
        print(f"Ray is not installed, so one worker does it here; {GET_RAY}.", file=sys.stderr)
        return work_here
    from .ray_engine import work_on_ray

    return partial(work_on_ray, address=address, workers=workers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.bulk",
        description="Recognise the faces in any number of pictures and videos, into a Parquet "
        "data set. Run the same command again to go on with what was cut off.",
        formatter_class=HelpWithDefaults,
    )
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        help="a folder, a glob, a picture or video, a list (.txt, .lst) or Parquet files, here or "
        "at an address such as s3://bucket/photos",
    )
    add("out", metavar="OUT", help="the folder to write, or its address")
    add("--column", help="of Parquet files: the pictures' bytes or paths")
    add("--models", nargs="+", metavar="FILE", help="weights files to vote, instead of the shipped")
    add("--min-confidence", type=float, default=0.0, help="below it, a face's label is unsure")
    add("--min-detection-score", type=float, default=MIN_SCORE, help="below it, no face")
    add("--thorough", action="store_true", help="find smaller faces, in more time")
    add("--precision", choices=["float", "int8"], help="without it, what is quicker here")
    add("--every-s", type=float, default=0.0, help="seconds between a video's frames; 0 takes all")
    add("--part-size", type=int, default=_PART_SIZE, help="about how many pictures a part has")
    add("--local", action="store_true", help="do without Ray")
    add("--address", help="of a Ray cluster to join, such as auto or ray://host:10001")
    add("--workers", type=int, help="how many workers Ray keeps; without it, one for each core")
    return parser


def main(arguments: list[str] | None = None, prog: str | None = None) -> None:
    """Label as the command line says; see ``--help``."""
    parser = _parser()
    parser.prog = prog or parser.prog
    args = parsed(parser, arguments)
    with mistakes_as_lines(parser, stopped="Stopped. Run the same command again to go on."):
        print(recognize_many(**vars(args)))
