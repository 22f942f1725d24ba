"""Writes data sets in the shapes in which they are passed around."""

import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fer_utils.data.dataset import Split

HEADER = ["emotion", "pixels", "Usage"]
GOOD = " ".join(["9"] * 2304)


def faces(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def save_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence], separator: str = ","
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([header, *rows])
    return path


def few_of_each(split: Split, count: int) -> Split:
    return split.take(np.concatenate([np.flatnonzero(split.labels == k)[:count] for k in range(7)]))


def write_fer2013(path: Path, parts: dict[str, Split]) -> Path:
    """Write parts, named as FER2013's column Usage names them, in FER2013's own shape."""
    rows = (
        (label, " ".join(map(str, image.ravel())), usage)
        for usage, split in parts.items()
        for image, label in zip(split.images, split.labels, strict=True)
    )
    return write_csv(path, HEADER, rows)


def write_folders(
    folder: Path, names: Iterable[str], per_name: int = 2, first_seed: int = 0
) -> Path:
    """Write a folder of pictures for each name; those of no two names are alike."""
    for seed, name in enumerate(names, first_seed):
        for i, image in enumerate(faces(per_name, seed)):
            save_picture(folder / name / f"{i}.png", image)
    return folder


def write_list(folder: Path, labels: Sequence[object]) -> Path:
    """Write a picture for each label, and a CSV that lists them."""
    for i, image in enumerate(faces(len(labels))):
        save_picture(folder / f"{i}.png", image)
    write_csv(folder / "labels.csv", ["image_id", "emotion"], list(enumerate(labels)))
    return folder


def zip_folder(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in sorted(folder.rglob("*")):
            zipped.write(file, file.relative_to(folder).as_posix())
    return archive
