"""Draws the pictures of the README and the model card: ``python docs/make_pictures.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.cbook import get_sample_data
from skimage import data as samples

from fer_utils import EmotionRecognizer, draw_faces, load_image, plot_history, plot_probabilities

DOCS = Path(__file__).parent


def draw_recognition() -> None:
    """Recognise two portraits in the public domain and draw what was found."""
    hopper = load_image(get_sample_data("grace_hopper.jpg", asfileobj=False))
    portraits = [hopper[:512, :512], samples.astronaut()]
    recognizer = EmotionRecognizer.load()
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
    for (left, right), picture in zip(axes.reshape(2, 2), portraits, strict=True):
        faces = recognizer.recognize(picture)
        left.imshow(draw_faces(picture, faces))
        left.axis("off")
        plot_probabilities(faces, ax=right)
    figure.savefig(DOCS / "result.png", dpi=90)


def draw_training() -> None:
    """Draw the histories in training.csv, a row of charts for each network, run after run."""
    runs = pd.read_csv(DOCS / "training.csv")
    figure, grid = plt.subplots(3, 2, figsize=(14, 12), layout="constrained")
    for axes, (network, history) in zip(grid, runs.groupby("network"), strict=True):
        plot_history(history.drop(columns="epoch"), ax=axes)
        for ax in axes:
            ax.set_title(f"{network}: {ax.get_title().lower()}", pad=18)
    figure.savefig(DOCS / "training.png", dpi=90)


if __name__ == "__main__":
    draw_recognition()
    draw_training()
