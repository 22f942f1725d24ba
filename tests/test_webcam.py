"""The picture widget: its Python side alone, its browser side alone, and both in JupyterLab."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import nbformat
import numpy as np
import pytest
from chromium import PATIENCE_MS, chromium
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage.data import astronaut

import fer_utils
from fer_utils.webcam import PictureInput

ROOT = Path(__file__).parents[1]
STATIC = Path(fer_utils.__file__).parent / "static"
HOPPER = Path(get_sample_data("grace_hopper.jpg", asfileobj=False))
HOPPER_SHAPE = (600, 512, 3)
NO_PICTURE = "This file cannot be read as a picture. Choose a complete JPEG or PNG file."

# Stands in for the notebook: shows the widget, and keeps what it would send to the kernel.
PAGE = """
<!doctype html><div id="cell"></div>
<script type="module">
  import widget from "/picture_input.js";
  const model = {
    on() {}, off() {},
    send(content, callbacks, buffers) {
      const reader = new FileReader();
      reader.onload = () => (window.sent = reader.result.split(",")[1]);
      reader.readAsDataURL(new Blob(buffers));
    },
  };
  window.cleanUp = widget.render({ model, el: document.getElementById("cell") });
</script>
"""
KEEP_STREAM = """{
  const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  const keep = async (wishes) => (window.stream = await open(wishes));
  if (open) navigator.mediaDevices.getUserMedia = keep;
}"""
CAMERA_IS_OFF = "window.stream.getTracks().every((track) => track.readyState === 'ended')"
NOTEBOOK_CELLS = [
    "from fer_utils.webcam import PictureInput\npicture = PictureInput()\npicture",
    "from fer_utils import FaceDetector\n"
    "print(picture.image.shape, 'faces:', len(FaceDetector().detect(picture.image)))",
    "print(picture.image, 'error:', picture.error)",
]


def encoded(image: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def receive(widget: PictureInput, data: bytes) -> dict:
    """Hand over a message as the browser sends it, and return the widget's answer."""
    answers = []
    widget.send = answers.append
    widget._handle_custom_msg({"kind": "picture"}, [memoryview(data)])
    (answer,) = answers
    return answer


def test_there_is_no_picture_at_first():
    widget = PictureInput()
    assert widget.image is None
    assert widget.error == ""


def test_a_picture_arrives_as_rgb_and_is_confirmed():
    widget, seen = PictureInput(), []
    widget.observe(lambda change: seen.append(change.new.shape), "image")
    answer = receive(widget, encoded(astronaut()))
    np.testing.assert_array_equal(widget.image, astronaut())
    assert answer == {"kind": "received", "width": 512, "height": 512, "error": ""}
    receive(widget, HOPPER.read_bytes())
    assert seen == [(512, 512, 3), HOPPER_SHAPE]


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(astronaut())[:5000]])
def test_what_is_no_picture_is_said_and_replaces_the_last_one(data):
    widget = PictureInput()
    receive(widget, HOPPER.read_bytes())
    assert receive(widget, data)["error"] == widget.error == NO_PICTURE
    assert widget.image is None
    receive(widget, HOPPER.read_bytes())
    assert widget.error == ""


def test_the_picture_is_not_part_of_what_a_notebook_saves():
    widget = PictureInput()
    receive(widget, HOPPER.read_bytes())
    assert {"image", "error"}.isdisjoint(widget.get_state())


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    clip = tmp_path_factory.mktemp("camera") / "astronaut.mjpeg"
    face = Image.new("RGB", (640, 480))
    face.paste(Image.fromarray(astronaut()).resize((480, 480)), (80, 0))
    clip.write_bytes(encoded(np.asarray(face), "JPEG", quality=95) * 10)
    camera = "--use-fake-device-for-media-stream"
    with chromium(camera, f"--use-file-for-fake-video-capture={clip}") as browser:
        yield browser


@pytest.fixture
def new_page(browser):
    with ExitStack() as contexts:

        def new_page(permissions: Sequence[str] = ("camera",)):
            context = browser.new_context(permissions=permissions)
            page = contexts.enter_context(context).new_page()
            page.set_default_timeout(PATIENCE_MS)
            return page

        yield new_page


