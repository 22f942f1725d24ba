"""The picture widget: its Python side alone, and in a page without Jupyter."""

import io

import numpy as np
import pytest
from PIL import Image

from fer_utils import PictureInput
from tests.helpers.chromium import CAMERA_IS_OFF, chromium_with_camera, press, refuse_camera
from tests.helpers.portraits import ASTRONAUT, HOPPER
from tests.helpers.widget_page import WidgetPage, widget_pages

NO_PICTURE = "This file cannot be read as a picture. Choose a complete JPEG or PNG file."


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
    answer = receive(widget, encoded(ASTRONAUT))
    np.testing.assert_array_equal(widget.image, ASTRONAUT)
    assert answer == {"kind": "received", "width": 512, "height": 512, "error": ""}
    receive(widget, encoded(HOPPER))
    assert seen == [ASTRONAUT.shape, HOPPER.shape]


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(ASTRONAUT)[:5000]])
def test_what_is_no_picture_is_said_and_replaces_the_last_one(data):
    widget = PictureInput()
    receive(widget, encoded(HOPPER))
    assert receive(widget, data)["error"] == widget.error == NO_PICTURE
    assert widget.image is None
    receive(widget, encoded(HOPPER))
    assert widget.error == ""


def test_the_picture_is_not_part_of_what_a_notebook_saves():
    widget = PictureInput()
    receive(widget, encoded(HOPPER))
    assert {"image", "error"}.isdisjoint(widget.get_state())


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium_with_camera(tmp_path_factory.mktemp("camera")) as browser:
        yield browser


@pytest.fixture
def show(browser):
    with widget_pages(browser) as show:
        yield show


def sent_bytes(shown: WidgetPage) -> bytes:
    shown.wait_for_status("The kernel has the picture:")
    ((_, (data,)),) = shown.received
    return data


def sent_picture(shown: WidgetPage) -> Image.Image:
    return Image.open(io.BytesIO(sent_bytes(shown)))


def choose(page, data: bytes, kind: str = "image/png") -> None:
    file = {"name": "file", "mimeType": kind, "buffer": data}
    page.locator("input[type=file]").set_input_files(file)


def test_the_camera_is_released_once_the_photo_is_taken(show):
    shown = show(PictureInput())
    press(shown.page, "Open camera")
    press(shown.page, "Take photo")
    photo = sent_picture(shown)
    assert photo.format == "JPEG"
    assert shown.page.evaluate(CAMERA_IS_OFF)
    assert shown.page.locator("canvas").is_visible()
    # As others see it, not mirrored: the astronaut's flag stands at the left.
    left, right = np.hsplit(np.asarray(photo.convert("RGB"), int), 2)
    assert (left[..., 0] - left[..., 2]).mean() > (right[..., 0] - right[..., 2]).mean()


@pytest.mark.parametrize("end", ["press", "remove", "choose"])
def test_the_camera_is_released_without_a_photo_too(show, end):
    shown = show(PictureInput())
    press(shown.page, "Open camera")
    shown.page.get_by_role("button", name="Take photo").wait_for()
    assert not shown.page.evaluate(CAMERA_IS_OFF)
    if end == "press":
        press(shown.page, "Close camera")
    elif end == "remove":
        shown.page.evaluate("window.cleanUp()")
    else:
        choose(shown.page, encoded(ASTRONAUT))
    shown.page.wait_for_function(CAMERA_IS_OFF)
    shown.page.get_by_role("button", name="Open camera").wait_for()


def test_a_camera_that_opens_after_the_widget_has_gone_is_released(show):
    shown = show(PictureInput())
    shown.page.evaluate("document.querySelector('[data-part=open]').click(); window.cleanUp()")
    shown.page.wait_for_function(f"window.stream && {CAMERA_IS_OFF}")


@pytest.mark.parametrize(
    ("address", "permissions", "message"),
    [
        ("http://localhost/", [], "The browser did not allow the camera."),
        ("http://notebook.example/", [], "must be opened over https or at localhost."),
    ],
)
def test_a_refused_camera_is_explained(show, address, permissions, message):
    shown = show(PictureInput(), address, permissions)
    press(shown.page, "Open camera")
    shown.wait_for_status(message)
    press(shown.page, "Open camera")  # it may be tried again


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "The camera does not answer. Close other programs"),
        ("AbortError", "The camera could not be opened (AbortError)."),
    ],
)
def test_a_missing_or_busy_camera_is_explained(show, error, message):
    shown = show(PictureInput())
    refuse_camera(shown.page, error)
    press(shown.page, "Open camera")
    shown.wait_for_status(message)
    shown.wait_for_status("Or choose a picture instead.")


def test_a_large_photo_is_scaled_down_and_turned_upright(show):
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer must turn it clockwise
    shown = show(PictureInput())
    wide = np.zeros((1000, 2500, 3), np.uint8)
    wide[:, :1250, 0] = 255  # its left half is red: the upper one once turned
    choose(shown.page, encoded(wide, "JPEG", exif=exif), "image/jpeg")
    photo = sent_picture(shown)
    assert photo.size == (768, 1920)
    assert photo.getpixel((384, 100))[0] > 240
    assert photo.getpixel((384, 1800))[0] < 15


def test_a_small_picture_is_sent_as_it_is(show):
    shown, data = show(PictureInput()), encoded(ASTRONAUT)
    choose(shown.page, data)
    assert sent_bytes(shown) == data


def test_transparent_parts_of_other_formats_are_laid_on_white(show):
    shown = show(PictureInput())
    choose(
        shown.page, encoded(np.zeros((20, 30, 4), np.uint8), "WEBP", lossless=True), "image/webp"
    )
    assert np.asarray(sent_picture(shown)).min() > 250


def test_a_file_that_only_the_kernel_may_know_is_sent_unless_too_large(show, tmp_path):
    shown = show(PictureInput())
    large = tmp_path / "large.tiff"
    large.write_bytes(bytes(8 * 2**20 + 1))
    shown.page.locator("input[type=file]").set_input_files(large)
    shown.wait_for_status("too large to send")
    assert not shown.received
    choose(shown.page, encoded(ASTRONAUT, "TIFF"), "image/tiff")
    assert sent_picture(shown).format == "TIFF"
