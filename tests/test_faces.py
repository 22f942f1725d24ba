import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage import data as skimage_data
from sklearn.datasets import load_sample_image

from fer_utils import detector as detector_module
from fer_utils.faces import KEYPOINTS, FaceBox, FaceDetector, crop_face

ASTRONAUT = skimage_data.astronaut()
PORTRAIT = np.asarray(Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)))
EYES_AND_MOUTH = {"right_eye": (32.5, 39.7), "left_eye": (67.5, 39.7), "mouth_center": (50, 77.1)}


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as detector:
        yield detector


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


@pytest.mark.parametrize(
    ("image", "eye_box"),
    [(ASTRONAUT, (190, 95, 255, 120)), (PORTRAIT, (200, 170, 330, 205))],
    ids=["astronaut", "grace_hopper"],
)
def test_a_portrait_has_one_face_with_its_eyes_in_place(detector, image, eye_box):
    (face,) = detector.detect(image)
    assert face.score > 0.8
    assert all(type(value) is int for value in face.box)
    assert tuple(face.keypoints) == KEYPOINTS
    left, top, right, bottom = eye_box
    for x, y in (face.keypoints["right_eye"], face.keypoints["left_eye"]):
        assert left < x < right
        assert top < y < bottom
    # The person's right eye stands on the picture's left.
    assert face.keypoints["right_eye"][0] < face.keypoints["left_eye"][0]


@pytest.mark.parametrize(
    "image",
    [
        load_sample_image("china.jpg"),
        load_sample_image("flower.jpg"),
        skimage_data.cat(),
        np.zeros((1, 1, 3), np.uint8),
    ],
    ids=["china", "flower", "cat", "one pixel"],
)
def test_no_face_gives_an_empty_list(detector, image):
    assert detector.detect(image) == []


def test_faces_come_from_left_to_right(detector):
    pair = [PORTRAIT[80:380, 110:410], ASTRONAUT[:300, 70:370]]
    for portraits in (pair, pair[::-1]):
        left, right = detector.detect(np.hstack(portraits))
        assert left.box[0] + left.box[2] < portraits[0].shape[1] < right.box[0]


@pytest.mark.parametrize(
    "cut",
    [np.s_[:, 190:], np.s_[:, :255], np.s_[110:], np.s_[:155]],
    ids=["left", "right", "top", "bottom"],
)
def test_a_face_cut_by_the_border_has_its_box_clipped_and_can_be_cropped(detector, cut):
    image = ASTRONAUT[cut]
    (face,) = detector.detect(image)
    x, y, w, h = face.box
    height, width = image.shape[:2]
    assert min(x, y) >= 0
    assert x + w <= width
    assert y + h <= height
    assert 0 in (x, y, width - x - w, height - y - h)
    assert crop_face(image, face).shape == (48, 48)


def test_detection_is_deterministic(detector):
    assert detector.detect(ASTRONAUT) == detector.detect(ASTRONAUT.copy())
    with FaceDetector() as other:
        assert other.detect(ASTRONAUT) == detector.detect(ASTRONAUT)


