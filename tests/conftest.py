"""What all tests share: a face detector, and figures without a screen, closed after each test."""

import signal
import sys

import matplotlib
import matplotlib.pyplot as plt
import pytest

from fer_utils import FaceDetector, openvino_runtime
from fer_utils.network import openvino_network

matplotlib.use("Agg")
# Tests send Ctrl-C, which a job in the background ignores, and so do the programs that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Tests that use one of these start a browser, or wait for whole trainings.
SLOW_FIXTURES = {"answers", "browser", "copy_of_run", "show", "whole_run"}


def pytest_collection_modifyitems(items):
    for item in items:
        if not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture
def without_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    for cached in (openvino_runtime.openvino_core, openvino_network._tell_of_fallback):
        cached.cache_clear()
    yield
    for cached in (openvino_runtime.openvino_core, openvino_network._tell_of_fallback):
        cached.cache_clear()
