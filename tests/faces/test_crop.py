import numpy as np
import pytest
from PIL import Image

from fer_utils.faces.boxes import FaceBox
from fer_utils.faces.crop import crop_face, crop_whole
from tests.helpers.portraits import ASTRONAUT, HOPPER

# Where the key points stand on average in FER2013, as percents of the frame's side.
IN_PLACE = {
    "right_eye": (31.9, 38.5),
    "left_eye": (68.1, 38.5),
    "nose_tip": (50.0, 59.1),
    "mouth_center": (50.0, 77.4),
    "right_ear": (12.4, 46.2),
    "left_ear": (87.6, 46.2),
}


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def tilt_deg(face: FaceBox) -> float:
    (x1, y1), (x2, y2) = face.keypoints["right_eye"], face.keypoints["left_eye"]
    return np.degrees(np.arctan2(y2 - y1, x2 - x1))


@pytest.mark.parametrize(
    "cut",
    [np.s_[:, 190:], np.s_[:, :255], np.s_[100:], np.s_[:155]],
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


@pytest.mark.parametrize("angle_deg", [-45, -30, 30, 45])
@pytest.mark.parametrize("image", [ASTRONAUT, HOPPER], ids=["astronaut", "grace_hopper"])
def test_a_tilted_face_has_level_eyes_when_it_is_cropped(detector, image, angle_deg):
    tilted = np.asarray(Image.fromarray(image).rotate(angle_deg, Image.Resampling.BICUBIC))
    (face,) = detector.detect(tilted)
    assert abs(tilt_deg(face)) > abs(angle_deg) - 20
    crop = Image.fromarray(crop_face(tilted, face, size=192))
    scene = Image.new("L", (384, 384), "gray")
    scene.paste(crop, (96, 96))
    (cropped,) = detector.detect(scene)
    assert abs(tilt_deg(cropped)) < 12


def test_the_crop_does_not_depend_on_the_pictures_size(detector):
    crops = []
    for side in (256, 512, 2048):
        image = np.asarray(Image.fromarray(ASTRONAUT).resize((side, side)))
        (face,) = detector.detect(image)
        crops.append(crop_face(image, face))
    assert correlation(crops[0], crops[1]) > 0.95
    assert correlation(crops[1], crops[2]) > 0.98


def test_key_points_in_place_crop_the_frame_itself():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8))
    gray = np.asarray(coarse.resize((100, 100), Image.Resampling.BICUBIC))
    face = FaceBox((10, 10, 80, 80), 0.9, IN_PLACE)
    # The places are rounded: that moves the frame by a small part of a pixel.
    np.testing.assert_allclose(crop_face(gray, face, size=100).astype(float), gray, atol=8)
    means = gray.reshape(50, 2, 50, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(crop_face(gray, face, size=50), means, atol=8)


def test_a_smaller_crop_averages_the_pixels_it_covers():
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    crop = crop_face(noise, FaceBox((10, 10, 80, 80), 0.9, IN_PLACE), size=25)
    assert crop.std() < 0.3 * noise.std()  # of 16 pixels each; one of them alone has the noise's


def test_beyond_the_picture_its_border_is_repeated():
    ramp = np.tile(np.arange(100, dtype=np.uint8) + 50, (100, 1))
    shifted = {name: (x - 40, y) for name, (x, y) in IN_PLACE.items()}
    crop = crop_face(ramp, FaceBox((0, 10, 40, 80), 0.9, shifted), size=100)
    assert (crop[:, :38] == 50).all()
    np.testing.assert_allclose(crop[:, 42:].astype(float), ramp[:, 2:60], atol=1)


@pytest.mark.parametrize(
    ("face", "size", "message"),
    [
        (FaceBox((10, 10, 80, 80), 0.9, IN_PLACE), 0, "size must be"),
        (FaceBox((50, 10, 80, 80), 0.9, IN_PLACE), 48, "inside the picture of 100x100"),
        (FaceBox((1, 1, 8, 8), 0.9, dict.fromkeys(IN_PLACE, (5, 5))), 48, "about one pixel"),
    ],
)
def test_crops_that_cannot_be_made_are_refused(face, size, message):
    with pytest.raises(ValueError, match=message):
        crop_face(np.zeros((100, 100), np.uint8), face, size)


FACE = crop_whole(HOPPER[120:340, 150:370])


def test_a_whole_picture_of_the_right_size_keeps_its_pixels():
    for picture in (FACE, np.dstack([FACE] * 3), Image.fromarray(FACE)):
        np.testing.assert_array_equal(crop_whole(picture), FACE)


def test_a_whole_picture_is_scaled():
    small = np.asarray(Image.fromarray(FACE).resize((24, 24), Image.Resampling.BOX))
    assert correlation(crop_whole(small), FACE) > 0.93
    assert correlation(crop_whole(FACE.repeat(5, axis=0).repeat(5, axis=1)), FACE) > 0.99
    assert crop_whole(FACE, size=64).shape == (64, 64)


@pytest.mark.parametrize("turned", [lambda a: a, np.transpose], ids=["tall", "wide"])
def test_a_whole_picture_that_is_not_square_keeps_its_shape_between_repeated_borders(turned):
    narrow = FACE[:, 8:39]  # 31 px wide: 8 more on the left, 9 on the right
    expected = np.pad(narrow, [(0, 0), (8, 9)], mode="edge")
    np.testing.assert_array_equal(crop_whole(turned(narrow)), turned(expected))


def test_without_a_face_there_is_no_crop():
    with pytest.raises(TypeError, match=r"face must be a FaceBox, .* got tuple"):
        crop_face(ASTRONAUT, (1, 2, 3, 4))


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (2000, 3), (2, 2)])
def test_a_whole_picture_of_an_odd_size_is_cropped_too(size):
    assert crop_whole(np.resize(ASTRONAUT, (*size, 3))).shape == (48, 48)


def test_a_whole_picture_of_one_colour_is_no_face():
    with pytest.raises(ValueError, match="no face: all its pixels are the same"):
        crop_whole(np.full((48, 48), 77, np.uint8))


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (48.0, TypeError), ("48", TypeError)])
def test_a_crop_has_a_whole_number_of_px(size, error):
    for crop in (crop_whole, lambda image, size: crop_face(image, None, size)):
        with pytest.raises(error, match="size must be a whole number of at least 1 px"):
            crop(FACE, size)
