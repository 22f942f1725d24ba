import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from fer_utils.emotions import EMOTIONS, LABEL_COLORS, ink_on
from fer_utils.recognition.drawing import caption, draw_faces
from fer_utils.recognition.recognizer import FaceEmotion

GREY = 120


def make_image(height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def make_face(
    box=(100, 80, 90, 90), top: str = "happy", confidence: float = 0.934, *, is_sure: bool = True
) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, (1 - confidence) / 6) | {top: confidence}
    return FaceEmotion(box, 0.9, emotions, is_sure=is_sure)


def color_of(name: str) -> list[int]:
    return [round(255 * channel) for channel in to_rgb(LABEL_COLORS[name])]


def changed(image: np.ndarray) -> np.ndarray:
    return (image != GREY).any(axis=2)


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is set, the last two exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def test_a_face_gets_a_box_in_its_color_and_nothing_else_changes():
    image = make_image()
    drawn = draw_faces(image, [make_face()])
    assert (image == GREY).all()
    assert drawn.dtype == np.uint8
    assert drawn.shape == image.shape
    corners_and_sides = [(80, 189), (169, 100), (169, 189), (169, 145), (120, 100), (120, 189)]
    for row, column in corners_and_sides:
        assert drawn[row, column].tolist() == color_of("happy")
    assert not changed(drawn)[90:160, 110:180].any()  # the face itself stays visible
    left, top, right, bottom = bounds(changed(drawn))
    assert (left, bottom) == (99, 171)  # the black rim of the box
    assert right <= 230
    assert top >= 80 - 30


def drawn_tag(top: str = "disgust", **options) -> np.ndarray:
    """The pixels of a tag that has room above its box."""
    drawn = draw_faces(make_image(), [make_face((100, 100, 60, 60), top)], **options)
    _, upper, right, _ = bounds(changed(drawn)[:99])
    return drawn[upper:100, 100:right]


def test_the_label_stands_above_the_box_on_a_filled_tag():
    tag = drawn_tag("sad").reshape(-1, 3)
    assert (tag == color_of("sad")).all(axis=1).mean() > 0.5
    assert (tag > 240).all(axis=1).any()  # white letters on dark blue


@pytest.mark.parametrize(
    ("box", "at_right", "place"),
    [
        ((0, 0, 60, 60), False, "below"),
        ((260, 0, 60, 60), True, "below"),
        ((0, 180, 60, 60), False, "above"),
        ((260, 180, 60, 60), True, "above"),
        ((0, 0, 320, 240), False, "inside"),
    ],
)
def test_the_label_stays_whole_at_the_border(box, at_right, place):
    drawn = draw_faces(make_image(), [make_face(box, "disgust")])
    tag = drawn_tag()
    height, width = tag.shape[:2]
    left = 320 - width if at_right else 0
    top = {"below": box[1] + box[3], "above": box[1] - height, "inside": 0}[place]
    np.testing.assert_array_equal(drawn[top : top + height, left : left + width], tag)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (20, 30), (4, 200)])
def test_small_pictures_work(height, width):
    drawn = draw_faces(make_image(height, width), [make_face((1, 1, width - 2, height - 2))])
    assert changed(drawn).any()


def test_lines_and_labels_grow_with_the_picture():
    small = draw_faces(make_image(300, 400), [make_face((100, 100, 100, 100))])
    large = draw_faces(make_image(1200, 1600), [make_face((400, 400, 400, 400))])
    heights = [box[3] - box[1] for box in (bounds(changed(small)), bounds(changed(large)))]
    assert heights[1] > 3 * heights[0]


def test_faces_are_numbered_on_request():
    assert drawn_tag(numbered=True).shape[1] > drawn_tag().shape[1]


def test_no_box_crosses_a_label():
    tag = drawn_tag()
    height, width = tag.shape[:2]
    faces = [make_face((100, 100, 60, 60), "disgust"), make_face((120, 60, 40, 35), "angry")]
    drawn = draw_faces(make_image(), faces)
    np.testing.assert_array_equal(drawn[100 - height : 100, 100 : 100 + width], tag)


def test_without_faces_a_copy_comes_back():
    image = make_image()
    drawn = draw_faces(image, [])
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)
    assert drawn.flags.writeable


def test_a_view_of_an_array_is_drawn_on_as_it_looks():
    wide = make_image(240, 640)
    np.testing.assert_array_equal(
        draw_faces(wide[:, ::2], [make_face()]), draw_faces(make_image(), [make_face()])
    )


@pytest.mark.parametrize(
    ("image", "error", "match"),
    [
        ("photo.jpg", TypeError, "image must be an RGB uint8 array, got str; .*load_image"),
        (Image.new("RGB", (9, 9)), TypeError, "got Image"),
        (np.zeros((9, 9), np.uint8), ValueError, r"uint8 \(h, w, 3\), got uint8 \(9, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), ValueError, r"got uint8 \(9, 9, 4\)"),
        (np.zeros((9, 9, 3)), ValueError, "got float64"),
        (np.zeros((0, 9, 3), np.uint8), ValueError, r"got uint8 \(0, 9, 3\)"),
    ],
)
def test_other_pictures_are_refused(image, error, match):
    with pytest.raises(error, match=match):
        draw_faces(image, [])


def test_other_faces_are_refused():
    with pytest.raises(TypeError, match=r"a list of FaceEmotion; got tuple in it"):
        draw_faces(make_image(), [(1, 2, 3, 4)])


def test_caption_rounds_to_whole_percent():
    assert caption(make_face(confidence=0.934)) == "happy 93%"


def test_an_unsure_face_is_grey_and_its_tag_says_what_the_share_belongs_to():
    face = make_face(confidence=0.336, is_sure=False)
    assert caption(face) == "unsure (happy 34%)"
    drawn = draw_faces(make_image(), [face])
    assert drawn[169, 145].tolist() == color_of("unsure")
    colors = {tuple(pixel) for pixel in drawn.reshape(-1, 3)}
    assert tuple(color_of("happy")) not in colors


def contrast(name: str, other: str) -> float:
    """Return the contrast ratio of a label's colour to black or white, as WCAG defines it."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in to_rgb(LABEL_COLORS[name])
    )
    pair = 0.2126 * red + 0.7152 * green + 0.0722 * blue, {"black": 0.0, "white": 1.0}[other]
    return (max(pair) + 0.05) / (min(pair) + 0.05)


@pytest.mark.parametrize("name", LABEL_COLORS)
def test_labels_have_the_contrast_that_wcag_asks_of_text(name):
    assert contrast(name, ink_on(to_rgb(LABEL_COLORS[name]))) >= 4.5


def test_unsure_stands_out_from_black_white_and_every_emotion():
    assert min(contrast("unsure", "black"), contrast("unsure", "white")) >= 3
    unsure, *emotions = (rgb2lab(to_rgb(LABEL_COLORS[n])) for n in ("unsure", *EMOTIONS))
    assert min(deltaE_ciede2000(unsure, emotion) for emotion in emotions) > 15