def test_a_sideways_photo_is_found_by_its_exif_orientation(detector, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer must turn it clockwise
    path = tmp_path / "sideways.png"
    Image.fromarray(np.rot90(ASTRONAUT)).save(path, exif=exif)
    assert detector.detect(path) == detector.detect(ASTRONAUT)


def test_min_confidence_leaves_out_less_certain_faces():
    with FaceDetector(min_confidence=0.99) as strict:
        assert strict.detect(ASTRONAUT) == []


@pytest.mark.parametrize("angle_deg", [-30, 30])
@pytest.mark.parametrize("image", [ASTRONAUT, PORTRAIT], ids=["astronaut", "grace_hopper"])
def test_a_tilted_face_is_cropped_upright(detector, image, angle_deg):
    (face,) = detector.detect(image)
    tilted = np.asarray(Image.fromarray(image).rotate(angle_deg, Image.Resampling.BICUBIC))
    (tilted_face,) = detector.detect(tilted)
    upright = crop_face(image, face)
    assert correlation(crop_face(tilted, tilted_face), upright) > 0.7
    x, y, w, h = tilted_face.box
    plain_box = Image.fromarray(tilted[y : y + h, x : x + w]).convert("L").resize((48, 48))
    assert correlation(np.asarray(plain_box), upright) < 0.3


def test_the_crop_does_not_depend_on_the_pictures_size(detector):
    crops = []
    for side in (256, 512, 2048):
        image = np.asarray(Image.fromarray(ASTRONAUT).resize((side, side)))
        (face,) = detector.detect(image)
        crops.append(crop_face(image, face))
    assert correlation(crops[0], crops[1]) > 0.95
    assert correlation(crops[1], crops[2]) > 0.98


def test_eyes_and_mouth_in_place_crop_the_frame_itself():
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (100, 100), np.uint8)
    face = FaceBox((10, 10, 80, 80), 0.9, EYES_AND_MOUTH)
    np.testing.assert_allclose(crop_face(gray, face, size=100).astype(float), gray, atol=1)
    # Half the size: each pixel is the mean of the four that it covers.
    means = gray.reshape(50, 2, 50, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(crop_face(gray, face, size=50), means, atol=1.5)


def test_beyond_the_picture_its_border_is_repeated():
    ramp = np.tile(np.arange(100, dtype=np.uint8) + 50, (100, 1))
    shifted = {name: (x - 40, y) for name, (x, y) in EYES_AND_MOUTH.items()}
    crop = crop_face(ramp, FaceBox((0, 10, 40, 80), 0.9, shifted), size=100)
    assert (crop[:, :38] == 50).all()
    np.testing.assert_allclose(crop[:, 42:].astype(float), ramp[:, 2:60], atol=1)


@pytest.mark.parametrize(
    ("box", "keypoints", "message"),
    [
        ((0, 0, 0, 5), EYES_AND_MOUTH, "positive size"),
        ((0, 0, 5), EYES_AND_MOUTH, "x, y, width, height"),
        ((0, 0, 5, 5), {"left_eye": (1, 1)}, "'right_eye', 'mouth_center'"),
    ],
)
def test_impossible_face_boxes_are_refused(box, keypoints, message):
    with pytest.raises(ValueError, match=message):
        FaceBox(box, 0.9, keypoints)


@pytest.mark.parametrize(
    ("face", "size", "message"),
    [
        (FaceBox((10, 10, 80, 80), 0.9, EYES_AND_MOUTH), 0, "size must be"),
        (FaceBox((10, 10, 80, 80), 0.9, EYES_AND_MOUTH), 48.0, "size must be"),
        (FaceBox((50, 10, 80, 80), 0.9, EYES_AND_MOUTH), 48, "inside the picture of 100x100"),
        (FaceBox((1, 1, 8, 8), 0.9, dict.fromkeys(EYES_AND_MOUTH, (5, 5))), 48, "within one pixel"),
    ],
)
def test_crops_that_cannot_be_made_are_refused(face, size, message):
    with pytest.raises(ValueError, match=message):
        crop_face(np.zeros((100, 100), np.uint8), face, size)


@pytest.mark.parametrize("min_confidence", [-0.1, 1.1, float("nan"), "high"])
def test_impossible_confidences_are_refused(min_confidence):
    with pytest.raises(ValueError, match="min_confidence must be a number between 0 and 1"):
        FaceDetector(min_confidence)


def test_a_closed_detector_says_so_and_may_be_closed_again():
    detector = FaceDetector()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="closed; make a new one"):
        detector.detect(ASTRONAUT)


def test_a_changed_or_missing_detector_file_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(detector_module.DETECTOR_FILE.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(detector_module, "DETECTOR_FILE", changed)
    with pytest.raises(ValueError, match=r"changed\.tflite.*SHA-256"):
        FaceDetector()
    changed.unlink()
    with pytest.raises(FileNotFoundError, match=r"changed\.tflite.*repository"):
        FaceDetector()


def test_a_mediapipe_that_sends_metrics_is_warned_about(monkeypatch):
    for version in ("0.10.30", "0.10.34"):
        monkeypatch.setattr("importlib.metadata.version", lambda name, v=version: v)
        assert detector_module.metrics_warning() is None
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.10.35")
    with pytest.warns(UserWarning, match=r"0\.10\.35 reports its use.*mediapipe==0\.10\.32"):
        FaceDetector().close()


def run_python(code: str, *prefix: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*prefix, sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="says how Linux is mended")
def test_a_missing_system_library_is_named_with_its_remedy(tmp_path):
    (tmp_path / "libGL.so.1").touch()  # found first, and no library
    code = "from fer_utils.faces import FaceDetector; FaceDetector()"
    ended = run_python(code, LD_LIBRARY_PATH=str(tmp_path))
    assert "ImportError: MediaPipe needs a system library" in ended.stderr
    assert "libGL.so.1" in ended.stderr
    assert "apt-get install libegl1" in ended.stderr


def test_a_detector_left_open_makes_no_noise_at_exit():
    ended = run_python("from fer_utils.faces import FaceDetector; left_open = FaceDetector()")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


RECOGNIZE = """
import numpy as np
from skimage.data import astronaut
from fer_utils import EmotionRecognizer, FaceDetector, SoftVote, build_vgg

with FaceDetector() as detector:
    assert EmotionRecognizer(SoftVote([build_vgg()]), detector).recognize(astronaut())
"""
CONNECT = (
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"
)


@pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="needs Debian's strace"
)
@pytest.mark.parametrize(("code", "opens"), [(RECOGNIZE, False), (CONNECT, True)])
def test_recognition_opens_no_network_connection(tmp_path, code, opens):
    log = tmp_path / "calls.txt"
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    ended = run_python(code, "strace", "-f", "--seccomp-bpf", "-e", calls, "-o", str(log))
    assert ended.returncode == 0, ended.stderr
    assert ("AF_INET" in log.read_text()) is opens
