import importlib.util
import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from fer_utils.faces import blazeface
from fer_utils.faces.detector import FaceDetector
from fer_utils.faces.views import shrink
from tests.helpers.portraits import ASTRONAUT


def test_a_changed_or_missing_detector_file_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(blazeface.DETECTOR_FILE.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(blazeface, "DETECTOR_FILE", changed)
    with pytest.raises(ValueError, match=r"changed\.tflite.*SHA-256"):
        FaceDetector()
    changed.unlink()
    with pytest.raises(FileNotFoundError, match=r"changed\.tflite.*repository"):
        FaceDetector()


def test_a_mediapipe_that_sends_metrics_is_warned_about(monkeypatch):
    for version in ("0.10.30", "0.10.34"):
        monkeypatch.setattr("importlib.metadata.version", lambda name, v=version: v)
        assert blazeface.metrics_warning() is None
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.10.35")
    with pytest.warns(UserWarning, match=r"0\.10\.35 reports its use.*mediapipe==0\.10\.32"):
        FaceDetector().close()


IN_A_CYCLE = """
import gc
from fer_utils import FaceDetector
from fer_utils.faces.blazeface import _open_detectors

FaceDetector().close()  # what mediapipe imports keeps a hold on whoever was first
holder = {"detector": FaceDetector()}
holder["itself"] = holder
del holder
gc.collect()
print(len(_open_detectors))
"""


def run_python(code: str, *prefix: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*prefix, sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="says how Linux is mended")
def test_a_library_that_cannot_be_loaded_is_named_with_its_remedy(tmp_path):
    (whole,) = importlib.util.find_spec("mediapipe").submodule_search_locations
    shutil.copytree(whole, tmp_path / "mediapipe", ignore=shutil.ignore_patterns("*.so"))
    (tmp_path / "mediapipe/tasks/c/libmediapipe.so").touch()  # no library
    code = "from fer_utils import FaceDetector; FaceDetector()"
    ended = run_python(code, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert "ImportError: MediaPipe needs a system library" in ended.stderr
    assert "libmediapipe.so" in ended.stderr
    assert "apt-get install libegl1" in ended.stderr


@pytest.mark.slow
def test_a_detector_left_open_makes_no_noise_at_exit():
    ended = run_python("from fer_utils import FaceDetector; left_open = FaceDetector()")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_forgotten_detector_is_closed_by_garbage_collection():
    ended = run_python(IN_A_CYCLE)  # hangs if mediapipe's own `__del__` closes it
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "0"


DRAW_WITH_MEDIAPIPE = """
import sys
from fer_utils import FaceDetector, load_image
from skimage.data import astronaut

with FaceDetector() as detector:
    (face,) = detector.detect(astronaut())
    assert not {"cv2", "matplotlib.pyplot", "sounddevice"} & sys.modules.keys()
    import matplotlib.pyplot as plt
    import mediapipe as mp

    native = detector._viewer._idle.get()
    seen = native.detect(mp.Image(mp.ImageFormat.SRGB, astronaut())).detections[0]
    detector._viewer._idle.put(native)

picture = astronaut().copy()
mp.tasks.vision.drawing_utils.draw_detection(picture, seen)
assert (picture != astronaut()).any()
assert "cv2" in sys.modules
assert plt is sys.modules["matplotlib.pyplot"] and plt.figure() is not None
"""


@pytest.mark.slow
def test_what_mediapipe_draws_with_is_imported_when_it_draws():
    ended = run_python(DRAW_WITH_MEDIAPIPE, MPLBACKEND="Agg")
    assert ended.returncode == 0, ended.stderr


DETECT = """
import sys
from skimage.data import astronaut
from fer_utils import FaceDetector

with FaceDetector() as detector:
    assert detector.detect(astronaut())
    assert detector.detect(astronaut().repeat(3, axis=0).repeat(3, axis=1))  # in tiles
assert "tensorflow" not in sys.modules
"""
CONNECT = (
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"
)


@pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="needs Debian's strace"
)
@pytest.mark.parametrize(("code", "opens"), [(DETECT, False), (CONNECT, True)])
@pytest.mark.slow
def test_detection_opens_no_network_connection(tmp_path, code, opens):
    log = tmp_path / "calls.txt"
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    ended = run_python(code, "strace", "-f", "--seccomp-bpf", "-e", calls, "-o", str(log))
    assert ended.returncode == 0, ended.stderr
    assert ("AF_INET" in log.read_text()) is opens


def test_a_detector_that_another_thread_closes_says_so():
    detector = FaceDetector()
    viewer = detector._viewer
    detector.close()
    with pytest.raises(ValueError, match="closed meanwhile; make a new one with FaceDetector"):
        viewer.look([shrink(Image.fromarray(ASTRONAUT), (0, 0, 512, 512))], (512, 512))
