"""How long it takes to read a photo, and how many pictures of a folder are done in a second.

Run it as `python tests/benchmarks/bench_folder.py`. It makes the pictures itself.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from skimage.data import astronaut

from fer_utils import EmotionRecognizer, load_image, recognize_folder

RUNS = 9
FOLDERS = {"512x512 px": (512, 512, 192), "4000x3000 px": (4000, 3000, 64)}


def main() -> None:
    recognizer = EmotionRecognizer.load()
    with tempfile.TemporaryDirectory() as name:
        photo = Path(name) / "photo.jpg"
        Image.fromarray(astronaut()).resize((4000, 3000)).save(photo, quality=90)
        decode_ms = _median_ms(lambda: Image.open(photo).load())
        load_ms = _median_ms(lambda: load_image(photo))
        print(f"load_image, 12 megapixels: {load_ms:.0f} ms, of which decoding {decode_ms:.0f} ms")
        for pixels, (width, height, count) in FOLDERS.items():
            folder = Path(name) / pixels
            _fill(folder, width, height, count)
            _report(folder, count, recognizer)


def _fill(folder: Path, width: int, height: int, count: int) -> None:
    folder.mkdir()
    Image.fromarray(astronaut()).resize((width, height)).save(folder / "0.jpg", quality=90)
    for index in range(1, count):
        (folder / f"{index}.jpg").hardlink_to(folder / "0.jpg")


def _report(folder: Path, count: int, recognizer: EmotionRecognizer) -> None:
    first_s, again_s = (
        _median_ms(lambda: recognize_folder(folder, recognizer=recognizer, progress=False), 1)
        / 1000
        for _ in range(2)
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} pictures of {folder.name}, one face each: {count / first_s:.1f} a second; "
        f"the same call again {1000 * again_s:.0f} ms; peak memory so far {peak_mb:.0f} MB"
    )


def _median_ms(run: Callable[[], object], runs: int = RUNS) -> float:
    return statistics.median(_duration_ms(run) for _ in range(runs))


def _duration_ms(run: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start_s)


if __name__ == "__main__":
    main()
