"""How many faces of each size are found in a 1920x1080 picture, how many false ones, how fast.

    python tests/benchmarks/bench_detection.py [--data fer2013.zip] [--faces FOLDER]

pastes faces at random places of varied pictures without faces: photographs and textures that
scikit-image and scikit-learn ship, and collages of them. The faces are the two public-domain
portraits, more portraits with `--faces`, and with `--data` FER2013's validation pictures, whose
48x48 px end at the face's edge, without the hair and shoulders that the detector looks for too.
A face's size is the side of the detector's box around it. Found is a face whose box overlaps
the true one by 0.4; every other box is false, or double.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

from fer_utils import FaceBox, FaceDetector, load_dataset, load_image
from fer_utils.evaluation.metrics import to_markdown
from fer_utils.faces.boxes import KEYPOINTS, overlap
from fer_utils.graceful_exit import mistakes_as_lines

WIDTH, HEIGHT = 1920, 1080
FER_FACES, FER_SIDE_PX = 300, 192
COLLAGES = 15
SEED = 42

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Face:
    """A face with its surroundings, uint8 (h, w, 3), and the detector's box (x, y, w, h) in it."""

    pixels: np.ndarray
    box: Box

    def resized(self, size: int, angle_deg: float = 0) -> tuple[Image.Image, Box]:
        """Make the box's longer side `size` px and turn it; the box stays about its centre."""
        factor = size / max(self.box[2:])
        height, width = (round(factor * side) for side in self.pixels.shape[:2])
        picture = Image.fromarray(self.pixels).convert("RGBA").resize((width, height))
        if angle_deg:
            x, y, w, h = (factor * value for value in self.box)
            picture = picture.rotate(
                angle_deg, Image.Resampling.BICUBIC, center=(x + w / 2, y + h / 2)
            )
        return picture, tuple(round(factor * value) for value in self.box)


@dataclass
class Tally:
    """What a detector made of some scenes."""

    faces: int = 0
    found: int = 0
    extra: int = 0
    durations_ms: list[float] = field(default_factory=list)

    def look(self, detect: Callable[[np.ndarray], list[FaceBox]], scene: "Scene") -> None:
        start_s = time.perf_counter()
        boxes = detect(scene.pixels)
        self.durations_ms.append(1000 * (time.perf_counter() - start_s))
        hits = {
            truth
            for truth in scene.truths
            if any(overlap(_face_box(truth), face) > 0.4 for face in boxes)
        }
        self.faces += len(scene.truths)
        self.found += len(hits)
        self.extra += len(boxes) - len(hits)

    def row(self, **names: object) -> dict[str, object]:
        pictures = len(self.durations_ms)
        return {
            **names,
            "shown": self.faces,
            "found": f"{self.found / self.faces:.1%}" if self.faces else "-",
            "pictures": pictures,
            "false or double": self.extra,
            "per 20 pictures": f"{20 * self.extra / pictures:.2f}",
            "median ms": f"{statistics.median(self.durations_ms):.0f}",
        }


