import base64
import io
import re

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from fer_utils.emotions import EMOTIONS, LABEL_COLORS, ink_on
from fer_utils.images import load_image
from fer_utils.recognition.drawing import (
    SAVED_SUFFIXES,
    caption,
    draw_faces,
    face_number,
    is_drawn,
)
from fer_utils.recognition.recognizer import FaceEmotion
from fer_utils.video.stream import TrackedFace

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


def test_several_faces_are_numbered_and_one_on_request():
    assert drawn_tag(numbered=True).shape[1] > drawn_tag().shape[1]
    two = [make_face((20, 100, 60, 60)), make_face((180, 100, 60, 60))]
    by_default = draw_faces(make_image(), two)
    np.testing.assert_array_equal(by_default, draw_faces(make_image(), two, numbered=True))
    assert (by_default != draw_faces(make_image(), two, numbered=False)).any()


def test_numbers_start_at_one_and_follow_the_id_of_a_tracked_face():
    assert [face_number(make_face(), place) for place in range(2)] == [1, 2]
    face = make_face()
    tracked = TrackedFace(face.box, 0.9, face.emotions, 7, face.emotions, "happy")
    assert face_number(tracked, 0) == 8


def test_no_box_crosses_a_label():
    tag = drawn_tag()
    height, width = tag.shape[:2]
    faces = [make_face((100, 100, 60, 60), "disgust"), make_face((120, 60, 40, 35), "angry")]
    drawn = draw_faces(make_image(), faces, numbered=False)
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


@pytest.mark.parametrize("to_source", [Image.fromarray, lambda pixels: pixels[..., 0]])
def test_it_draws_on_whatever_can_be_recognised(to_source):
    drawn = draw_faces(to_source(make_image()), [make_face()])
    np.testing.assert_array_equal(drawn, draw_faces(make_image(), [make_face()]))


def test_channels_may_come_in_opencvs_order():
    image = np.full((240, 320, 3), (10, 20, 30), np.uint8)
    drawn = draw_faces(image[..., ::-1], [make_face()], color="bgr")
    np.testing.assert_array_equal(drawn, draw_faces(image, [make_face()]))


def test_a_file_is_drawn_on_as_it_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(make_image(240, 320)).save(tmp_path / "a.png", exif=exif)
    assert draw_faces(tmp_path / "a.png", []).shape == (320, 240, 3)


def test_what_is_no_picture_is_refused(tmp_path):
    with pytest.raises(TypeError, match="source must be"):
        draw_faces(3, [])
    with pytest.raises(FileNotFoundError, match=r"photo\.jpg"):
        draw_faces(tmp_path / "photo.jpg", [])


@pytest.mark.parametrize("suffix", SAVED_SUFFIXES)
def test_what_was_drawn_is_saved_whole(tmp_path, suffix):
    drawn = draw_faces(make_image(), [make_face()])
    (tmp_path / f"out{suffix}").write_text("an older file")
    assert drawn.save(str(tmp_path / f"out{suffix}")) == tmp_path / f"out{suffix}"
    saved = load_image(tmp_path / f"out{suffix}").astype(int)
    assert np.abs(saved - drawn).mean() < 4
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


@pytest.mark.parametrize("suffix", SAVED_SUFFIXES)
def test_what_was_drawn_is_known_under_any_name_and_nobody_elses_picture_is(tmp_path, suffix):
    own = tmp_path / f"own_faces{suffix}"
    exif = Image.Exif()
    exif[0x0131] = "A camera's software"
    Image.fromarray(make_image()).save(own, exif=exif)
    drawn = draw_faces(own, [make_face()]).save(tmp_path / f"a{suffix}")
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(drawn.read_bytes()[:20])
    assert is_drawn(drawn.rename(tmp_path / f"renamed{suffix}"))
    assert not any(map(is_drawn, (own, broken, tmp_path, tmp_path / f"gone{suffix}")))


def test_a_picture_is_saved_in_known_formats_only(tmp_path):
    drawn = draw_faces(make_image(), [])
    with pytest.raises(
        ValueError, match=r"path must end in \.jpg or .* or \.webp, .* got 'a\.gif'"
    ):
        drawn.save("a.gif")
    with pytest.raises(FileNotFoundError, match="no folder"):
        drawn.save(tmp_path / "nowhere" / "a.jpg")


def test_notebooks_show_what_was_drawn_and_its_parts():
    drawn = draw_faces(make_image(), [make_face()])
    words, data = re.fullmatch(
        r'<img alt="(.+)" style="max-width:100%" src="data:image/png;base64,(.+)">',
        drawn._repr_html_(),
    ).groups()
    assert words.startswith("The picture")
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    np.testing.assert_array_equal(np.asarray(shown), drawn)
    assert drawn[0, 0]._repr_html_() is None
    assert (drawn / 255)._repr_html_() is None
    with pytest.raises(ValueError, match=r"image must be uint8 \(h, w, 3\), got float64"):
        (drawn / 255).save("out.jpg")


def test_other_faces_are_refused():
    with pytest.raises(TypeError, match=r"a list of FaceEmotion; got tuple in it"):
        draw_faces(make_image(), [(1, 2, 3, 4)])


def test_caption_rounds_to_whole_percent():
    assert caption(make_face(confidence=0.934)) == "happy 93%"


def dashes_along(pixels: np.ndarray) -> list[int]:
    """The lengths in px of the pieces in happy's colour along a line."""
    is_happy = [False, *(pixels == color_of("happy")).all(axis=1).tolist(), False]
    edges = np.flatnonzero(np.diff(is_happy))
    return (edges[1::2] - edges[::2]).tolist()


def test_an_unsure_face_is_dashed_and_its_tag_says_what_the_share_belongs_to():
    face = make_face((40, 80, 190, 90), confidence=0.336, is_sure=False)
    assert caption(face) == "unsure (happy 34%)"
    drawn = draw_faces(make_image(), [face])
    for side in (drawn[169, 40:230], drawn[80, 40:230], drawn[80:170, 40], drawn[80:170, 229]):
        assert len(set(dashes_along(side))) == 1  # none cut short
        assert len(dashes_along(side)) > 3
        assert side[[0, -1]].tolist() == [color_of("happy")] * 2  # the corners are there
    assert dashes_along(draw_faces(make_image(), [make_face()])[169, 100:190]) == [90]


@pytest.mark.parametrize("side", [1, 2, 7, 20])
def test_a_small_unsure_face_has_its_box(side):
    drawn = draw_faces(make_image(), [make_face((30, 30, side, side), is_sure=False)])
    assert (drawn[30, 30] == color_of("happy")).all()


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
