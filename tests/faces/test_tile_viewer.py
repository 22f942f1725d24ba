import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from fer_utils import processes
from fer_utils.faces import tile_viewer
from fer_utils.faces.blazeface import Viewer, read_detector_file
from fer_utils.faces.detector import FaceDetector
from fer_utils.faces.tile_viewer import _AT_ONCE, TileViewer
from fer_utils.faces.views import tiles
from tests.helpers.portraits import ASTRONAUT, HOPPER

MIN_SCORE = 0.3


def scene(size: tuple[int, int]) -> Image.Image:
    """A photograph without people, and two portraits pasted into it at several sizes."""
    picture = Image.fromarray(load_sample_image("china.jpg")).resize(size)
    portraits = [Image.fromarray(ASTRONAUT[:300, 70:370]), Image.fromarray(HOPPER[80:380, 110:410])]
    for place, side in enumerate((100, 130, 180, 240)):
        cut = portraits[place % 2].resize((side, side), reducing_gap=3)
        picture.paste(cut, (20 + place * size[0] // 4, 20 + size[1] // 5 * (place % 3)))
    return picture


SCENES = [scene(size) for size in ((1920, 1080), (1000, 711), (421, 1300))]


@pytest.fixture(scope="module")
def viewer():
    return TileViewer(MIN_SCORE, threads=2)


@pytest.mark.parametrize("picture", SCENES, ids=lambda picture: "x".join(map(str, picture.size)))
def test_it_finds_the_very_boxes_that_mediapipe_finds(viewer, picture):
    mediapipe = Viewer(read_detector_file(), MIN_SCORE, cores=1)
    views = list(tiles(picture, 3))
    pairs = zip(viewer.look(views, picture.size), mediapipe.look(views, picture.size), strict=True)
    found = 0
    for (_, ours), (_, theirs) in pairs:
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert np.abs(np.subtract(one.box, other.box)).max() <= 1
            assert abs(one.score - other.score) < 0.001
            points = (np.array([*face.keypoints.values()]) for face in (one, other))
            assert np.abs(np.subtract(*points)).max() < 0.1
        found += len(ours)
    mediapipe.close()
    assert found >= 8


def test_more_tiles_than_it_looks_at_in_one_go_come_in_their_order(viewer):
    picture = SCENES[0]
    once = list(tiles(picture, 3))
    often = once * (2 * _AT_ONCE // len(once) + 1)
    seen = list(viewer.look(iter(often), picture.size))
    assert [view for view, _ in seen] == often
    alone = [faces for view in once for _, faces in viewer.look([view], picture.size)]
    for (_, faces), expected in zip(seen, alone * 9, strict=False):
        assert [face.box for face in faces] == [face.box for face in expected]
    assert not list(viewer.look([], picture.size))


@pytest.mark.parametrize("flags", ["fma avx2", "avx2 avx512f"])
def test_with_and_without_it_the_same_faces_are_found(detector, flags, tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(processes, "_CPUINFO", cpuinfo)
    with FaceDetector() as other:
        found = other.detect(SCENES[0])
        assert isinstance(other._tile_viewer, TileViewer) == ("avx512f" in flags)
    expected = detector.detect(SCENES[0])
    assert [face.box for face in found] == [face.box for face in expected]
    assert len(found) == 4


@pytest.mark.parametrize("flags", ["", "avx512f"])
def test_a_detector_that_is_closed_meanwhile_says_so(flags, tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(processes, "_CPUINFO", cpuinfo)
    detector = FaceDetector()

    def tiles_after_closing(*arguments):
        detector.close()
        return tiles(*arguments)

    monkeypatch.setattr("fer_utils.faces.detector.tiles", tiles_after_closing)
    with pytest.raises(ValueError, match="closed"):
        detector.detect(SCENES[0])


def test_where_openvino_cannot_read_the_file_mediapipe_looks_at_tiles_with_one_warning(
    detector, tmp_path, monkeypatch
):
    (tmp_path / "cpuinfo").write_text("flags : avx512f\n")
    monkeypatch.setattr(processes, "_CPUINFO", tmp_path / "cpuinfo")

    def fails(*arguments):
        raise RuntimeError("Exception from somewhere:\nno frontend for .tflite")

    monkeypatch.setattr("fer_utils.faces.tile_viewer.compiled", fails)
    tile_viewer._warn_of_slower_tiles.cache_clear()
    expected = [face.box for face in detector.detect(SCENES[0])]
    with FaceDetector() as other:
        with pytest.warns(UserWarning, match=r"large pictures \(no frontend .*pip install"):
            found = other.detect(SCENES[0])
        assert [face.box for face in found] == expected
    with FaceDetector() as other, warnings.catch_warnings(action="error"):
        assert [face.box for face in other.detect(SCENES[0])] == expected


def test_more_threads_than_cores_and_no_least_score_do_no_harm():
    picture = SCENES[0]
    with warnings.catch_warnings(action="error"):
        ((_, faces),) = TileViewer(0.0, threads=10**9).look([*tiles(picture, 12)][:1], picture.size)
    assert min(face.score for face in faces) < 0.001


@pytest.mark.usefixtures("without_openvino")
def test_without_openvino_mediapipe_looks_at_tiles():
    with FaceDetector() as detector:
        assert len(detector.detect(SCENES[0])) == 4
        assert not isinstance(detector._tile_viewer, TileViewer)
