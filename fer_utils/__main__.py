"""The command line: ``python -m fer_utils picture.jpg``, or ``fer`` once it is installed."""

import argparse
import importlib
import io
import json
import os
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from . import __version__
from .graceful_exit import (
    held_interrupt,
    interrupt_afterwards,
    mistakes_as_lines,
    nearest,
    stopped_while_loading,
)

with stopped_while_loading():  # which takes half a second
    import pandas as pd
    from tqdm import tqdm

    from .files import (
        VIDEO_SUFFIXES,
        checked_target,
        printable,
        unwritable_as_value_error,
        write_whole,
    )
    from .images import UnreadableImageError, load_image
    from .recognition.drawing import SAVED_SUFFIXES, draw_faces, face_number, is_drawn
    from .recognition.folder import list_pictures
    from .recognition.recognizer import EmotionRecognizer, FaceList
    from .recognition.short_view import short_view
    from .recognition.tables import to_frame

# Each has a `main` that takes the words after it, and what help calls the program; the rest of the
# line says what it does.
_COMMANDS = {
    "train": ("training.loop", "train a network on a data set"),
    "evaluate": ("evaluation.metrics", "measure networks on a data set"),
    "bulk": ("bulk.many", "label any number of pictures and videos, on many machines"),
    "report": ("lab.notebook_report", "write a notebook that has run as one HTML page"),
    "export": ("recognition.export", "write the networks' vote for another runtime"),
    "check": ("recognition.setup_check", "check what is installed, and what to do about it"),
}
_DONE, _SOME_UNREADABLE, _NOTHING_DONE, _STOPPED = 0, 1, 2, 128 + signal.SIGINT
_STDOUT = "-"
# How the files begin that --csv and --json write, if they are not empty.
_BEGINNINGS = {
    "--csv": re.compile(rb"source,.*\bface_id,|\s*\Z"),
    "--json": re.compile(rb'\[\s*(\{\s*"source"|\])|\s*\Z'),
}
_SEPARATORS = tuple({os.sep, "/"})


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says; see ``--help``."""
    words = sys.argv[1:] if arguments is None else arguments
    _make_writable()
    parser = _parser()
    if words and words[0] in _COMMANDS:
        with mistakes_as_lines(parser):
            command = importlib.import_module(f".{_COMMANDS[words[0]][0]}", __package__)
        command.main(words[1:], f"{parser.prog} {words[0]}")
        return
    if not words:
        parser.print_help(sys.stderr)
        parser.exit(_NOTHING_DONE)
    with mistakes_as_lines(parser):
        args = _parsed(parser, words)
        _check_outputs(args)
        code = _recognize_video(args) if _is_video(args.sources) else _recognize(args)
    parser.exit(code)


def _make_writable() -> None:
    """Let no name that the terminal cannot show, or an stderr that is closed, end the program."""
    sys.stderr = sys.stderr or Path(os.devnull).open("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's shows all names
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<9} {text}" for name, (_, text) in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="fer" if Path(sys.argv[0]).stem == "fer" else "python -m fer_utils",
        usage="%(prog)s [options] PICTURE|FOLDER|VIDEO ...\n       %(prog)s COMMAND [--help]",
        description="Find the faces in pictures or in a video, and tell their emotions.",
        epilog=f"commands:\n{commands}\n\nA file that is named as a command: ./check\n"
        "In a folder, pictures that fer itself has drawn are counted and left out, by a mark in\n"
        "their metadata; to have one read, name it. A file without that mark is not drawn over.\n"
        "--csv and --json replace what they wrote, and no other file.\n"
        "Ends with 0; with 1 if some picture, or a part of a video, cannot be read; with 2 if\n"
        "none can be read, or nothing be done; with 130 if Ctrl-C ends it, which keeps what was\n"
        "found so far.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"fer_utils {__version__}")
    add("sources", nargs="+", metavar="SOURCE", help="pictures, folders of them, or one video")
    add("--draw", action="store_true", help="also write them with the faces drawn on, here")
    add("-o", "--output", metavar="PATH", help="where to draw: a file for one, a folder for more")
    add("--csv", metavar="FILE", help="write the table with all its columns; - prints it")
    add("--json", metavar="FILE", help="write the faces of each picture, or frame; - prints it")
    add("--min-confidence", type=float, default=0.0, metavar="SHARE", help='else "unsure", 0 to 1')
    add("--thorough", action="store_true", help="find smaller faces, in more time")
    add("--threads", type=int, metavar="N", help="how many cores to keep busy; by default all")
    add("--precision", choices=["float", "int8"], help="by default what is quicker here")
    add("--weights", action="append", metavar="FILE", help="your own network; may be repeated")
    return parser


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse the words; what is unknown ends the program with the nearest known one."""
    args, unknown = parser.parse_known_args(words)
    if unknown:
        if Path(unknown[0]).exists():
            parser.error(f"write ./{unknown[0]} to name a file that begins with a dash.")
        known = re.findall(r"--[\w-]+", parser.format_help())
        parser.error(f"there is no option {unknown[0]!r}{nearest(unknown[0], known)}")
    if args.output == "":
        parser.error("--output is empty; leave it out, or name a file or a folder.")
    if args.csv == args.json == _STDOUT:
        parser.error("--csv - and --json - would both print; give one of them a file.")
    for name in args.sources:
        if not name:
            parser.error("SOURCE is empty; for the pictures of the current folder, name it: .")
        if not Path(name).exists():
            beside = Path(name).parent
            files = {path.name for path in beside.iterdir()} if beside.is_dir() else set()
            commands = set(_COMMANDS) if name == words[0] else set()
            others = sorted((files | commands) - {Path(name).name})
            parser.error(
                f"there is no picture, folder, video or command {name!r}"
                f"{nearest(Path(name).name, others)}"
            )
    return args


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse, before the work, what could not be written after it, or would be lost by it."""
    for option, name, suffix in (("--csv", args.csv, ".csv"), ("--json", args.json, ".json")):
        if _is_file(name):
            target = checked_target(option, name, suffix)
            _check_replaced(option, target, partial(_begins_as, _BEGINNINGS[option]))


def _begins_as(beginning: re.Pattern[bytes], path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return bool(beginning.match(file.read(1000)))


def _is_video(sources: Sequence[str]) -> bool:
    videos = [name for name in sources if name.lower().endswith(VIDEO_SUFFIXES)]
    if videos and len(sources) > 1:
        raise ValueError(f"A video goes alone, got {len(sources)} sources with {videos[0]!r}.")
    return bool(videos)


def _recognizer(args: argparse.Namespace) -> EmotionRecognizer:
    with interrupt_afterwards():
        return EmotionRecognizer.load(
            args.weights,
            min_confidence=args.min_confidence,
            thorough=args.thorough,
            precision=args.precision,
            threads=args.threads,
        )


def _recognize_video(args: argparse.Namespace) -> int:
    from .video.recognize import EndsEarlyWarning, is_drawn_video, recognize_video

    source = Path(args.sources[0])
    output = args.output or (f"{source.stem}_faces.mp4" if args.draw else None)
    if output:
        _check_replaced("--output", checked_target("--output", output, ".mp4"), is_drawn_video)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", EndsEarlyWarning)
        table = recognize_video(
            source,
            output,
            table=None if args.csv == _STDOUT else args.csv,
            recognizer=_recognizer(args),
            progress=sys.stderr.isatty(),
        )
    for warning in noted:
        print(warning.message, file=sys.stderr)
    _print(args, table, lambda: _records_of_frames(table))
    _say(args.csv, args.json, output)
    early = [each.message for each in noted if isinstance(each.message, EndsEarlyWarning)]
    if not early:
        return _DONE
    return _STOPPED if early[0].interrupted else _SOME_UNREADABLE


class _Job(NamedTuple):
    name: str  # as the tables have it
    path: Path
    drawn: Path | None


def _recognize(args: argparse.Namespace) -> int:
    jobs, left_out = _jobs(args)
    if left_out:
        print(f"Left out, as drawn by fer: {left_out}. To have one read, name it.", file=sys.stderr)
    if not jobs:
        raise ValueError(
            f"There is no {'other ' * bool(left_out)}picture in "
            f"{', '.join(map(printable, args.sources))}. Videos are named one at a time."
        )
    found: dict[str, FaceList] = {}
    records: list[dict[str, Any]] = []
    notes: list[str] = []
    recognizer = _recognizer(args)
    # The detector's threads that Ctrl-C meets as they start would be waited for, for ever.
    with held_interrupt() as interrupted:
        for job in tqdm(jobs, unit="picture", leave=False, disable=None if jobs[1:] else True):
            records.append(_recognize_one(job, recognizer, found, notes))
            if interrupted.is_set():
                break
    faceless = [name for name, faces in found.items() if not faces]
    table = to_frame(found.values(), found)
    _print(args, table, lambda: records, faceless, seen=bool(found))
    if _is_file(args.csv):
        _write(args.csv, lambda path: table.to_csv(path, index=False))
    for note in notes:
        print(printable(note), file=sys.stderr)
    unreadable = [record for record in records if "error" in record]
    for record in unreadable:
        print(printable(f"{record['source']}: {record['error']}"), file=sys.stderr)
    if len(records) < len(jobs):
        what = f"interrupted after {len(records)} of {len(jobs)} pictures."
        print(f"{what} The result ends there.", file=sys.stderr)
    _say(args.csv, args.json, *(job.drawn for job in jobs if job.name in found))
    if interrupted.is_set():
        return _STOPPED
    if not found:
        return _NOTHING_DONE
    return _SOME_UNREADABLE if unreadable else _DONE


def _recognize_one(
    job: _Job, recognizer: EmotionRecognizer, found: dict[str, FaceList], notes: list[str]
) -> dict[str, Any]:
    """Add a picture's faces to those found, and draw them if need be; return its record."""
    try:
        with warnings.catch_warnings(record=True) as noted:
            pixels = load_image(job.path)
    except UnreadableImageError as error:
        return {"source": job.name, "error": error.problem}
    except FileNotFoundError:
        return {"source": job.name, "error": "the file is gone, or its link is broken"}
    notes += [f"{job.name}: {getattr(one.message, 'note', one.message)}" for one in noted]
    faces = found[job.name] = recognizer.recognize(pixels)
    if job.drawn:
        job.drawn.parent.mkdir(parents=True, exist_ok=True)
        draw_faces(pixels, faces).save(job.drawn)
    return {"source": job.name, "faces": _to_records(faces)}


