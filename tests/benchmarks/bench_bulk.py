"""What bulk labelling costs: by the worker, by Ray, in memory; and on paper for many machines.

Run it as `python tests/benchmarks/bench_bulk.py` on two cores or more, with nothing else running;
it takes about eight minutes. It makes the pictures itself. All ratios are of one run, and leave
starting out: they compare what the second of two numbers of pictures takes more than the first.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from skimage.data import astronaut

from fer_utils.bulk.many import _PART_SIZE

PICTURE_PX = 150
NODE_CORES = 8
NODES = 10
BARE = """
import sys
from pathlib import Path
from fer_utils import EmotionRecognizer

recognizer = EmotionRecognizer.load(threads=1)
recognizer.recognize_batch(sorted(Path(sys.argv[1]).iterdir()))
"""
FIND = """
import sys
from pathlib import Path
from fer_utils import FaceDetector

detector = FaceDetector(threads=1)
for picture in sorted(Path(sys.argv[1]).iterdir()):
    detector.detect(picture)
"""


class Measured(NamedTuple):
    wall_s: float
    workers_mib: float  # the most that the processes of the workers took
    rest_mib: float  # the most that all others took: the command's own, and Ray's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    count = parser.parse_args().pictures
    numbers = few, many, most = count // 10, count, 2 * count
    with tempfile.TemporaryDirectory() as name:
        folders = {number: _filled(Path(name), number) for number in numbers}
        bare = [_script(BARE, folders[number]) for number in (few, many)]
        find = [_script(FIND, folders[number]) for number in (few, many)]
        one = [_bulk(folders[number], 1) for number in (few, many)]
        two = [_bulk(folders[number], 2) for number in (few, most)]
    bare_s, find_s, one_s = (_more_s(runs, many - few) for runs in (bare, find, one))
    two_s = _more_s(two, most - few)
    print(f"a picture of {PICTURE_PX} px with a face, on one core: {1000 * bare_s:.2f} ms,")
    print(f"of which reading it and finding the face: {1000 * find_s:.2f} ms")
    print(f"Ray with one worker takes {one_s / bare_s:.2f} times the bare loop")
    print(f"two workers do {one_s / two_s:.2f} times what one does")
    ends_s = [runs[0].wall_s - few * each_s for runs, each_s in ((bare, bare_s), (one, one_s))]
    print("left out: starting and ending, {:.0f} s without Ray, {:.0f} s with it".format(*ends_s))
    for number, run in zip((few, most), two, strict=True):
        print(
            f"memory at {number:,} pictures: {run.workers_mib / 2:.0f} MiB for each of two "
            f"workers, {run.rest_mib:.0f} MiB for all else"
        )
    _on_paper(one_s, find_s * one_s / bare_s, two[1])


def _more_s(runs: list[Measured], pictures: int) -> float:
    return (runs[1].wall_s - runs[0].wall_s) / pictures


def _filled(folder: Path, count: int) -> Path:
    """Make pictures; all are one file, which each of them is read from."""
    pictures = folder / str(count)
    pictures.mkdir()
    first = pictures / "0.jpg"
    Image.fromarray(astronaut()[:300, 70:370]).resize((PICTURE_PX, PICTURE_PX)).save(first)
    for number in range(1, count):
        (pictures / f"{number}.jpg").hardlink_to(first)
    return pictures


def _script(script: str, folder: Path) -> Measured:
    return _measured([sys.executable, "-c", script, str(folder)], cores={0})


def _bulk(folder: Path, workers: int) -> Measured:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "fer_utils.bulk", str(folder), out]
        return _measured([*command, "--workers", str(workers)], cores=set(range(workers)))


def _measured(command: list[str], cores: set[int]) -> Measured:
    """Let a command run on these cores."""
    start_s = time.perf_counter()
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            command,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            stdout=subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,
        )
        peak = [0.0, 0.0]

        def watch() -> None:
            while process.poll() is None:
                peak[:] = map(max, peak, _session_mib(process.pid))
                time.sleep(1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        wall_s = time.perf_counter() - start_s
        watcher.join()
        if code:
            told.seek(0)
            raise SystemExit(f"{command} ended with {code}: {told.read()[-2000:]}")
    return Measured(wall_s, *peak)


def _session_mib(session: int) -> tuple[float, float]:
    """Return the memory of a session's workers, and of its other processes.

    What they share, as libraries, counts once for each.
    """
    workers = rest = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            line = (folder / "cmdline").read_text()
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:  # it ended meanwhile
            continue
        if "_PoolWorker" in line or "fer_utils.bulk.child" in line:
            workers += pages
        else:
            rest += pages
    mib = 2**20 / os.sysconf("SC_PAGE_SIZE")
    return workers / mib, rest / mib


def _on_paper(picture_s: float, find_s: float, two: Measured) -> None:
    """Print what a million and a billion pictures take, as a table of Markdown."""
    kinds = {f"{NODE_CORES} cores": picture_s, f"{NODE_CORES} cores, one GPU": find_s}
    node_gib = (NODE_CORES * two.workers_mib / 2 + two.rest_mib) / 1024
    print(f"\n| pictures | node | node hours | hours on {NODES} nodes | memory a node | parts |")
    print("|---|---|---|---|---|---|")
    for pictures in (10**6, 10**9):
        for kind, core_s in kinds.items():
            node_h = pictures * core_s / NODE_CORES / 3600
            print(
                f"| {pictures:,} | {kind} | {node_h:,.2f} | {node_h / NODES:,.2f} | "
                f"{node_gib:.1f} GiB | {pictures // _PART_SIZE:,} |"
            )


if __name__ == "__main__":
    main()
