"""Measures whether faces are found and cropped as FER2013 framed them, on FER2013's own pictures.

    python tests/benchmarks/bench_crop.py --data fer2013.zip --opinions fer2013new.csv

enlarges pictures of FER2013, pastes them into larger scenes and lets the detector find them. It
prints where eyes, mouth and the other key points stand in training pictures, and the weights
with which `crop_face` therefore places FER2013's frame on a face. Then it prints how many
validation pictures (PublicTest) are found, and how much accuracy the shipped vote loses on the
crops of those found, against the same pictures as they were. What FER2013 cut away cannot come
back: where a crop reaches beyond the pasted picture, it shows the scene. What enlarging alone
costs is told by a crop of exactly the place where the picture was pasted. With FER+'s opinions,
the same is measured against what most people see.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image
from skimage.data import chelsea, coffee, rocket
from sklearn.datasets import load_sample_images
from tqdm import tqdm

from fer_utils import EMOTIONS, FaceBox, FaceDetector, SoftVote, Split, crop_face, load_dataset
from fer_utils.evaluation.metrics import to_markdown
from fer_utils.faces.boxes import KEYPOINTS, overlap
from fer_utils.faces.crop import _FRAME_WEIGHTS, crop_whole
from fer_utils.graceful_exit import mistakes_as_lines
from fer_utils.images import to_gray

FACE_PX = 192
SCENE_PX = 448
TEMPLATE_PICTURES = 4000
SEED = 42
# How uncertain each key point is at least, as a share of the side. Without it the weights become
# so large that they would amplify the detector's jitter from one video frame to the next.
POINT_NOISE = 0.005
RESAMPLES = 2000
CHUNK = 256
WANTED_FOUND, WANTED_LOSS = 0.90, 0.015
_OPPOSITE = {
    "right_eye": "left_eye",
    "left_eye": "right_eye",
    "right_ear": "left_ear",
    "left_ear": "right_ear",
}


@dataclass(frozen=True, eq=False)
class Pasted:
    """A scene, uint8 (SCENE_PX, SCENE_PX, 3), with a picture of `FACE_PX` px pasted at (x, y)."""

    scene: np.ndarray
    corner: tuple[int, int]

    def picture(self) -> np.ndarray:
        x, y = self.corner
        return self.scene[y : y + FACE_PX, x : x + FACE_PX]

    def find(self, detector: FaceDetector) -> FaceBox | None:
        """Return the detected face that lies on the pasted picture, if there is one."""
        frame = FaceBox((*self.corner, FACE_PX, FACE_PX), 1.0, dict.fromkeys(KEYPOINTS, (0, 0)))
        found = detector.detect(self.scene)
        best = max(found, key=lambda face: overlap(face, frame), default=None)
        return best if best and overlap(best, frame) > 0.3 else None


def backgrounds() -> list[np.ndarray]:
    """Return photographs without people, and flat grey, in the scene's size."""
    photographs = [*load_sample_images().images, chelsea(), coffee(), rocket()]
    resized = [Image.fromarray(each).resize((SCENE_PX, SCENE_PX)) for each in photographs]
    return [*map(np.asarray, resized), np.full((SCENE_PX, SCENE_PX, 3), 128, np.uint8)]


def pasted(images: np.ndarray, name: str) -> Iterator[Pasted]:
    """Paste each picture, uint8 (48, 48), enlarged, at a seeded random place of a scene."""
    scenes = backgrounds()
    for index, image in enumerate(tqdm(images, desc=name, unit="pictures")):
        rng = np.random.default_rng([SEED, index])
        scene = scenes[rng.integers(len(scenes))].copy()
        x, y = rng.integers(SCENE_PX - FACE_PX + 1, size=2).tolist()
        face = Image.fromarray(image).resize((FACE_PX, FACE_PX), Image.Resampling.BICUBIC)
        scene[y : y + FACE_PX, x : x + FACE_PX] = np.asarray(face)[..., None]
        yield Pasted(scene, (x, y))


def places_in_frame(detector: FaceDetector, images: np.ndarray) -> np.ndarray:
    """Return where the key points stand, complex (found, 6), as shares of the picture's side."""
    places = []
    for picture in pasted(images, "training pictures"):
        if face := picture.find(detector):
            points = np.array([face.keypoints[name] for name in KEYPOINTS])
            places.append((points - picture.corner) @ [1, 1j] / FACE_PX)
    return np.array(places)


def mirrored(places: np.ndarray) -> np.ndarray:
    """Return the key points (n, 6) as they stand in the pictures' mirror images."""
    opposite = [_OPPOSITE.get(name, name) for name in KEYPOINTS]
    return (1 - places.conj())[:, [KEYPOINTS.index(name) for name in opposite]]


def frame_weights(places: np.ndarray) -> np.ndarray:
    """Return the weights, complex (6, 2), that place FER2013's frame: its centre, its side.

    Generalised least squares (Aitken, 1936): a picture's points are origin + side * the mean
    points + errors, and the errors' covariance tells how far to trust each point.
    """
    both = np.concatenate([places, mirrored(places)])
    mean = both.mean(axis=0)
    errors = both - mean
    design = np.stack([np.ones_like(mean), mean], axis=1)
    covariance = errors.T @ errors.conj() / len(errors) + POINT_NOISE**2 * np.eye(len(mean))
    trusted = np.linalg.solve(covariance, design).conj().T
    origin, side = np.linalg.solve(trusted @ design, trusted)
    return np.stack([origin + (0.5 + 0.5j) * side, side], axis=1)