@pytest.fixture
def open_page(new_page):
    """Show the widget without Jupyter; no server is needed, and no network is used."""
    script = (STATIC / "picture_input.js").read_text(encoding="utf-8")

    def answer(route):
        is_script = route.request.url.endswith(".js")
        kind = "text/javascript" if is_script else "text/html"
        route.fulfill(body=script if is_script else PAGE, content_type=kind)

    def open_page(address: str = "http://localhost/", permissions: Sequence[str] = ("camera",)):
        page = new_page(permissions)
        page.add_init_script(KEEP_STREAM)
        page.route("**/*", answer)
        page.goto(address)
        page.add_style_tag(path=STATIC / "picture_input.css")
        page.get_by_role("button", name="Open camera").wait_for()
        return page

    return open_page


def press(page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def sent_bytes(page) -> bytes:
    return base64.b64decode(page.wait_for_function("window.sent").json_value())


def sent_picture(page) -> Image.Image:
    return Image.open(io.BytesIO(sent_bytes(page)))


def choose(page, data: bytes, kind: str = "image/png") -> None:
    file = {"name": "file", "mimeType": kind, "buffer": data}
    page.locator("input[type=file]").set_input_files(file)


def test_the_camera_is_released_once_the_photo_is_taken(open_page):
    page = open_page()
    press(page, "Open camera")
    press(page, "Take photo")
    photo = sent_picture(page)
    assert photo.format == "JPEG"
    assert page.evaluate(CAMERA_IS_OFF)
    assert page.locator("canvas").is_visible()
    # As others see it, not mirrored: the astronaut's flag stands at the left.
    left, right = np.hsplit(np.asarray(photo.convert("RGB"), int), 2)
    assert (left[..., 0] - left[..., 2]).mean() > (right[..., 0] - right[..., 2]).mean()


@pytest.mark.parametrize("end", ["press", "remove", "choose"])
def test_the_camera_is_released_without_a_photo_too(open_page, end):
    page = open_page()
    press(page, "Open camera")
    page.get_by_role("button", name="Take photo").wait_for()
    assert not page.evaluate(CAMERA_IS_OFF)
    if end == "press":
        press(page, "Close camera")
    elif end == "remove":
        page.evaluate("window.cleanUp()")
    else:
        choose(page, encoded(astronaut()))
    page.wait_for_function(CAMERA_IS_OFF)
    page.get_by_role("button", name="Open camera").wait_for()


def test_a_camera_that_opens_after_the_widget_has_gone_is_released(open_page):
    page = open_page()
    page.evaluate("document.querySelector('[data-part=open]').click(); window.cleanUp()")
    page.wait_for_function(f"window.stream && {CAMERA_IS_OFF}")


@pytest.mark.parametrize(
    ("address", "permissions", "message"),
    [
        ("http://localhost/", [], "The browser did not allow the camera."),
        ("http://notebook.example/", [], "must be opened over https or at localhost."),
    ],
)
def test_a_refused_camera_is_explained(open_page, address, permissions, message):
    page = open_page(address, permissions)
    press(page, "Open camera")
    page.get_by_role("status").get_by_text(message).wait_for()
    press(page, "Open camera")  # it may be tried again


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "The camera does not answer. Close other programs"),
        ("AbortError", "The camera could not be opened (AbortError)."),
    ],
)
def test_a_missing_or_busy_camera_is_explained(open_page, error, message):
    page = open_page()
    failing = f"() => Promise.reject(new DOMException('', '{error}'))"
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {failing}; }}")
    press(page, "Open camera")
    page.get_by_role("status").get_by_text(message).wait_for()
    page.get_by_role("status").get_by_text("Or choose a picture instead.").wait_for()


