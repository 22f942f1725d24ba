"""A real Chromium for the tests of what happens in a browser, with a camera if need be."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.helpers.portraits import ASTRONAUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Playwright's own Chromium plays no H.264; those of the distributions do.
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")
PATIENCE_MS = 60_000  # for a busy machine; what is waited for usually takes far less
CAMERA_SHAPE = (480, 640, 3)

# For a page: keeps the stream that a widget opens, to see whether it is closed again.
KEEP_STREAM = """{
  const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  const keep = async (wishes) => (window.stream = await open(wishes));
  if (open) navigator.mediaDevices.getUserMedia = keep;
}"""
CAMERA_IS_OFF = "window.stream.getTracks().every((track) => track.readyState === 'ended')"


@contextmanager
def chromium(*flags: str) -> "Iterator[Browser]":
    """Start Chromium without a window; skip the test where it is missing, but fail in CI."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        _give_up("Chromium is missing: sudo apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("Playwright is missing: pip install playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@contextmanager
def chromium_with_camera(folder: Path) -> "Iterator[Browser]":
    """Start Chromium with a camera that sees the astronaut, in the picture's left half."""
    scene = Image.new("RGB", CAMERA_SHAPE[1::-1], "gray")
    scene.paste(Image.fromarray(ASTRONAUT).resize((480, 480)), (0, 0))
    clip = folder / "camera.mjpeg"
    scene.save(clip, "JPEG", quality=95)
    clip.write_bytes(clip.read_bytes() * 10)
    flag = f"--use-file-for-fake-video-capture={clip}"
    with chromium("--use-fake-device-for-media-stream", flag) as browser:
        yield browser


def refuse_camera(page: "Page", error: str) -> None:
    """Let the browser fail to open the camera, with an error of this name."""
    failing = f"() => Promise.reject(new DOMException('', '{error}'))"
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {failing}; }}")


def press(page: "Page", name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def _give_up(reason: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
