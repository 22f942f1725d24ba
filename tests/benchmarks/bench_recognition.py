"""How long recognition takes, warm: one face, sixteen faces, and the shares of its parts.

Run it as `python tests/benchmarks/bench_recognition.py`. It lets the shipped networks vote or,
without them, two untrained ones, which take as long.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage.data import astronaut

from fer_utils import EmotionRecognizer, FaceDetector, SoftVote, build_vgg, crop_face

WARM_UPS, RUNS = 3, 30
TARGET_MS = {"one face, 512x512": 50, "16 portraits, 1024x1024": 350}


def main() -> None:
    recognizer = _recognizer()
    tile = np.asarray(Image.fromarray(_portrait()).resize((256, 256)))
    pictures = {
        "one face, 512x512": astronaut(),
        "16 portraits, 1024x1024": np.tile(tile, (4, 4, 1)),
    }
    for name, picture in pictures.items():
        _report(recognizer, name, picture)
    print(f"import fer_utils: {_import_ms():.0f} ms (target 500)")


def _recognizer() -> EmotionRecognizer:
    try:
        return EmotionRecognizer.load()
    except FileNotFoundError:
        print("The shipped networks are missing: two untrained ones vote instead.")
        return EmotionRecognizer(SoftVote([build_vgg(), build_vgg()]), FaceDetector())


def _portrait() -> np.ndarray:
    """Return the head and shoulders of a portrait, so that sixteen fit into one picture."""
    portrait = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False))
    return np.asarray(portrait.crop((130, 90, 410, 370)))


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


def _import_ms() -> float:
    """Return the import's time in a fresh interpreter, less the interpreter's own start."""
    code = "import time; t = time.perf_counter(); import fer_utils; print(time.perf_counter() - t)"
    runs = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(5)]
    return 1000 * statistics.median(map(float, runs))


if __name__ == "__main__":
    main()
