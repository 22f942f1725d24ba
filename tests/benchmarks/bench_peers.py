"""Prints what others take to recognise emotions, in time, start and size, beside ours: Markdown.

    python tests/benchmarks/bench_peers.py [--before FOLDER]

Each peer, ours too, is installed in an environment of its own; where one is missing, the commands
that make it are printed. Processes of all take turns on the same scenes, pixels in, so that the
machine's mood is the same for all; figures are medians and their ratios to ours. A start is that
of a fresh process, up to its first answer, the second time it is started. human runs in
WebAssembly, where Node is there. With --before, the fer_utils of an older commit takes its turn
too, in the environment "before", such as `git worktree add FOLDER HEAD~1` puts there, and both
recognise, draw on and write every frame of a video.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench_video import HD_FPS, hd_frames  # by which the tests' helpers are found, too
from matplotlib.cbook import get_sample_data
from PIL import Image

from tests.helpers.clips import write_clip

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "peers"
WARM_UPS, RUNS, VIDEO_RUNS, STARTS = 3, 30, 4, 3
VIDEO_FRAMES = 3 * HD_FPS
HEADS_PX = (90, 130, 190, 280)  # sides of the squares; the faces are about 0.7 as wide
OURS = "fer_utils"


class Peer(NamedTuple):
    """A program that recognises: its name, the folder of its environment, how that is made."""

    name: str
    folder: str
    script: str
    words: tuple[str, ...]
    made_by: str


def _python(folder: str, packages: str) -> str:
    return f"python -m venv {folder} && {folder}/bin/pip install {packages}"


_FER = _python("{0}/fer", "fer==25.10.3 'opencv-contrib-python<5' 'setuptools<81'")
ALL = (
    Peer(OURS, "ours", "ours.py", (), _python("{0}/ours", str(ROOT))),
    Peer("PyPI fer 25.10.3, Haar", "fer", "fer_package.py", (), _FER),
    Peer("PyPI fer 25.10.3, MTCNN", "fer", "fer_package.py", ("mtcnn",), _FER),
    Peer(
        "npm human 3.3.6, WebAssembly",
        "human",
        "human.js",
        (),
        "npm install --prefix {0}/human @vladmandic/human@3.3.6 @tensorflow/tfjs@4.22.0 "
        "@tensorflow/tfjs-backend-wasm@4.22.0",
    ),
)


class Worker:
    """A process of a peer that answers scene by scene."""

    def __init__(self, peer: Peer, environments: Path, log: Path) -> None:
        folder = environments / peer.folder
        if peer.script.endswith(".js"):
            command = ["node", PEERS / peer.script, folder]
        else:
            # Isolated, or PYTHONPATH would give each of ours the same code.
            command = [folder / "bin" / "python", "-I", PEERS / peer.script, *peer.words]
        self._log = log
        self._process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            cwd=log.parent,
        )

    def ask(self, scene: dict[str, object]) -> dict[str, float]:
        self._process.stdin.write(json.dumps(scene) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith('{"ms"'):  # libraries print, too
                return json.loads(line)
        sys.exit(f"{self._process.args} ended:\n{self._log.read_text()[-2000:]}")

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def scenes(folder: Path) -> dict[str, dict[str, object]]:
    """Write the scenes as raw pixels; return where they are, by what they show."""
    portrait = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False))
    one = Image.new("RGB", (640, 480), "gray")
    one.paste(portrait.resize((384, 480)), (128, 0))
    four = Image.new("RGB", (1920, 1080), "gray")
    for place, side in enumerate(HEADS_PX):
        head = portrait.crop((130, 90, 410, 370)).resize((side, side))
        four.paste(head, (200 + 450 * place, 400))
    written = {}
    for name, picture in (("640x480, 1 face", one), ("1920x1080, 4 faces", four)):
        file = folder / f"{len(written)}.rgb"
        np.asarray(picture).tofile(file)
        written[name] = {"path": str(file), "width": picture.width, "height": picture.height}
    return written


def video_scene(folder: Path) -> dict[str, object]:
    """Write a video of a face that moves; return where it is, and where the drawn one goes."""
    times_s = np.arange(VIDEO_FRAMES) / HD_FPS
    clip = write_clip(folder / "hd.mp4", hd_frames(VIDEO_FRAMES), times_s, size=(1280, 720))
    return {"video": str(clip), "output": str(folder / "drawn.mp4")}


def present(peer: Peer, environments: Path) -> bool:
    """Tell whether a peer can be run; say in a sentence what is missing, and how it is made."""
    is_there = (environments / peer.folder).is_dir()
    if is_there and (not peer.script.endswith(".js") or shutil.which("node")):
        return True
    missing = "Node" if is_there else f"its environment: {peer.made_by.format(environments)}"
    print(f"{peer.name} is left out, for lack of {missing}", file=sys.stderr)
    return False


def times_ms(
    workers: dict[str, Worker], scene: dict[str, object], runs: int = RUNS
) -> tuple[dict[str, float], dict[str, int]]:
    """Return each peer's median time for a scene, and how many faces it finds."""
    taken_ms: dict[str, list[float]] = {name: [] for name in workers}
    faces = {}
    for run in range(-WARM_UPS, runs):
        for name, worker in workers.items():
            answer = worker.ask(scene)
            faces[name] = int(answer["faces"])
            if run >= 0:
                taken_ms[name].append(answer["ms"])
    return {name: statistics.median(ms) for name, ms in taken_ms.items()}, faces


