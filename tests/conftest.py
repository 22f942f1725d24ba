"""What all tests share: a face detector, and figures without a screen, closed after each test."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

from fer_utils import FaceDetector

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def detector():
    with FaceDetector() as detector:
        yield detector
