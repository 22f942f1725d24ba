"""How long recognition takes: warm, with the shares of its parts, and from a standing start.

Run it as `python tests/benchmarks/bench_recognition.py`. It lets the shipped networks vote or,
without them, two untrained ones, which take as long.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image

from fer_utils import EmotionRecognizer, crop_face
from fer_utils.network.vote import SHIPPED_VOTE

WARM_UPS, RUNS, STARTS = 5, 50, 5
TARGET_MS = {"1 face, 640x480": "25, wanted 18", "16 faces, 1024x1024": "350"}

START = """
import sys, time
start = time.perf_counter()
from fer_utils import EmotionRecognizer
recognizer = EmotionRecognizer.load(sys.argv[2:] or None)
assert recognizer.recognize(sys.argv[1])
print(time.perf_counter() - start)
recognizer.detector.close()
"""
IMPORT = (
    "import time; start = time.perf_counter(); import fer_utils; print(time.perf_counter() - start)"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        weights = _own_weights(Path(folder))
        recognizer = EmotionRecognizer.load(weights or None)
        print(f"the networks vote in {recognizer.classifier.precision}")
        for name, picture in _pictures().items():
            _report(recognizer, name, picture)
        start_ms = _fresh_ms(START, get_sample_data("grace_hopper.jpg", asfileobj=False), *weights)
        print(f"load() to first result, fresh process: {start_ms:.0f} ms (target 3000)")
    print(f"import fer_utils: {_fresh_ms(IMPORT):.0f} ms (target 500)")


def _own_weights(folder: Path) -> list[str]:
    """Return weights files to use instead of the shipped ones; none if those are there."""
    if SHIPPED_VOTE.is_file():
        return []
    from fer_utils import build_vgg

    print("The shipped networks are missing: two untrained ones vote instead.")
    files = [str(folder / f"{name}.weights.h5") for name in ("one", "two")]
    for file in files:
        build_vgg().save_weights(file)
    return files


def _pictures() -> dict[str, np.ndarray]:
    """Return a frame as a webcam sends it, and sixteen people in one picture."""
    portrait = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False))
    frame = Image.new("RGB", (640, 480), "gray")
    frame.paste(portrait.resize((384, 480)), (128, 0))
    head = np.asarray(portrait.crop((130, 90, 410, 370)).resize((256, 256)))
    return dict(zip(TARGET_MS, [np.asarray(frame), np.tile(head, (4, 4, 1))], strict=True))


def _report(recognizer: EmotionRecognizer, name: str, picture: np.ndarray) -> None:
    boxes = recognizer.detector.detect(picture)
    crops = np.stack([crop_face(picture, box) for box in boxes])
    whole_ms = _median_ms(lambda: recognizer.recognize(picture))
    parts_ms = {
        "detect": _median_ms(lambda: recognizer.detector.detect(picture)),
        "crop": _median_ms(lambda: [crop_face(picture, box) for box in boxes]),
        "classify": _median_ms(lambda: recognizer.classifier.predict_proba(crops)),
    }
    shares = ", ".join(f"{part} {ms / whole_ms:.0%}" for part, ms in parts_ms.items())
    print(f"{name}: {len(boxes)} found, {whole_ms:.1f} ms (target {TARGET_MS[name]}): {shares}")


def _median_ms(run: Callable[[], object]) -> float:
    for _ in range(WARM_UPS):
        run()
    return statistics.median(_duration_ms(run) for _ in range(RUNS))


def _duration_ms(run: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start_s)


def _fresh_ms(code: str, *arguments: str) -> float:
    """Return the time that code in a fresh interpreter prints, less the interpreter's own start."""
    run = [sys.executable, "-c", code, *arguments]
    printed = [subprocess.check_output(run, stderr=subprocess.DEVNULL) for _ in range(STARTS)]
    return 1000 * statistics.median(map(float, printed))


if __name__ == "__main__":
    main()
