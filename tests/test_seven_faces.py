"""The pictures in docs/faces: that each is accounted for, small, and shows a face."""

import csv

import numpy as np
import pytest
from PIL import Image

from docs import make_pictures
from docs.draw_faces import DRAWN, draw_face
from fer_utils import EMOTIONS

FOLDER = make_pictures.FACES
with (FOLDER / "faces.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
MOST_BYTES = 1_500_000


@pytest.fixture(scope="module")
def answers():
    return make_pictures.recognize_seven()


def test_each_picture_has_a_row_that_says_where_it_comes_from():
    assert [row["file"] for row in ROWS if not all(row.values())] == []
    assert {row["file"] for row in ROWS} == {path.name for path in FOLDER.glob("*.jpg")}


def test_all_seven_emotions_are_there():
    assert {row["emotion"] for row in ROWS} == set(EMOTIONS)


def test_only_free_licences():
    for row in ROWS:
        drawn = row["kind"] == "drawn"
        assert ("MIT" if drawn else "public domain") in row["licence"].replace(
            "Public", "public"
        ), row["file"]


def test_the_pictures_are_small():
    pictures = list(FOLDER.glob("*.jpg"))
    assert sum(path.stat().st_size for path in pictures) < MOST_BYTES
    for path in pictures:
        with Image.open(path) as picture:
            assert 300 <= min(picture.size) <= max(picture.size) <= 500, path.name


def test_each_shows_one_face(answers):
    for row, face in answers:  # two faces, or none, do not unpack
        assert face.detection_score > 0.7, row["file"]


def test_the_readme_says_what_the_vote_says_now(answers, tmp_path, monkeypatch):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for row, face in answers:
        line = next(line for line in readme.splitlines() if line.startswith(f"| [{row['file']}]"))
        _, _, meant, says, *_ = (cell.strip() for cell in line.split("|"))
        top, percent = says.rstrip("%").split()
        assert (meant, top) == (row["emotion"], face.top), "run python docs/make_pictures.py"
        assert int(percent) == pytest.approx(100 * face.confidence, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize("emotion", DRAWN)
def test_the_drawn_pictures_are_what_the_command_draws(emotion):
    with Image.open(FOLDER / f"{emotion}-drawn.jpg") as picture:
        stored = np.asarray(picture, dtype=int)
    drawn = np.asarray(draw_face(*DRAWN[emotion]), dtype=int)
    assert np.abs(stored - drawn).mean() < 2  # JPEG's loss