def _jobs(args: argparse.Namespace) -> tuple[list[_Job], int]:
    """List the pictures, each with the file to draw it to; refuse files that would be lost.

    Folders are read without what was drawn into them before; the number tells how many those are.
    """
    single = len(args.sources) == 1 and not Path(args.sources[0]).is_dir()
    to_folder = args.output and (args.output.endswith(_SEPARATORS) or Path(args.output).is_dir())
    if args.output and not (single or to_folder) and args.output.lower().endswith(SAVED_SUFFIXES):
        raise ValueError(
            f"--output must name a folder where several pictures are drawn, got {args.output!r}."
        )
    jobs = []
    left_out = 0
    for source in dict.fromkeys(map(Path, args.sources)):
        if source.is_dir():
            folder = Path(args.output or f"{source.resolve().name}_faces")
            listed = list_pictures(source)
            pictures = [picture for picture in listed if not is_drawn(picture.path)]
            left_out += len(listed) - len(pictures)
            inside = [(printable(str(source / p.name)), p.path, p.name) for p in pictures]
        else:
            folder = Path(args.output or ".")
            inside = [(printable(str(source)), source, source.name)]
        for name, path, short in inside:
            if not (args.draw or args.output):
                drawn = None
            elif single and args.output and not to_folder:
                drawn = checked_target("--output", args.output, *SAVED_SUFFIXES)
            else:
                plain = Path(short)
                suffix = plain.suffix if plain.suffix.lower() in SAVED_SUFFIXES else ".jpg"
                ending = "" if args.output or source.is_dir() else "_faces"
                drawn = folder / plain.with_name(f"{plain.stem}{ending}{suffix}")
            jobs.append(_Job(name, path, drawn))
    jobs = _drawn_apart(jobs)
    _check_targets(jobs)
    return jobs, left_out


