"""The widgets in a real JupyterLab: one server, one browser, one notebook each."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import nbformat
import pytest
from PIL import Image

from fer_utils.video.tables import TRACKED_COLUMNS
from tests.helpers.chromium import CAMERA_IS_OFF, PATIENCE_MS, chromium_with_camera, press
from tests.helpers.portraits import HOPPER
from tests.helpers.widget_page import new_page

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NO_PICTURE = "This file cannot be read as a picture. Choose a complete JPEG or PNG file."
TOKEN = "test"
PICTURE_CELLS = [
    "from fer_utils import PictureInput\npicture = PictureInput()\npicture",
    "from fer_utils import FaceDetector\n"
    "print(picture.image.shape, 'faces:', len(FaceDetector().detect(picture.image)))",
    "print(picture.image, 'error:', picture.error)",
]
LIVE_CELLS = [
    "from fer_utils import EmotionRecognizer, webcam\nrecognizer = EmotionRecognizer.load()",
    "camera = webcam(recognizer)\ncamera",
    "table = camera.to_frame()\n"
    "print('rows:', len(table) > 2, 'faces:', table['face_id'].nunique(), *table.columns)",
    "print('saved:', camera.snapshot('me.png').shape)",
]

EXPLORE_CELLS = [
    "import fer_utils as fer\n"
    "fer.explore(lambda emotion: f'You chose {emotion}.', emotion=fer.EMOTIONS)",
]


class Lab:
    """A running JupyterLab and the folder that it serves."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.address = f"http://localhost:{port}"

    def open_notebook(self, page, name: str, cells: Sequence[str]) -> None:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)
        page.goto(f"{self.address}/lab/tree/{name}?reset&token={TOKEN}")
        page.get_by_text("| Idle").wait_for()  # the status bar: the kernel is connected


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_settings(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "server.log").open("w") as log:
        server = start_jupyter(folder, port, log)
    try:
        wait_until_it_listens(server, port, folder / "server.log")
        yield Lab(folder, port)
    finally:
        server.terminate()
        server.wait(timeout=30)


def write_settings(home: Path) -> None:
    """No news; and let notebooks keep their widgets' state, which must not hold a picture."""
    news = {"@jupyterlab/apputils-extension:announcements": True}
    state = Path(".jupyter/lab/user-settings/@jupyter-widgets/jupyterlab-manager")
    for path, settings in {
        Path(".jupyter/labconfig/page_config.json"): {"disabledExtensions": news},
        state / "plugin.jupyterlab-settings": {"saveState": True},
    }.items():
        (home / path).parent.mkdir(parents=True)
        (home / path).write_text(json.dumps(settings))


def start_jupyter(folder: Path, port: int, log: IO) -> subprocess.Popen:
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    options = [f"--port={port}", "--port-retries=0", f"--ServerApp.root_dir={folder}"]
    home = {"HOME": str(folder), "JUPYTER_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, *options], env={**os.environ, **home}, cwd=folder, stdout=log, stderr=log
    )


def wait_until_it_listens(server: subprocess.Popen, port: int, log: Path) -> None:
    deadline_s = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            return socket.create_connection(("localhost", port)).close()
        except OSError:
            running = server.poll() is None and time.monotonic() < deadline_s
            assert running, f"JupyterLab does not start:\n{log.read_text()}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium_with_camera(tmp_path_factory.mktemp("camera")) as browser:
        yield browser


@pytest.fixture
def page(browser):
    with browser.new_context(permissions=["camera"]) as context:
        yield new_page(context)


def run_cell(page, number: int) -> None:
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    cell.locator(".cm-focused").wait_for()
    page.keyboard.press("Control+Enter")


def wait_for_output(page, number: int, text: str) -> None:
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".jp-OutputArea-output", has_text=text).wait_for()


def wait_for_status(page, text: str) -> None:
    from playwright.sync_api import expect  # here, so that the tests are skipped without it

    expect(page.locator(".fer-status")).to_contain_text(text, timeout=PATIENCE_MS)


def restart_kernel(page) -> None:
    press(page, "Restart the kernel")
    page.get_by_role("dialog").locator(".jp-mod-warn", has_text="Restart").click()


