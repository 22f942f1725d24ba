"""Draws the pictures of the README and the model card: ``python docs/make_pictures.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.cbook import get_sample_data
from skimage import data as samples

from fer_utils import (
    EmotionRecognizer,
    FaceEmotion,
    draw_faces,
    load_image,
    plot_history,
    plot_probabilities,
)

DOCS = Path(__file__).parent
FACES = DOCS / "faces"
TABLE_BEGINS = "<!-- made by python docs/make_pictures.py -->\n"


def draw_recognition() -> None:
    """Recognise two portraits in the public domain and draw what was found."""
    hopper = load_image(get_sample_data("grace_hopper.jpg", asfileobj=False))
    portraits = [hopper[:512, :512], samples.astronaut()]
    recognizer = EmotionRecognizer.load(precision="float")
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
    for (left, right), picture in zip(axes.reshape(2, 2), portraits, strict=True):
        faces = recognizer.recognize(picture)
        left.imshow(draw_faces(picture, faces))
        left.axis("off")
        plot_probabilities(faces, ax=right)
    figure.savefig(DOCS / "result.png", dpi=90)


def draw_training() -> None:
    """Draw the histories in training.csv, a row of charts for each network, run after run."""
    networks = pd.read_csv(DOCS / "training.csv").groupby("network", sort=False)
    figure, grid = plt.subplots(
        len(networks), 2, figsize=(14, 4 * len(networks)), layout="constrained"
    )
    for axes, (network, history) in zip(grid, networks, strict=True):
        # Each run counts its epochs from 1; the chart counts on.
        lengths = history.groupby("run", sort=False)["epoch"].max()
        before = history["run"].map(lengths.cumsum().shift(fill_value=0))
        plot_history(history.assign(epoch=history["epoch"] + before), ax=axes)
        for ax in axes:
            ax.set_title(f"{network}: {ax.get_title().lower()}", pad=18)
    figure.savefig(DOCS / "training.png", dpi=90)


def recognize_seven() -> list[tuple[pd.Series, FaceEmotion]]:
    """Return each row of faces/faces.csv with what the vote says of its picture's only face."""
    recognizer = EmotionRecognizer.load(precision="float")
    answers = []
    for _, row in pd.read_csv(FACES / "faces.csv").iterrows():
        (face,) = recognizer.recognize(FACES / row["file"])
        answers.append((row, face))
    return answers


def draw_seven(answers: list[tuple[pd.Series, FaceEmotion]]) -> None:
    """Draw the faces of the seven emotions, with the vote's probabilities beside each."""
    figure, grid = plt.subplots(len(answers) // 2, 4, figsize=(13, 13), layout="constrained")
    for (left, right), (row, face) in zip(grid.reshape(-1, 2), answers, strict=True):
        left.imshow(draw_faces(load_image(FACES / row["file"]), [face]))
        left.set_title(f"Meant: {row['emotion']} ({row['kind']})")
        left.axis("off")
        plot_probabilities(face, ax=right)
    figure.savefig(DOCS / "seven.png", dpi=72)


def write_table(answers: list[tuple[pd.Series, FaceEmotion]]) -> None:
    """Write the table in faces/README.md, and leave what stands above it."""
    described = {
        "kind": "kind",
        "shows": "who or what",
        "by_whose_word": "by whose word it shows that",
        "source": "source",
        "licence": "licence",
    }
    head = ["picture", "meant", "the vote says", *described.values()]
    lines = [head, ["---"] * len(head)]
    for row, face in answers:
        link = f"[{row['file']}]({row['file']})"
        says = f"{face.top} {face.confidence:.0%}"
        lines.append([link, row["emotion"], says, *row[list(described)]])
    readme = FACES / "README.md"
    text, _, _ = readme.read_text(encoding="utf-8").partition(TABLE_BEGINS)
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    readme.write_text(text + TABLE_BEGINS + "\n" + table, encoding="utf-8")


if __name__ == "__main__":
    answers = recognize_seven()
    draw_seven(answers)
    write_table(answers)
    draw_recognition()
    draw_training()
