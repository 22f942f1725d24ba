import io
import os
import pickle
import struct
import warnings
import zlib
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.cbook import get_sample_data
from PIL import Image, features

from fer_utils.images import (
    UnreadableImageError,
    ValueRangeError,
    check_rgb,
    load_encoded,
    load_image,
    to_gray,
)
from fer_utils.video.reader import read_video
from fer_utils.video.writer import write_video
from tests.helpers.fuzzing import damaged, fuzzed
from tests.helpers.heic import heic, without_heic
from tests.helpers.portraits import ASTRONAUT

PORTRAIT = get_sample_data("grace_hopper.jpg", asfileobj=False)
# Four colours in a 3x2 picture: any turn, flip or channel swap shows.
PIXELS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [200, 100, 50], [0, 0, 0]]], np.uint8
)


@pytest.fixture
def write(tmp_path):
    def write(image: Image.Image, name: str, **options):
        path = tmp_path / name
        image.save(path, **options)
        return path

    return write


def test_a_path_a_string_and_an_open_image_give_the_same_pixels():
    expected = np.asarray(Image.open(PORTRAIT).convert("RGB"))
    with Image.open(PORTRAIT) as image:
        sources = [str(PORTRAIT), PORTRAIT, image]
        for source in sources:
            loaded = load_image(source)
            assert loaded.dtype == np.uint8
            np.testing.assert_array_equal(loaded, expected)


def test_a_file_in_memory_is_read_as_one_on_disk(write):
    turned = Image.Exif()
    turned[0x0112] = 6
    path = write(Image.fromarray(PIXELS), "turned.png", exif=turned)
    loaded = load_encoded(path.read_bytes(), "turned.png")
    assert loaded.shape == (3, 2, 3)
    np.testing.assert_array_equal(loaded, load_image(path))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "the file is empty"), (b"no picture", "its bytes are of no known format")],
)
def test_a_file_in_memory_that_is_no_picture_is_refused_by_name(content, problem):
    with pytest.raises(UnreadableImageError, match=r"'a\.png' cannot be read") as caught:
        load_encoded(content, "a.png")
    assert caught.value.problem == problem


def test_rgb_arrays_come_back_unchanged_and_unwritten():
    source = PIXELS.copy()
    np.testing.assert_array_equal(load_image(source), PIXELS)
    np.testing.assert_array_equal(load_image(source[:, ::-1]), PIXELS[:, ::-1])
    np.testing.assert_array_equal(source, PIXELS)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 7, 255]], np.uint8), [0, 7, 255]),
        (np.array([[[0], [7], [255]]], np.uint8), [0, 7, 255]),
        (np.array([[0, 7, 255]], np.int64), [0, 7, 255]),
        (np.array([[0, 7 * 257, 65535]], np.uint16), [0, 7, 255]),
        (np.array([[0, 7 * 257, 65535]], ">u2"), [0, 7, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[False, True, True]]), [0, 255, 255]),
    ],
)
def test_grey_arrays_of_every_dtype_become_three_equal_channels(pixels, expected):
    loaded = load_image(pixels)
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, np.repeat(np.array([expected])[..., None], 3, axis=2))


def test_8_bits_in_a_uint16_array_are_warned_of():
    dark = PIXELS.astype(np.uint16)
    with pytest.warns(UserWarning, match=r"largest value is 255.*astype\(np\.uint8\)") as caught:
        assert load_image(dark).max() == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
@pytest.mark.parametrize("as_file", [True, False])
def test_8_bits_in_a_deeper_grey_picture_are_warned_of(write, dtype, as_file):
    dark = Image.fromarray(np.array([[0, 255]], dtype))
    named = r" of '.*dark\.tif'" if as_file else ""
    message = rf"largest value{named} is 255.*astype\(np\.uint8\)"
    with pytest.warns(UserWarning, match=message) as caught:
        assert load_image(write(dark, "dark.tif") if as_file else dark).max() == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("largest", [0, 256, 65535])
def test_other_deep_pictures_are_not(recwarn, largest):
    load_image(np.array([[0, largest]], np.uint16))
    load_image(Image.fromarray(np.array([[0, largest]], np.int32)))
    assert not recwarn