def start_ms(peer: Peer, environments: Path, scene: dict[str, object], log: Path) -> float:
    start_s = time.perf_counter()
    worker = Worker(peer, environments, log)
    worker.ask(scene)
    taken_ms = 1000 * (time.perf_counter() - start_s)
    worker.end()
    return taken_ms


def processor() -> str:
    """Return what Linux calls the processor; elsewhere what Python does."""
    with suppress(FileNotFoundError):
        named = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        return named[1] if named else platform.processor()
    return platform.processor()


def size_mb(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def print_times(what: str, medians: dict[str, float], faces: dict[str, int]) -> None:
    for name, ms in medians.items():
        print(f"| {what}: {name} | {ms:.1f} | {ms / medians[OURS]:.2f} | {faces[name]} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=Path, default=Path("build/peers"))
    parser.add_argument("--before", type=Path, help="the repository at an older commit")
    args = parser.parse_args()
    environments = args.environments.absolute()
    asked = list(ALL)
    if args.before:  # editable: an older one finds its weights in the repository alone
        made_by = _python("{0}/before", f"-e {args.before.absolute()}")
        asked.append(ALL[0]._replace(name=f"{OURS} of before", folder="before", made_by=made_by))
    peers = [peer for peer in asked if present(peer, environments)]
    if OURS not in {peer.name for peer in peers}:
        parser.exit(2, "Without ours there is nothing to compare with.\n")
    print(f"{date.today()}, {os.cpu_count()} cores of {processor()}\n")
    with tempfile.TemporaryDirectory() as folder:
        written = scenes(Path(folder))
        logs = {peer.name: Path(folder) / f"{number}.log" for number, peer in enumerate(peers)}
        workers = {peer.name: Worker(peer, environments, logs[peer.name]) for peer in peers}
        print("| | ms | ratio | faces found |\n|---|---|---|---|")
        for what, scene in written.items():
            print_times(what, *times_ms(workers, scene))
        if args.before:
            both = {name: worker for name, worker in workers.items() if name.startswith(OURS)}
            measured = times_ms(both, video_scene(Path(folder)), VIDEO_RUNS)
            print_times("a frame of a 1280x720 video", *measured)
        for worker in workers.values():
            worker.end()
        print("\n| | start, ms | ratio | installed, MB | ratio |\n|---|---|---|---|---|")
        scene = next(iter(written.values()))
        starts: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for _ in range(STARTS):
            for peer in peers:
                starts[peer.name].append(start_ms(peer, environments, scene, logs[peer.name]))
        sizes = {peer.name: size_mb(environments / peer.folder) for peer in peers}
        for name, ms in starts.items():
            median = statistics.median(ms)
            ratio = median / statistics.median(starts[OURS])
            size = f"{sizes[name]:.0f} | {sizes[name] / sizes[OURS]:.2f}"
            print(f"| {name} | {median:.0f} | {ratio:.2f} | {size} |")


if __name__ == "__main__":
    main()