def start_camera(page) -> None:
    press(page, "Start")
    page.locator(".fer-figures", has_text="1 face").wait_for()


def test_a_photo_and_a_file_reach_the_kernel(page, lab, tmp_path):
    lab.open_notebook(page, "picture.ipynb", PICTURE_CELLS)
    run_cell(page, 0)
    # By keyboard alone; JupyterLab must not take these keys for its own commands.
    page.get_by_role("button", name="Open camera").press("Enter")
    page.get_by_role("button", name="Take photo").press("Space")
    wait_for_status(page, "The kernel has the picture: 640 x 480 px.")
    run_cell(page, 1)
    wait_for_output(page, 1, "(480, 640, 3) faces: 1")

    Image.fromarray(HOPPER).save(tmp_path / "hopper.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "hopper.png")
    wait_for_status(page, "The kernel has the picture: 512 x 600 px.")
    run_cell(page, 1)
    wait_for_output(page, 1, "(600, 512, 3) faces: 1")

    text = {"name": "file", "mimeType": "text/plain", "buffer": b"a text"}
    page.locator("input[type=file]").set_input_files(text)
    wait_for_status(page, NO_PICTURE)
    run_cell(page, 2)
    wait_for_output(page, 2, f"None error: {NO_PICTURE}")

    press(page, "Open camera")
    page.get_by_role("button", name="Take photo").wait_for()
    run_cell(page, 0)  # which removes the cell's output
    page.wait_for_function(CAMERA_IS_OFF)


def test_the_live_webcam_recognises_releases_and_saves_no_picture(page, lab):
    lab.open_notebook(page, "live.ipynb", LIVE_CELLS)
    run_cell(page, 0)
    run_cell(page, 1)
    start_camera(page)
    page.wait_for_timeout(1000)
    press(page, "Snapshot")
    wait_for_status(page, "Snapshot kept.")
    press(page, "Stop")
    assert page.evaluate(CAMERA_IS_OFF)
    run_cell(page, 2)
    wait_for_output(page, 2, "rows: True faces: 1 " + " ".join(TRACKED_COLUMNS))
    run_cell(page, 3)
    wait_for_output(page, 3, "saved: (480, 640, 3)")
    assert Image.open(lab.folder / "me.png").size == (640, 480)

    start_camera(page)
    run_cell(page, 1)  # which removes the running widget and shows a new one
    page.wait_for_function(CAMERA_IS_OFF)
    start_camera(page)
    page.keyboard.press("Control+s")
    assert_no_picture_in(saved(page, lab.folder / "live.ipynb"))

    restart_kernel(page)
    page.wait_for_function(CAMERA_IS_OFF)
    wait_for_status(page, gone := "The kernel is gone, so the camera is off. Run the cells again.")
    page.get_by_text("| Idle").wait_for()
    run_cell(page, 0)
    run_cell(page, 1)
    page.locator(".fer-status", has_text=gone).wait_for(state="detached")  # the old widget
    start_camera(page)


def test_a_choice_changes_the_result_in_its_place(page, lab):
    lab.open_notebook(page, "explore.ipynb", EXPLORE_CELLS)
    run_cell(page, 0)
    wait_for_output(page, 0, "You chose angry.")
    page.locator(".widget-dropdown select").select_option("sad")
    wait_for_output(page, 0, "You chose sad.")
    assert page.locator(".jp-OutputArea-output", has_text="You chose").count() == 1


def saved(page, path: Path) -> dict:
    """Wait until JupyterLab has saved the notebook with its outputs, and read it."""
    deadline_s = time.monotonic() + PATIENCE_MS / 1000
    while "saved: (480, 640, 3)" not in (text := path.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline_s, "JupyterLab does not save"
        page.wait_for_timeout(100)
    return json.loads(text)


def assert_no_picture_in(notebook: dict) -> None:
    (output,) = notebook["cells"][1]["outputs"]
    assert set(output["data"]) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    (widgets,) = notebook["metadata"]["widgets"].values()
    states = widgets["state"].values()
    assert any("_palette" in widget["state"] for widget in states)
    assert not any(widget.get("buffers") for widget in states)
    text = json.dumps(notebook)
    assert not any(start in text for start in ("/9j/", "iVBOR", "data:image"))  # JPEG, PNG