def test_a_path_may_begin_at_home(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(Image.fromarray(PIXELS), "a.png")
    np.testing.assert_array_equal(load_image("~/a.png"), PIXELS)
    with pytest.raises(FileNotFoundError, match="~no-such-user"):
        load_image("~no-such-user/a.png")


def test_transparent_parts_lie_on_white(write):
    rgba = np.dstack([PIXELS, np.array([[255, 0, 255], [255, 0, 255]], np.uint8)])
    expected = np.where(rgba[..., 3:] == 0, 255, PIXELS)
    np.testing.assert_array_equal(load_image(rgba), expected)
    np.testing.assert_array_equal(load_image(write(Image.fromarray(rgba), "a.png")), expected)


def test_grey_with_alpha_lies_on_white(write):
    grey_alpha = Image.fromarray(np.array([[[40, 255], [40, 0]]], np.uint8), "LA")
    loaded = load_image(write(grey_alpha, "la.png"))
    np.testing.assert_array_equal(loaded[0], [[40] * 3, [255] * 3])


@pytest.mark.parametrize("mode", ["P", "1", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(write, mode):
    black_white = Image.fromarray(np.array([[0, 255]], np.uint8)).convert(mode)
    np.testing.assert_array_equal(load_image(write(black_white, "x.tif"))[0], [[0] * 3, [255] * 3])


def test_16_bit_grey_is_scaled_not_cut(write):
    path = write(Image.fromarray(np.array([[0, 128 * 257, 65535]], np.uint16)), "deep.png")
    np.testing.assert_array_equal(load_image(path)[0, :, 0], [0, 128, 255])


# The EXIF standard's eight orientations, each with the way a viewer must show the picture.
@pytest.mark.parametrize(
    ("orientation", "shown"),
    [
        (1, PIXELS),
        (2, PIXELS[:, ::-1]),
        (3, np.rot90(PIXELS, 2)),
        (4, PIXELS[::-1]),
        (5, PIXELS.transpose(1, 0, 2)),
        (6, np.rot90(PIXELS, -1)),
        (7, np.rot90(PIXELS.transpose(1, 0, 2), 2)),
        (8, np.rot90(PIXELS, 1)),
    ],
)
def test_exif_orientation_is_applied(write, orientation, shown):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(Image.fromarray(PIXELS), "turned.png", exif=exif)
    np.testing.assert_array_equal(load_image(path), shown)


@pytest.mark.parametrize("turns", [0, 1])
def test_heic_is_read_and_turned_as_it_says(tmp_path, turns):
    path = tmp_path / "phone.heic"
    path.write_bytes(heic(ASTRONAUT[:400], turns))
    loaded, expected = load_image(path), np.rot90(ASTRONAUT[:400], turns)
    assert loaded.shape == expected.shape
    assert np.abs(loaded - expected.astype(float)).mean() < 4


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow is too old for AVIF")
def test_avif_is_read(write):
    loaded = load_image(write(Image.fromarray(ASTRONAUT), "phone.avif"))
    assert np.abs(loaded - ASTRONAUT.astype(float)).mean() < 5


def test_what_reads_heic_is_named_where_it_is_missing_and_helps(tmp_path, monkeypatch):
    path = tmp_path / "phone.heic"
    path.write_bytes(heic(ASTRONAUT))
    without_heic(monkeypatch)
    message = r"phone\.heic.*it is HEIC, for which a package is missing: pip install pi-heif"
    with pytest.raises(ValueError, match=message):
        load_image(path)
    monkeypatch.undo()  # as the installation does
    assert load_image(path).shape == ASTRONAUT.shape


def test_of_a_video_it_is_said_where_it_belongs(tmp_path):
    path = tmp_path / "film.MP4"
    write_video([ASTRONAUT] * 2, tmp_path / "film.mp4", fps=10).rename(path)
    with pytest.raises(ValueError, match=r"it is named as a video\); videos go to recognize_video"):
        load_image(path)


def test_an_address_is_shown_as_it_was_typed_and_not_contacted():
    with pytest.raises(FileNotFoundError, match=r"'http://nowhere/a\.jpg' is an address"):
        load_image("http://nowhere/a.jpg")


def test_what_reads_avif_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "phone.avif"
    path.write_bytes(struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"mif1", 0, b"mif1", b"avif"))
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    Image.init()  # or formats that are first asked for meanwhile would be lost afterwards
    monkeypatch.setattr(Image, "ID", [])
    message = r'phone\.avif.*Pillow is too old: pip install "pillow>=11\.3"'
    with pytest.raises(ValueError, match=message):
        load_image(path)


def test_bgr_arrays_are_turned_around():
    np.testing.assert_array_equal(load_image(PIXELS[..., ::-1], color="bgr"), PIXELS)
    bgra = np.dstack([PIXELS[..., ::-1], np.full((2, 3), 255, np.uint8)])
    np.testing.assert_array_equal(load_image(bgra, color="bgr"), PIXELS)
    floats = PIXELS[..., ::-1] / 255
    np.testing.assert_array_equal(load_image(floats, color="bgr"), PIXELS)
    gray = PIXELS[..., 0]
    np.testing.assert_array_equal(load_image(gray, color="bgr"), load_image(gray))


@pytest.mark.parametrize(
    ("source", "color", "message"),
    [
        (PIXELS, "BGR", 'color must be "rgb" or "bgr", got \'BGR\''),
        (PIXELS, None, 'color must be "rgb" or "bgr", got None'),
        ("picture.jpg", "bgr", "got a file, which knows its own; leave color out"),
        (Image.fromarray(PIXELS), "bgr", "got a PIL image, which knows its own"),
    ],
)
def test_colour_orders_that_make_no_sense_are_refused(source, color, message):
    with pytest.raises(ValueError, match=message):
        load_image(source, color=color)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("empty", "the file is empty"),
        ("text", "its bytes are of no known format"),
        ("cut off", "image file is truncated"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, kind, problem):
    with open(PORTRAIT, "rb") as file:
        content = {"empty": b"", "text": b"no picture", "cut off": file.read()[:20_000]}[kind]
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\.jpg.*{problem}.*complete image file") as caught:
        load_image(path)
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_a_picture_may_be_tiny_or_a_strip(write, size):
    path = write(Image.new("RGB", size, "red"), "tiny.png")
    np.testing.assert_array_equal(load_image(path), np.full((*size[::-1], 3), [255, 0, 0]))


def test_a_picture_of_400_megapixels_is_refused_unread(write):
    path = write(Image.fromarray(PIXELS), "huge.jpg")
    content = bytearray(path.read_bytes())
    frame = content.index(b"\xff\xc0")  # JPEG's frame header, which tells height and width
    content[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    path.write_bytes(content)
    remedy = r"400000000 pixels\) exceeds limit.*raise PIL\.Image\.MAX_IMAGE_PIXELS"
    with pytest.raises(ValueError, match=remedy):
        load_image(path)


def test_a_name_too_long_for_a_file_is_refused():
    with pytest.raises(ValueError, match=r"File name too long|no file"):
        load_image("data:image/jpeg;base64," + "A" * 5000)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(write):
    path = write(Image.fromarray(PIXELS), "secret.png")
    path.chmod(0)
    with pytest.raises(ValueError, match=r"secret\.png.*Permission denied.*may be read"):
        load_image(path)


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ValueError, match=r"pipe\.jpg.*no regular file"):
        load_image(tmp_path / "pipe.jpg")


def test_damaged_exif_data_do_not_matter(write):
    path = write(Image.fromarray(PIXELS), "odd.png", exif=b"Exif\0\0no such thing")
    np.testing.assert_array_equal(load_image(path), PIXELS)


def test_cmyk_keeps_its_colours(write):
    path = write(Image.fromarray(np.kron(PIXELS, np.ones((8, 8, 1), np.uint8))).convert("CMYK"),
                 "print.jpg", quality=95, subsampling=0)  # fmt: skip
    np.testing.assert_allclose(load_image(path)[4::8, 4::8], PIXELS, atol=12)


def test_a_palette_may_have_a_transparent_colour(write):
    image = Image.fromarray(PIXELS).quantize(6)
    green = image.getpixel((1, 0))
    loaded = load_image(write(image, "palette.png", transparency=green))
    np.testing.assert_array_equal(loaded[0], [[255, 0, 0], [255] * 3, [0, 0, 255]])


def test_16_bit_colour_is_scaled(tmp_path):
    deep = PIXELS.astype(">u2") * 257
    header = struct.pack(">IIBBBBB", PIXELS.shape[1], PIXELS.shape[0], 16, 2, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + line.tobytes() for line in deep))
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", lines) + _chunk(b"IEND")
    )
    np.testing.assert_array_equal(load_image(path), PIXELS)


