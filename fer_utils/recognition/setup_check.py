"""The setup check: what is installed, whether it works, and what to do where it does not.

It imports the rooms it checks only while it checks them, so that it can report what is missing.
"""

import argparse
import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ..extras import TRAINING_COMMAND
from ..faces.blazeface import DETECTOR_FILE, metrics_warning, read_detector_file
from ..graceful_exit import interrupt_afterwards, mistakes_as_lines, parsed

_PACKAGES = ("numpy", "openvino")
_TRAINING_PACKAGES = ("tensorflow", "keras", "imbalanced-learn")
_TIMED_CALLS = 5


class Check(NamedTuple):
    """One line of the report: `found` says what is there, or what to do about it."""

    name: str
    ok: bool
    found: str


@dataclass(frozen=True, repr=False)
class SetupReport:
    """The result of `check_setup`; it prints as a table."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def __repr__(self) -> str:
        lines = [
            f"{'ok  ' if check.ok else 'FIX '} {check.name:<17} {check.found}"
            for check in self.checks
        ]
        return "\n".join([*lines, "All is ready." if self.ok else "See the lines marked FIX."])


def check_setup() -> SetupReport:
    """Check what recognition needs: packages, the shipped files, and one face on a portrait.

    Works offline. The portrait is the public-domain one of Grace Hopper that comes with
    matplotlib. Nothing that can be mended raises: it becomes a line marked FIX.

    Returns
    -------
    SetupReport
        Prints as a table; `.ok` says whether all is ready, `.checks` holds the lines.

    Examples
    --------
    >>> fer.check_setup().ok
    True
    """
    steps: dict[str, Callable[[], str]] = {
        "python": platform.python_version,
        **{name: lambda name=name: importlib.metadata.version(name) for name in _PACKAGES},
        **{name: lambda name=name: _version_for_training(name) for name in _TRAINING_PACKAGES},
        "mediapipe": _check_mediapipe,
        "detector's file": _check_detector_file,
        "face detection": _check_detection,
        "weights": _check_weights,
        "recognition": _check_recognition,
    }
    return SetupReport(tuple(_attempt(name, step) for name, step in steps.items()))


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m fer_utils check",
        description="Check what is installed, and say what to do about what is not.",
    )


def main(arguments: list[str] | None = None, prog: str | None = None) -> None:
    """Print the report; end with 1 where something is to be mended."""
    parser = _parser()
    parser.prog = prog or parser.prog
    parsed(parser, arguments)
    with mistakes_as_lines(parser):
        report = check_setup()
        print(report)
    parser.exit(0 if report.ok else 1)


def _attempt(name: str, step: Callable[[], str]) -> Check:
    try:
        with interrupt_afterwards():
            return Check(name, True, step())
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, f"not installed: pip install {name}")
    except (ImportError, OSError, ValueError) as error:
        return Check(name, False, str(error))


def _version_for_training(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed; only training and measuring need it: {TRAINING_COMMAND}"


def _check_mediapipe() -> str:
    if warning := metrics_warning():
        raise ValueError(warning)
    return f"{importlib.metadata.version('mediapipe')}, opens no network connection"


def _check_detector_file() -> str:
    read_detector_file()
    return f"{DETECTOR_FILE.name}, checksum right"


def _check_detection() -> str:
    from ..faces.detector import FaceDetector

    with FaceDetector() as detector:
        count = len(detector.detect(portrait()))
    return _one_face(count)


def _check_weights() -> str:
    from ..network.vote import SHIPPED_VOTE, SoftVote, read_vote

    how = ", by their int8 copy" if SoftVote.load().precision == "int8" else ""
    names = [path.name.removesuffix(".weights.h5") for path, _ in read_vote(SHIPPED_VOTE).networks]
    return f"{' and '.join(names)}{how}, checksums right"


def _check_recognition() -> str:
    from .recognizer import EmotionRecognizer

    recognizer = EmotionRecognizer.load()
    faces = recognizer.recognize(portrait())  # the first call also prepares the networks
    durations_s = []
    for _ in range(_TIMED_CALLS):
        start_s = time.perf_counter()
        recognizer.recognize(portrait())
        durations_s.append(time.perf_counter() - start_s)
    recognizer.detector.close()
    duration_ms = 1000 * statistics.median(durations_s)
    return f"{_one_face(len(faces))}, {faces[0].top}, in {duration_ms:.0f} ms"


def _one_face(count: int) -> str:
    if count != 1:
        raise ValueError(f"{count} faces instead of 1 in a portrait; install mediapipe again.")
    return "1 face in the portrait"


def portrait() -> str:
    """Return the path of Grace Hopper's portrait, in the public domain, which matplotlib ships."""
    from matplotlib.cbook import get_sample_data

    return get_sample_data("grace_hopper.jpg", asfileobj=False)
