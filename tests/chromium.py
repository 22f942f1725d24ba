"""A real Chromium for the tests of what happens in a browser."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Playwright's own Chromium plays no H.264; those of the distributions do.
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")
PATIENCE_MS = 60_000  # for a busy machine; what is waited for usually takes far less


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


def _give_up(reason: str) -> None:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
