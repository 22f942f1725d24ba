import numpy as np
import pytest
from PIL import Image

from fer_utils.faces.views import (
    OVERLAP_PX,
    VIEW_PX,
    shrink,
    starts,
    tiles,
    window_around,
)


def gradient(width: int, height: int) -> Image.Image:
    """A picture whose red says x and whose green says y, in shares of its sides."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 0 * x], axis=-1).astype(np.uint8))


def assert_shows_its_place(view, picture):
    rows, columns = np.indices(view.pixels.shape[:2])
    points = np.stack([columns + 0.5, rows + 0.5], axis=-1).reshape(-1, 2)
    places, pixels = view.to_picture(points), view.pixels.reshape(-1, 3)
    inside = ((places > 0) & (places < picture.size)).all(axis=1)
    shares = places[inside] / picture.size
    np.testing.assert_allclose(pixels[inside, :2], 255 * shares, atol=3)
    # A px at the picture's end may show a part of it alone.
    outside = ((places < 0) | (places > picture.size + view.scale)).any(axis=1)
    assert not pixels[outside].any()


@pytest.mark.parametrize("length", [1, 127, 128, 129, 216, 217, 640, 1000])
def test_tiles_cover_a_side_and_share_enough_for_a_face(length):
    begins = starts(length)
    assert begins[0] == 0
    assert begins[-1] == max(0, length - VIEW_PX)
    assert all(0 < step <= VIEW_PX - OVERLAP_PX for step in np.diff(begins))


@pytest.mark.parametrize("size", [(1000, 700), (333, 901)])
def test_tiles_show_their_place_at_each_scale(size):
    picture = gradient(*size)
    views = list(tiles(picture, 3))
    assert sorted({view.scale[0] for view in views}) == [3, 6]
    for view in views:
        assert view.pixels.shape == (VIEW_PX, VIEW_PX, 3)
        assert_shows_its_place(view, picture)


def test_a_face_anywhere_lies_whole_in_a_tile():
    views = list(tiles(Image.new("RGB", (1000, 700)), 3))
    rng = np.random.default_rng(0)
    for side in (3 * OVERLAP_PX, 6 * OVERLAP_PX):
        for corner in rng.integers(0, np.array([1000, 700]) - side, (200, 2)):
            assert any(
                (corner >= view.offset).all()
                and (corner + side <= view.to_picture(np.array(view.pixels.shape[1::-1]))).all()
                for view in views
                if side <= OVERLAP_PX * view.scale[0]
            )


def test_a_picture_that_one_tile_would_show_has_none():
    assert not list(tiles(Image.new("RGB", (384, 200)), 3))
    assert list(tiles(Image.new("RGB", (385, 200)), 3))


@pytest.mark.parametrize("window", [(0, 0, 1000, 700), (100, 50, 400, 350), (10, 20, 60, 80)])
def test_a_window_is_shrunk_to_a_view_but_never_enlarged(window):
    picture = gradient(1000, 700)
    view = shrink(picture, window)
    longer = max(window[2] - window[0], window[3] - window[1])
    assert max(view.pixels.shape[:2]) == min(longer, VIEW_PX)
    assert_shows_its_place(view, picture)


def test_a_window_is_square_around_its_box_and_ends_at_the_border():
    assert window_around((100, 100, 40, 60), 2, (500, 500)) == (60, 70, 180, 190)
    assert window_around((0, 440, 60, 60), 2, (500, 500)) == (0, 410, 90, 500)
