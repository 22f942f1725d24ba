"""Records the live widget as a moving picture: ``python docs/make_live.py``.

Chromium's camera is a film of the portraits in docs/faces; what the widget shows is what the
networks say of them.
"""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))  # the tests have a page for widgets, and a browser

from fer_utils import EmotionRecognizer, load_image, webcam  # noqa: E402
from tests.helpers.chromium import chromium, press  # noqa: E402
from tests.helpers.widget_page import widget_pages  # noqa: E402

CAMERA = (640, 480)
SECONDS, PER_SECOND = 2.0, 25  # of the film, for each portrait
SHOTS, PAUSE_MS = 60, 250


def film(portraits: list[np.ndarray], path: Path) -> None:
    """Write the portraits one after the other, each drifting slowly, as a camera's MJPEG.

    Between two of them nobody is there: else the widget would take them for one changing face.
    """
    frames = int(SECONDS * PER_SECOND)
    with path.open("wb") as file:
        for portrait in portraits:
            picture = Image.fromarray(portrait)
            picture.thumbnail((420, 420))
            for place in np.sin(np.linspace(0, np.pi, frames)):
                scene = Image.new("RGB", CAMERA, "#404040")
                left = (CAMERA[0] - picture.width) // 2 + int(60 * place) - 30
                scene.paste(picture, (left, (CAMERA[1] - picture.height) // 2))
                scene.save(file, "JPEG", quality=90)
            for _ in range(PER_SECOND):
                Image.new("RGB", CAMERA, "#404040").save(file, "JPEG")


def record(target: Path) -> None:
    """Start the widget before that camera and take a picture of it again and again."""
    portraits = [load_image(path) for path in sorted((DOCS / "faces").glob("*.jpg"))]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "camera.mjpeg"
        film(portraits, clip)
        camera = f"--use-file-for-fake-video-capture={clip}"
        with (
            chromium("--use-fake-device-for-media-stream", camera) as browser,
            widget_pages(browser) as show,
        ):
            shown = show(webcam(EmotionRecognizer.load(precision="float")))
            shown.page.set_viewport_size({"width": 660, "height": 760})
            press(shown.page, "Start")
            shown.page.get_by_text(" ms · ").wait_for()  # it has answered
            shots = []
            for _ in range(SHOTS):
                shown.page.wait_for_timeout(PAUSE_MS)
                shots.append(Image.open(io.BytesIO(shown.page.screenshot())).convert("RGB"))
            press(shown.page, "Stop")
    first, *rest = (shot.resize((shot.width * 2 // 3, shot.height * 2 // 3)) for shot in shots)
    options = {"save_all": True, "append_images": rest, "duration": PAUSE_MS, "loop": 0}
    first.save(target, "WEBP", quality=55, method=6, **options)


if __name__ == "__main__":
    record(DOCS / "live.webp")