def print_template(detector: FaceDetector, images: np.ndarray) -> None:
    places = places_in_frame(detector, images)
    weights = frame_weights(places).round(3)
    both = np.concatenate([places, mirrored(places)])
    columns = {
        "mean": places.mean(axis=0),
        "median": np.median(places.real, axis=0) + 1j * np.median(places.imag, axis=0),
        "spread": places.real.std(axis=0) + 1j * places.imag.std(axis=0),
        "symmetric mean": both.mean(axis=0),
        "weight, centre": weights[:, 0],
        "weight, side": weights[:, 1],
    }
    print(
        f"\n{len(places)} found of {len(images)} training pictures; x + yj, as shares of the side"
    )
    print(pd.DataFrame(columns, index=list(KEYPOINTS)).round(3).to_string())
    change = np.abs(weights - [_FRAME_WEIGHTS[name] for name in KEYPOINTS]).max()
    print(f"largest difference from the weights of crop_face: {change:.3f}\n")


def plain_box(scene: np.ndarray, face: FaceBox) -> np.ndarray:
    """Cut the detector's box out and squeeze it into FER2013's size."""
    x, y, w, h = face.box
    return np.asarray(Image.fromarray(to_gray(scene[y : y + h, x : x + w])).resize((48, 48)))


def find_and_crop(
    detector: FaceDetector, images: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return which pictures are found, bool (n,), and of those found each kind of 48x48 crop."""
    found = np.zeros(len(images), dtype=bool)
    framed, boxed, exact = [], [], []
    for index, picture in enumerate(pasted(images, "validation pictures")):
        if face := picture.find(detector):
            found[index] = True
            framed.append(crop_face(picture.scene, face))
            boxed.append(plain_box(picture.scene, face))
            exact.append(crop_whole(picture.picture()))
    kinds = {"the original pictures": images[found]}
    if framed:
        kinds |= {
            "where it was pasted": np.stack(exact),
            "`crop_face`": np.stack(framed),
            "the detector's box": np.stack(boxed),
        }
    return found, kinds


def named(vote: SoftVote, faces: np.ndarray, name: str) -> np.ndarray:
    """Return the label, int (n,), that the vote gives each face."""
    starts = tqdm(range(0, len(faces), CHUNK), desc=name, unit="chunks")
    chunks = [vote.predict_proba(faces[start : start + CHUNK]) for start in starts]
    return np.concatenate(chunks).argmax(axis=1)


def interval(losses: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of the mean by the bootstrap over pictures (Efron, 1979)."""
    draws = np.random.default_rng(SEED).choice(losses, (RESAMPLES, len(losses)))
    low, high = np.percentile(draws.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def found_table(found: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    of_emotion = {"all": np.ones_like(found)}
    of_emotion |= {name: labels == label for label, name in enumerate(EMOTIONS)}
    rows = [
        {"pictures": name, "n": int(chosen.sum()), "found": float(found[chosen].mean())}
        for name, chosen in of_emotion.items()
        if chosen.any()
    ]
    return pd.DataFrame(rows)


def loss_table(right: dict[str, np.ndarray]) -> pd.DataFrame:
    """Compare each kind of crop, by whether each picture is classified right, with the first."""
    original, *_ = right.values()
    rows = []
    for name, each in right.items():
        losses = original.astype(np.int8) - each.astype(np.int8)
        low, high = interval(losses)
        rows.append(
            {
                "what is classified": name,
                "n": len(each),
                "accuracy": float(each.mean()),
                "points lost": f"{100 * losses.mean():.1f}",
                "95% interval": f"{100 * low:.1f} to {100 * high:.1f}",
            }
        )
    return pd.DataFrame(rows)


def print_loss(detector: FaceDetector, vote: SoftVote, split: Split) -> None:
    found, kinds = find_and_crop(detector, split.images)
    print(f"\n{to_markdown(found_table(found, split.labels))}\n", flush=True)
    if len(kinds) == 1:
        return
    answers = {name: named(vote, faces, name) for name, faces in kinds.items()}
    right = {name: each == split.labels[found] for name, each in answers.items()}
    print(f"\nFER2013's label:\n\n{to_markdown(loss_table(right))}\n")
    if split.opinions is not None:
        majority = split.majority()[found]
        is_clear = majority >= 0
        heard = {name: (each == majority)[is_clear] for name, each in answers.items()}
        print(f"What most people see:\n\n{to_markdown(loss_table(heard))}\n")
    loss = right["the original pictures"].mean() - right["`crop_face`"].mean()
    print(f"wanted: {WANTED_FOUND:.0%} found, {_verdict(found.mean() >= WANTED_FOUND)}; at most")
    print(f"{100 * WANTED_LOSS:.1f} points lost by crop_face, {_verdict(loss <= WANTED_LOSS)}")


def _verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def some_of(split: Split, limit: int) -> Split:
    """Return a seeded random choice: the pictures stand in the data set by emotion."""
    return split.take(np.random.default_rng(SEED).permutation(len(split))[:limit])


def main() -> None:
    """Measure as the command line says and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="fer2013.csv, a folder, or a zip of either")
    parser.add_argument("--opinions", help="FER+'s fer2013new.csv, for what most people see")
    parser.add_argument("--limit", type=int, help="measure on this many pictures of each part")
    args = parser.parse_args()
    with mistakes_as_lines(parser), FaceDetector() as detector:
        data = load_dataset(args.data, opinions=args.opinions)
        vote = SoftVote.load(precision="float")
        training = some_of(data.train, args.limit or TEMPLATE_PICTURES)
        print_template(detector, training.images)
        print_loss(detector, vote, some_of(data.validation, args.limit or len(data.validation)))


if __name__ == "__main__":
    main()
