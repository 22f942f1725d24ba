"""How fast a video is recognised, drawn on and written, and how much memory a long one takes.

Run it as `python tests/benchmarks/bench_video.py`; `--minutes 0` leaves the long clip out. The
clips are made of public-domain portraits, with sound; the shipped networks vote.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from fer_utils import EmotionRecognizer, recognize_video
from fer_utils.video import container, recognize, writer

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.helpers.clips import moving_head, write_clip

HD_FPS, LONG_FPS = 25, 10
TARGET_FPS, TARGET_GROWTH_MB = 25, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of the 1280x720 clip")
    parser.add_argument("--minutes", type=float, default=10, help="of the long clip")
    parser.add_argument("--grow", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grow:
        _print_growth(options.grow)
        return
    with tempfile.TemporaryDirectory() as folder:
        _report_speed(Path(folder), options.seconds)
        if options.minutes:
            _report_memory(Path(folder), options.minutes)


def _report_speed(folder: Path, seconds: float) -> None:
    frames = round(seconds * HD_FPS)
    times_s = np.arange(frames) / HD_FPS
    size = {"size": (1280, 720), "sound": "aac", "sound_s": seconds}
    clip = write_clip(folder / "hd.mp4", hd_frames(frames), times_s, **size)
    recognizer = EmotionRecognizer.load()
    print(f"the networks vote in {recognizer.classifier.precision}")
    recognize_video(clip, every_s=1, recognizer=recognizer, progress=False)  # warm up
    shares = _timed(recognizer)
    start_s = time.perf_counter()
    table = recognize_video(
        clip, folder / "out.mp4", table=folder / "out.csv", recognizer=recognizer, progress=False
    )
    took_s = time.perf_counter() - start_s
    print(
        f"1280x720, one face seen in {len(table)} of {frames} frames, every frame classified, "
        f"drawn and written: {frames / took_s:.1f} frames/s (target {TARGET_FPS})"
    )
    for part, part_s in shares.items():
        print(
            f"  {part}: {part_s / took_s:.0%} of the time, {1000 * part_s / frames:.1f} ms a frame"
        )


def hd_frames(frames: int) -> Iterator[np.ndarray]:
    """A portrait that moves over a photograph."""
    portrait = Image.fromarray(data.astronaut()[:300, 70:370]).resize((560, 560))
    background = Image.fromarray(data.coffee()).resize((1280, 720))
    for number in range(frames):
        picture = background.copy()
        left, top = 350 + 250 * np.sin(number / 40), 80 + 60 * np.sin(number / 23)
        picture.paste(portrait, (round(left), round(top)))
        yield np.asarray(picture)


def _timed(recognizer: EmotionRecognizer) -> dict[str, float]:
    """Have the time that each part takes added up; encoding goes on beside the others."""
    seconds: Counter[str] = Counter()
    _time(seconds, "read", container, "to_upright_rgb")
    _time(seconds, "detect", recognizer.detector, "detect")
    _time(seconds, "follow", recognizer.detector, "follow")
    _time(seconds, "classify", recognizer.classifier, "predict_proba")
    _time(seconds, "draw", recognize, "draw_faces")
    _time(seconds, "write (waiting for the encoder)", writer.VideoWriter, "write")
    _time(seconds, "encode (on a thread of its own)", writer.VideoWriter, "_encode")
    _time_iterator(seconds, "read", container.ContainerReader, "_decode")
    return seconds


def _time(seconds: Counter[str], part: str, owner: Any, name: str) -> None:
    function: Callable = getattr(owner, name)
    lock = threading.Lock()

    def timed(*arguments: Any, **options: Any) -> Any:
        start_s = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            with lock:
                seconds[part] += time.perf_counter() - start_s

    setattr(owner, name, timed)


def _time_iterator(seconds: Counter[str], part: str, owner: Any, name: str) -> None:
    function: Callable = getattr(owner, name)

    def timed(*arguments: Any) -> Iterator[Any]:
        items = function(*arguments)
        while True:
            start_s = time.perf_counter()
            item = next(items, None)
            seconds[part] += time.perf_counter() - start_s
            if item is None:
                return
            yield item

    setattr(owner, name, timed)


def _report_memory(folder: Path, minutes: float) -> None:
    """Recognise a long clip in a process of its own and print how much its memory grows."""
    frames = round(60 * minutes * LONG_FPS)
    times_s = np.arange(frames) / LONG_FPS
    sound = {"sound": "aac", "sound_s": 60 * minutes}
    clip = write_clip(folder / "long.mp4", moving_head(frames), times_s, **sound)
    program = [sys.executable, __file__, "--grow", str(clip)]
    print(f"{minutes:g} minutes, 320x240, {LONG_FPS} frames/s: ", end="", flush=True)
    print(subprocess.check_output(program, text=True).strip())


def _print_growth(clip: Path) -> None:
    recognizer = EmotionRecognizer.load()
    start = write_clip(clip.with_name("start.mp4"), moving_head(100), np.arange(100) / LONG_FPS)
    options = {"recognizer": recognizer, "progress": False}
    recognize_video(start, clip.with_name("a.mp4"), table=clip.with_name("a.csv"), **options)
    before_mb = _resident_mb()
    table = recognize_video(clip, clip.with_name("b.mp4"), table=clip.with_name("b.csv"), **options)
    grown_mb = _resident_mb() - before_mb
    print(
        f"memory grew by {grown_mb:.1f} MB after a 10-second clip "
        f"(target: under {TARGET_GROWTH_MB}), for {len(table)} rows"
    )


def _resident_mb() -> float:
    """Return this process's memory; getrusage would give its parent's peak, if that is higher."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
