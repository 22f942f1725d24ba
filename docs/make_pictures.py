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


if __name__ == "__main__":
    draw_recognition()
    draw_training()