def _chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 0.5, 2], r"0 to 1, got 0.0 to 2.0\); scale it, or convert"),
        ([0, 0.5, np.nan], r"0 to 1, got NaN among them\); replace them first"),
    ],
)
def test_a_file_of_floats_is_read_as_0_to_1(write, values, expected):
    path = write(Image.fromarray(np.array([values], np.float32)), "float.tif")
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=rf"float\.tif.*{expected}") as caught:
            load_image(path)
        assert "complete image file" not in str(caught.value)
    else:
        np.testing.assert_array_equal(load_image(path)[0, :, 0], expected)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tif", "webp"])
def test_a_file_cut_anywhere_is_read_or_refused_by_name(write, suffix):
    path = write(Image.fromarray(PIXELS), f"whole.{suffix}")
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert _shape_or_message(path) == PIXELS.shape or path.name in _shape_or_message(path)


def _shape_or_message(path):
    try:
        return load_image(path).shape
    except ValueError as error:
        return str(error)


def test_a_picture_too_large_to_open_safely_is_refused(write, monkeypatch):
    path = write(Image.new("L", (40, 40)), "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"huge\.png.*exceeds limit.*MAX_IMAGE_PIXELS"):
        load_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1600)
    assert load_image(path).shape == (40, 40, 3)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nobody\.jpg"):
        load_image(tmp_path / "nobody.jpg")
    with pytest.raises(ValueError, match="is a folder"):
        load_image(tmp_path)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((5,), np.uint8), r"shape \(h, w\).*got shape \(5,\)"),
        (np.zeros((3, 9, 9), np.uint8), r"got shape \(3, 9, 9\).*transpose\(1, 2, 0\)"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"got shape \(2, 9, 9, 3\).*to recognize_batch"),
        (np.zeros((9, 9, 2), np.uint8), r"got shape \(9, 9, 2\)"),
        (np.zeros((), np.uint8), r"got shape \(\)"),
        (np.zeros((0, 9, 3), np.uint8), r"got shape \(0, 9, 3\)"),
        (np.full((2, 2), np.nan), "values 0 to 1, got NaN among them"),
        (np.full((2, 2), np.inf), "values 0 to 1, got inf"),
        (np.full((2, 2), 128.0), r"values 0 to 1, got 128.*astype\('uint8'\)"),
        (np.full((2, 2), -1), "values 0 to 255, got -1"),
        (np.full((2, 2), "a"), "must hold numbers"),
        (np.full((2, 2), None), "must hold numbers"),
        (np.full((2, 2), 1j), "must hold numbers"),
        (
            Image.fromarray(np.full((2, 2), 70_000, np.int32)),
            r"got 70000.*\); scale the picture first\.$",
        ),
    ],
)
def test_unusable_pixels_are_refused(pixels, message):
    with pytest.raises(ValueError, match=message):
        load_image(pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I", "F"])
def test_an_empty_pil_image_is_refused(mode):
    message = r"the PIL image .*no pixels, its size is 0 x 3\); check where it was cut or scaled\.$"
    with pytest.raises(ValueError, match=message):
        load_image(Image.new(mode, (0, 3)))


def test_what_cv2_did_not_read_is_told_as_that():
    for take in (load_image, check_rgb):
        with pytest.raises(TypeError, match=r"got None, as cv2\.imread returns it.*check its path"):
            take(None)


def test_the_bytes_of_a_file_are_read_and_an_open_one_as_the_message_says():
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    np.testing.assert_array_equal(load_image(file.getvalue()), PIXELS)
    file.seek(0)
    with pytest.raises(TypeError, match=r"got BytesIO; of an open file, pass file\.read\(\)"):
        load_image(file)
    np.testing.assert_array_equal(load_image(file.read()), PIXELS)
    with pytest.raises(ValueError, match="source: 'the bytes given' cannot be read as a picture"):
        load_image(file.getvalue()[:40])
    with pytest.raises(ValueError, match=r"source: 'the bytes given' .*\(the file is empty\)"):
        load_image(b"")


def test_pixels_are_mended_as_the_messages_say():
    np.testing.assert_array_equal(load_image((PIXELS * 1.0).astype("uint8")), PIXELS)
    np.testing.assert_array_equal(load_image(PIXELS.transpose(2, 0, 1).transpose(1, 2, 0)), PIXELS)
    holes = np.where(PIXELS == 255, np.nan, PIXELS / 255)
    np.testing.assert_array_equal(load_image(np.nan_to_num(holes)), PIXELS * (PIXELS < 255))
    dark = load_image(PIXELS.astype(np.uint16).astype(np.uint8))
    np.testing.assert_array_equal(dark, PIXELS)


def test_errors_can_be_pickled_whole(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    raised = []
    for source in (tmp_path / "text.jpg", np.full((2, 2), 9.0)):
        with pytest.raises((UnreadableImageError, ValueRangeError)) as caught:
            load_image(source)
        caught.value.args = (f"images[3]: {caught.value}",)  # as recognize_batch does
        raised.append(caught.value)
    for error in raised:
        other = pickle.loads(pickle.dumps(error))
        assert (type(other), str(other), other.problem) == (type(error), str(error), error.problem)
    assert {*map(type, raised)} == {UnreadableImageError, ValueRangeError}


@pytest.mark.parametrize("source", [7, bytearray(b"bytes"), [[0, 1], [2, 3]]])
def test_other_types_are_refused(source):
    with pytest.raises(TypeError, match=f"numpy array, got {type(source).__name__}"):
        load_image(source)


def test_to_gray_is_luma_and_keeps_grey_exactly():
    np.testing.assert_array_equal(to_gray(PIXELS)[0], [76, 150, 29])
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(to_gray(ramp)[0], np.arange(256))


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (PIXELS[..., 0], ValueError, r"uint8 \(h, w, 3\), got uint8 \(2, 3\)"),
        (np.zeros((2, 3, 4), np.uint8), ValueError, r"got uint8 \(2, 3, 4\)"),
        (PIXELS.astype(float), ValueError, "got float64"),
        (PIXELS[:0], ValueError, r"got uint8 \(0, 3, 3\)"),
        ("a.jpg", TypeError, "must be an RGB uint8 array, got str; .*load_image makes one"),
    ],
)
def test_what_load_image_would_not_return_is_refused(image, error, message):
    for refuse in (check_rgb, to_gray):
        with pytest.raises(error, match=message):
            refuse(image)


