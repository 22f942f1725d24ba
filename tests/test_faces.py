import numpy as np
import pytest
from PIL import Image
from portraits import ASTRONAUT, HOPPER

from fer_utils.faces import FaceBox, crop_face

EYES_AND_MOUTH = {"right_eye": (32.5, 39.7), "left_eye": (67.5, 39.7), "mouth_center": (50, 77.1)}


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


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


@pytest.mark.parametrize("angle_deg", [-30, 30])
@pytest.mark.parametrize("image", [ASTRONAUT, HOPPER], ids=["astronaut", "grace_hopper"])
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
