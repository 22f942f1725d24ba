"""Draws the README's picture: ``python docs/make_pictures.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.cbook import get_sample_data
from skimage import data as samples

from fer_utils import EmotionRecognizer, draw_faces, load_image, plot_probabilities

DOCS = Path(__file__).parent


def main() -> None:
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


if __name__ == "__main__":
    main()