@cache
def sound_files() -> dict[str, bytes]:
    """Return a small picture in many formats, by suffix."""
    image = Image.fromarray(ASTRONAUT[90:122, 200:240])
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"jpg": {"exif": exif}, "png": {"exif": exif}, "gif": {"save_all": True}}
    files = {"heic": heic(ASTRONAUT[80:208, 160:288])}
    for suffix in "jpg png gif bmp tif webp ppm jp2".split():
        file = io.BytesIO()
        image.save(file, Image.registered_extensions()[f".{suffix}"], **options.get(suffix, {}))
        files[suffix] = file.getvalue()
    return files


@pytest.mark.slow
@fuzzed(250)
@given(st.data())
def test_a_file_damaged_anyhow_is_read_or_refused_by_name(tmp_path_factory, data):
    suffix = data.draw(st.sampled_from([*sound_files()]))
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    path.write_bytes(data.draw(damaged(sound_files()[suffix])))
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", UserWarning)  # Pillow's, of metadata
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)  # a damaged size takes no time
        outcome = _shape_or_message(path)
    assert path.name in outcome if isinstance(outcome, str) else outcome[2:] == (3,)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_colours_of_16_bits_whose_values_are_those_of_8_are_warned_of(tmp_path, name):
    deep = np.full((6, 8, 3), 200, np.uint16)
    cv2.imwrite(str(tmp_path / name), deep)
    with pytest.warns(UserWarning, match=rf"largest value of '.*{name}' is below 256: .* black"):
        assert not load_image(tmp_path / name).any()
    cv2.imwrite(str(tmp_path / name), deep * 257)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (load_image(tmp_path / name) == 200).all()


@pytest.mark.parametrize("name", ["several.gif", "several.png", "several.webp", "several.tif"])
def test_a_file_of_several_pictures_is_warned_of_and_read_as_told(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    first, second = (Image.new("RGB", (64, 48), (level,) * 3) for level in (0, 200))
    first.save(name, save_all=True, append_images=[second])
    with pytest.warns(UserWarning, match=f"'{name}' holds 2 pictures, of which the first") as told:
        assert not load_image(name).any()
    call = str(told[0].message).rpartition("recognize_video(")[2]
    frames = list(eval(f"read_video({call[:-1]}", {"read_video": read_video}))
    assert [round(int(frame.image[0, 0, 0]), -1) for frame in frames] == [0, 200]