class Scene:
    """A picture without faces, and those that are pasted into it, apart from one another."""

    def __init__(self, background: np.ndarray) -> None:
        self._picture = Image.fromarray(background)
        self._taken: list[FaceBox] = []
        self.truths: list[Box] = []

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(self._picture)

    def paste(self, cut: Image.Image, box: Box, rng: np.random.Generator) -> None:
        """Paste a face where there is room for it, if there is."""
        for _ in range(100):
            x = int(rng.integers(0, self._picture.width - cut.width + 1))
            y = int(rng.integers(0, self._picture.height - cut.height + 1))
            place = _face_box((x, y, *cut.size))
            if not any(overlap(place, other) for other in self._taken):
                self._picture.paste(cut, (x, y), cut)
                self._taken.append(place)
                self.truths.append((x + box[0], y + box[1], *box[2:]))
                return

    def moved(self) -> list[FaceBox]:
        """Return where the faces may have been in a picture before: a quarter to the left.

        The box of a FER2013 face may reach beyond its pixels, and so beyond the picture.
        """
        lowest = self._picture.height
        return [
            _face_box((max(0, x - w // 4), min(max(0, y), lowest - h), w, h))
            for x, y, w, h in self.truths
        ]


def _face_box(box: Box) -> FaceBox:
    return FaceBox(box, 1.0, dict.fromkeys(KEYPOINTS, (0.0, 0.0)))


def portraits(detector: FaceDetector, folder: Path | None) -> list[Face]:
    """Return the portraits' faces, each with half its box's size around it."""
    hopper = get_sample_data("grace_hopper.jpg", asfileobj=False)
    more = sorted(folder.iterdir()) if folder else []
    pictures = [data.astronaut(), *map(load_image, [hopper, *more])]
    found = [(picture, detector.detect(picture)) for picture in pictures]
    return [_cut_out(picture, faces[0].box) for picture, faces in found if len(faces) == 1]


def _cut_out(picture: np.ndarray, box: Box) -> Face:
    x, y, w, h = box
    left, top = max(0, x - w // 2), max(0, y - h // 2)
    return Face(picture[top : y + h + h // 2, left : x + w + w // 2], (x - left, y - top, w, h))


def fer2013_faces(detector: FaceDetector, source: str) -> list[Face]:
    """Return random validation pictures, enlarged; not those in which no face is found then."""
    images = load_dataset(source).validation.images
    tried, faces = 0, []
    for index in np.random.default_rng(SEED).permutation(len(images)):
        tried += 1
        face = _enlarged(detector, images[index])
        faces += [face] if face else []
        if len(faces) == FER_FACES:
            break
    print(f"FER2013: {len(faces)} of {tried} validation pictures show a face when enlarged")
    return faces


def _enlarged(detector: FaceDetector, image: np.ndarray) -> Face | None:
    picture = Image.fromarray(image).convert("RGB").resize((FER_SIDE_PX, FER_SIDE_PX))
    scene = Image.new("RGB", (2 * FER_SIDE_PX, 2 * FER_SIDE_PX), "gray")
    corner = FER_SIDE_PX // 2
    scene.paste(picture, (corner, corner))
    found = detector.detect(scene)
    if len(found) != 1:
        return None
    x, y, w, h = found[0].box
    return Face(np.asarray(picture), (x - corner, y - corner, w, h))


def backgrounds(rng: np.random.Generator) -> list[np.ndarray]:
    """Return pictures without faces; not scikit-image's coins, which show some."""
    names = "chelsea coffee rocket hubble_deep_field retina brick grass gravel moon text page"
    pictures = [getattr(data, name)() for name in names.split()]
    pictures += [data.immunohistochemistry(), data.stereo_motorcycle()[0]]
    pictures += [*load_sample_images().images, rng.integers(0, 256, (540, 960), np.uint8)]
    pictures = [load_image(picture) for picture in pictures]
    return [*map(_fill, pictures), *(_collage(pictures, rng) for _ in range(COLLAGES))]


def _fill(picture: np.ndarray) -> np.ndarray:
    """Enlarge a picture until it covers the scene."""
    height, width = picture.shape[:2]
    factor = max(WIDTH / width, HEIGHT / height)
    enlarged = Image.fromarray(picture).resize((round(width * factor), round(height * factor)))
    return np.asarray(enlarged.crop((0, 0, WIDTH, HEIGHT)))


def _collage(pictures: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Fill the scene with parts of the pictures in their own size."""
    scene = Image.new("RGB", (WIDTH, HEIGHT))
    order = cycle(rng.permutation(len(pictures)))
    for y in range(0, HEIGHT, 360):
        for x in range(0, WIDTH, 384):
            part = Image.fromarray(pictures[next(order)])
            left, top = (int(rng.integers(0, max(1, side - 360))) for side in part.size)
            scene.paste(part.crop((left, top, left + 384, top + 360)), (x, y))
    return np.asarray(scene)


@dataclass(frozen=True)
class Case:
    """What is pasted into each scene: so many faces, of sizes from-to, turned."""

    name: str
    count: int
    sizes_px: tuple[int, int]
    angle_deg: float = 0
    follow: bool = False
    every: int = 1  # which of the scenes it takes


CASES = [
    Case("no face", 0, (96, 96)),
    *(Case(f"{size} px", 4, (size, size)) for size in (40, 48, 64, 96, 128, 200)),
    *(Case(f"96 px, tilted {angle} degrees", 4, (96, 96), angle) for angle in (-45, -30, 30, 45)),
    Case("crowd of 64 to 128 px", 60, (64, 128), every=5),
    Case("one of 96 px, followed", 1, (96, 96), follow=True),
    Case("four of 96 px, followed", 4, (96, 96), follow=True),
]


def measure(
    detector: FaceDetector, faces: list[Face], case: Case, pictures: list[np.ndarray]
) -> Tally:
    """Paste faces into the pictures and let the detector look at them."""
    rng = np.random.default_rng(SEED)
    tally = Tally()
    for picture in pictures[:: case.every]:
        scene = Scene(picture)
        for index in rng.permutation(np.arange(max(len(faces), case.count)) % len(faces))[
            : case.count
        ]:
            size = int(rng.integers(case.sizes_px[0], case.sizes_px[1] + 1))
            scene.paste(*faces[index].resized(size, case.angle_deg), rng)
        if case.follow:
            tally.look(partial(detector.follow, faces=scene.moved()), scene)
        else:
            tally.look(detector.detect, scene)
    return tally


def report_small_picture(detector: FaceDetector) -> None:
    picture = np.asarray(Image.fromarray(data.astronaut()).resize((640, 480)))
    known = detector.detect(picture)
    for name, run in {
        "detect": lambda: detector.detect(picture),
        "follow": lambda: detector.follow(picture, known),
    }.items():
        durations_ms = []
        for _ in range(33):
            start_s = time.perf_counter()
            run()
            durations_ms.append(1000 * (time.perf_counter() - start_s))
        print(f"640x480, one face, {name}: {statistics.median(durations_ms[3:]):.1f} ms")


def table(
    detector: FaceDetector, faces: dict[str, list[Face]], pictures: list[np.ndarray]
) -> pd.DataFrame:
    """Measure every case with every kind of faces."""
    return pd.DataFrame(
        measure(detector, some, case, pictures).row(faces=kind, case=case.name)
        for kind, some in faces.items()
        for case in CASES
    )


def main() -> None:
    """Measure as the command line says and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="FER2013: fer2013.csv, a folder, or a zip of either")
    parser.add_argument("--faces", type=Path, help="a folder of portraits, one face in each")
    parser.add_argument("--limit", type=int, help="paste into this many of the pictures")
    args = parser.parse_args()
    rng = np.random.default_rng(SEED)
    pictures = backgrounds(rng)
    if args.limit:
        pictures = [pictures[i] for i in rng.permutation(len(pictures))[: args.limit]]
    with (
        mistakes_as_lines(parser),
        FaceDetector() as default,
        FaceDetector(thorough=True) as thorough,
    ):
        faces = {"portraits": portraits(default, args.faces)}
        if args.data:
            faces["FER2013"] = fer2013_faces(default, args.data)
        report_small_picture(default)
        for name, detector in {"default": default, "thorough": thorough}.items():
            print(f"\n{name}\n\n{to_markdown(table(detector, faces, pictures))}", flush=True)


if __name__ == "__main__":
    main()