def _drawn_apart(jobs: Sequence[_Job]) -> list[_Job]:
    """Let pictures whose names differ in a suffix alone, which drawing changes, keep it as well."""
    times = Counter(job.drawn for job in jobs)
    return [
        job._replace(drawn=job.drawn.with_suffix(job.path.suffix + job.drawn.suffix))
        if times[job.drawn] > 1 and job.drawn and job.path.suffix.lower() not in SAVED_SUFFIXES
        else job
        for job in jobs
    ]


def _check_targets(jobs: Sequence[_Job]) -> None:
    sources = {os.path.realpath(job.path) for job in jobs}
    seen: set[str] = set()
    for job in jobs:
        if job.drawn is None:
            continue
        target = os.path.realpath(job.drawn)
        if target in sources:
            raise ValueError(f"{str(job.drawn)!r} would be drawn over; give another --output.")
        if target in seen:
            raise ValueError(
                f"Two pictures would be drawn as {str(job.drawn)!r}; give them one at a time, each "
                "with its own --output, or the folder that holds both."
            )
        _check_replaced("--output", job.drawn, is_drawn)
        seen.add(target)


def _check_replaced(option: str, target: Path, is_ours: Callable[[Path], bool]) -> None:
    if target.exists() and not is_ours(target):
        raise ValueError(
            f"{str(target)!r} is there already, and fer has not made it: it would be lost. "
            f"Give another {option}, or move it away."
        )