def test_a_large_photo_is_scaled_down_and_turned_upright(open_page):
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer must turn it clockwise
    page = open_page()
    wide = np.zeros((1000, 2500, 3), np.uint8)
    wide[:, :1250, 0] = 255  # its left half is red: the upper one once turned
    choose(page, encoded(wide, "JPEG", exif=exif), "image/jpeg")
    photo = sent_picture(page)
    assert photo.size == (768, 1920)
    assert photo.getpixel((384, 100))[0] > 240
    assert photo.getpixel((384, 1800))[0] < 15


def test_a_small_picture_is_sent_as_it_is(open_page):
    page, data = open_page(), encoded(astronaut())
    choose(page, data)
    assert sent_bytes(page) == data


def test_transparent_parts_of_other_formats_are_laid_on_white(open_page):
    page = open_page()
    choose(page, encoded(np.zeros((20, 30, 4), np.uint8), "WEBP", lossless=True), "image/webp")
    assert np.asarray(sent_picture(page)).min() > 250


def test_a_file_that_only_the_kernel_may_know_is_sent_unless_too_large(open_page, tmp_path):
    page = open_page()
    large = tmp_path / "large.tiff"
    large.write_bytes(bytes(8 * 2**20 + 1))
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_role("status").get_by_text("too large to send").wait_for()
    assert page.evaluate("window.sent === undefined")
    choose(page, encoded(astronaut(), "TIFF"), "image/tiff")
    assert sent_picture(page).format == "TIFF"


@pytest.fixture
def notebook_address(tmp_path):
    """Start a JupyterLab of its own, in a folder of its own, and give its notebook's address."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in NOTEBOOK_CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, tmp_path / "picture.ipynb")
    settings = tmp_path / ".jupyter" / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True)
    news = "@jupyterlab/apputils-extension:announcements"
    settings.write_text(json.dumps({"disabledExtensions": {news: True}}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (tmp_path / "server.log").open("w") as log:
        server = start_jupyter(tmp_path, port, log)
    try:
        wait_until_it_listens(server, port, tmp_path / "server.log")
        yield f"http://localhost:{port}/lab/tree/picture.ipynb?token=test"
    finally:
        server.terminate()
        server.wait(timeout=30)


def start_jupyter(folder: Path, port: int, log: IO) -> subprocess.Popen:
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    options = [f"--port={port}", "--port-retries=0", f"--ServerApp.root_dir={folder}"]
    home = {"HOME": str(folder), "JUPYTER_TOKEN": "test", "PYTHONPATH": str(ROOT)}
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


def run_cell(page, number: int) -> None:
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    cell.locator(".cm-focused").wait_for()
    page.keyboard.press("Control+Enter")


def wait_for_output(page, number: int, text: str) -> None:
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".jp-OutputArea-output", has_text=text).wait_for()


def wait_for_status(page, text: str) -> None:
    page.locator(".fer-status", has_text=text).wait_for()


def test_a_photo_and_a_file_reach_the_kernel_of_a_real_jupyterlab(new_page, notebook_address):
    page = new_page()
    page.add_init_script(KEEP_STREAM)
    page.goto(notebook_address)
    page.get_by_text("| Idle").wait_for()  # the status bar: the kernel is connected
    run_cell(page, 0)
    # By keyboard alone; JupyterLab must not take these keys for its own commands.
    page.get_by_role("button", name="Open camera").press("Enter")
    page.get_by_role("button", name="Take photo").press("Space")
    wait_for_status(page, "The kernel has the picture: 640 x 480 px.")
    run_cell(page, 1)
    wait_for_output(page, 1, "(480, 640, 3) faces: 1")

    page.locator("input[type=file]").set_input_files(HOPPER)
    wait_for_status(page, "The kernel has the picture: 512 x 600 px.")
    run_cell(page, 1)
    wait_for_output(page, 1, "(600, 512, 3) faces: 1")

    choose(page, b"a text", "text/plain")
    wait_for_status(page, NO_PICTURE)
    run_cell(page, 2)
    wait_for_output(page, 2, f"None error: {NO_PICTURE}")

    page.get_by_role("button", name="Open camera").click()
    page.get_by_role("button", name="Take photo").wait_for()
    run_cell(page, 0)  # which removes the cell's output
    page.wait_for_function(CAMERA_IS_OFF)