def _to_records(faces: FaceList) -> list[dict[str, Any]]:
    return [
        {
            "face": face_number(face, place),
            "label": face.label,
            "top": face.top,
            "confidence": face.confidence,
            "detection_score": face.detection_score,
            **face.to_dict(),
        }
        for place, face in enumerate(faces)
    ]


def _records_of_frames(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the frames that show a face as pictures are given, each with its faces."""
    emotions = [name.removeprefix("p_") for name in table if name.startswith("p_")]
    frame = itemgetter("source", "frame", "time_s")
    return [
        {
            **dict(zip(("source", "frame", "time_s"), of_one, strict=True)),
            "faces": [_record_of_row(row, emotions) for row in rows],
        }
        for of_one, rows in groupby(table.to_dict("records"), key=frame)
    ]


def _record_of_row(row: dict[str, Any], emotions: Sequence[str]) -> dict[str, Any]:
    return {
        "face": row["face_id"] + 1,
        "label": row["label"],
        "top": row["top"],
        "confidence": row[f"p_{row['top']}"],
        "box": [row[side] for side in "xywh"],
        "emotions": {name: row[f"p_{name}"] for name in emotions},
        "raw_emotions": {name: row[f"raw_{name}"] for name in emotions},
    }


def _print(
    args: argparse.Namespace,
    table: pd.DataFrame,
    to_records: Callable[[], list[dict[str, Any]]],
    faceless: Sequence[str] = (),
    *,
    seen: bool = True,
) -> None:
    """Print what is asked for; write the JSON file."""
    if args.csv == _STDOUT:
        table.to_csv(sys.stdout, index=False)
    elif args.json == _STDOUT:
        print(_as_json(to_records()))
    elif seen:
        print(short_view(table))
        if faceless and not table.empty:
            print("No face in", *faceless)
    if _is_file(args.json):
        _write(args.json, lambda path: path.write_text(_as_json(to_records()), encoding="utf-8"))


def _as_json(records: list[dict[str, Any]]) -> str:
    return json.dumps(records, indent=1)


def _is_file(output: str | None) -> bool:
    return output not in (None, _STDOUT)


def _write(name: str, write: Callable[[Path], object]) -> None:
    target = Path(os.path.expanduser(name))
    with unwritable_as_value_error(target):
        write_whole(target, write)


def _say(*files: Path | str | None) -> None:
    """Name the files that were written, to who is there to read it."""
    if sys.stderr.isatty():
        for file in files:
            if file not in (None, _STDOUT):
                print(f"Written: {printable(str(file))}", file=sys.stderr)


if __name__ == "__main__":
    main()
