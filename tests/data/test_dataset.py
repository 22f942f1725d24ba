import importlib.util
import io
import re
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_utils.data import cache
from fer_utils.data.dataset import FerDataset, Split, load_dataset
from fer_utils.data.duplicates import find_duplicates
from fer_utils.emotions import EMOTIONS
from tests.helpers.data_sets import (
    GOOD,
    HEADER,
    faces,
    save_picture,
    write_csv,
    write_folders,
    zip_folder,
)
from tests.helpers.heic import heic, without_heic

FIXTURES = Path(__file__).parents[1] / "fixtures"
TINY = FIXTURES / "tiny_fer2013.zip"
USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("FER_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def tiny() -> FerDataset:
    return load_dataset(TINY, cache=False, progress=False)


@pytest.fixture(scope="module")
def few(tiny) -> FerDataset:
    """A quarter of the fixture, for the shapes that are slow to write."""
    return FerDataset(**{name: one_in_four(split) for name, split in tiny.splits().items()})


def one_in_four(split: Split) -> Split:
    return split.take(np.argsort(split.labels, kind="stable")[::4])


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def load(path, **options) -> FerDataset:
    return load_dataset(path, progress=False, **options)


def pixel_rows(data: FerDataset) -> list[tuple]:
    return [
        (label, " ".join(map(str, image.ravel().tolist())), USAGES[name])
        for name, split in data.splits().items()
        for image, label in zip(split.images, split.labels, strict=True)
    ]


def as_pixel_csv(data: FerDataset, folder: Path) -> Path:
    return write_csv(folder / "fer2013.csv", HEADER, pixel_rows(data))


def as_spaced_pixel_csv(data: FerDataset, folder: Path) -> Path:
    rows = [(label, usage, pixels) for label, pixels, usage in pixel_rows(data)]
    return write_csv(folder / "icml_face_data.csv", ["emotion", " Usage", " pixels"], rows)


def as_zipped_pixel_csv(data: FerDataset, folder: Path) -> Path:
    as_pixel_csv(data, folder / "fer2013")
    return zip_folder(folder, folder.with_suffix(".zip"))


def as_kaggle_folders(data: FerDataset, folder: Path, suffix: str = ".png") -> Path:
    for name, split in data.splits().items():
        part = "train" if name == "train" else "test"
        for i, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            save_picture(folder / part / EMOTIONS[label] / f"{USAGES[name]}_{i:04}{suffix}", image)
    (folder / ".DS_Store").write_bytes(b"a file manager's notes")
    (folder / "README.txt").write_text("not a picture")
    return folder


def as_nested_kaggle_folders(data: FerDataset, folder: Path) -> Path:
    as_kaggle_folders(data, folder / "fer2013")
    return folder


def as_kaggle_zip(data: FerDataset, folder: Path) -> Path:
    """Of JPEGs, as Kaggle's own archive: what is read is not quite what was written."""
    return zip_folder(as_kaggle_folders(data, folder, ".jpg"), folder.with_suffix(".zip"))


def as_nested_kaggle_zip(data: FerDataset, folder: Path) -> Path:
    as_nested_kaggle_folders(data, folder)
    return zip_folder(folder, folder.with_suffix(".zip"))


def as_named_folders(data: FerDataset, folder: Path) -> Path:
    """No official prefixes: the folders alone tell the parts, in other people's words."""
    words = dict(
        zip(EMOTIONS, ["Anger", "DISGUST", "fearful", "Happiness", "sadness"], strict=False)
    )
    for name, split in data.splits().items():
        part = {"validation": "val"}.get(name, name)
        for i, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            emotion = words.get(EMOTIONS[label], EMOTIONS[label])
            save_picture(folder / part / emotion / f"im{i:04}.png", image)
    return folder


def as_listed_by_number(data: FerDataset, folder: Path) -> Path:
    """One CSV; the images' folders tell the parts."""
    rows = []
    for name, split in data.splits().items():
        for i, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            save_picture(folder / "images" / name / f"{name}{i:04}.png", image)
            rows.append((f"{name}{i:04}.png", label))
    write_csv(folder / "labels.csv", ["image_id", "emotion"], rows)
    return folder


def as_listed_by_name(data: FerDataset, folder: Path) -> Path:
    """A CSV for each part; the same image names in each, without extension."""
    for name, split in data.splits().items():
        rows = [(f"{i:04}", EMOTIONS[label].title()) for i, label in enumerate(split.labels)]
        write_csv(folder / f"{name}.csv", ["image_id", "emotion"], rows)
        for i, image in enumerate(split.images):
            save_picture(folder / name / f"{i:04}.png", image)
    write_csv(folder / "sample_submission.csv", ["image_id", "emotion"], [("0001", 0)])
    return zip_folder(folder, folder.with_suffix(".zip"))


def contents(split: Split) -> list[tuple[int, bytes]]:
    return sorted(
        (int(k), image.tobytes()) for image, k in zip(split.images, split.labels, strict=True)
    )


@pytest.mark.parametrize(
    "write",
    [
        as_pixel_csv,
        as_spaced_pixel_csv,
        as_zipped_pixel_csv,
        as_kaggle_folders,
        as_nested_kaggle_folders,
        as_nested_kaggle_zip,
        as_named_folders,
        as_listed_by_number,
        as_listed_by_name,
    ],
)
def test_every_shape_gives_the_same_data(few, source, write):
    # FER2013's own forms need no order told; a list of numbers might be of any data set.
    order = {"label_order": EMOTIONS} if write is as_listed_by_number else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load(write(few, source), **order)
    for name, split in few.splits().items():
        assert contents(data.splits()[name]) == contents(split), name


def test_all_faces_are_those_of_every_part(few):
    faces = [face for split in few.splits().values() for face in contents(split)]
    assert contents(few.all_faces()) == sorted(faces)


def test_kaggle_zip_keeps_the_official_parts(few, source):
    path = as_kaggle_zip(few, source)
    data = load(path)
    with zipfile.ZipFile(path) as archive:
        for part, usage in USAGES.items():
            expected = [
                (label, np.array(Image.open(io.BytesIO(archive.read(name)))).tobytes())
                for label, emotion in enumerate(EMOTIONS)
                for name in archive.namelist()
                if f"/{emotion}/{usage}_" in name
            ]
            assert contents(data.splits()[part]) == sorted(expected)
            assert len(expected) == len(few.splits()[part])


def test_csv_is_read_in_chunks(source):
    rows = [("none", GOOD, "Training")] * 5000
    path = write_csv(source / "fer2013.csv", HEADER, rows)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="data row 1:"):
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The first row is looked at long before the last is in memory.
    assert peak < path.stat().st_size / 2


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_tiny_fer", FIXTURES / "make_tiny_fer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fixture_is_what_its_script_draws(tiny, script):
    drawn = list(script.draw_pictures())
    for name, split in tiny.splits().items():
        labels, pictures, _ = zip(*(row for row in drawn if row[2] == USAGES[name]), strict=True)
        assert split.labels.tolist() == list(labels)
        # Another release of Pillow may round a pixel otherwise: one step of grey, here and there.
        differences = np.abs(split.images.astype(int) - np.stack(pictures))
        assert differences.mean(axis=(1, 2)).max() < 1


def test_the_fixtures_opinions_are_what_its_script_draws(script, tmp_path):
    script.write_opinions(tmp_path / "votes.csv")
    drawn = (tmp_path / "votes.csv").read_text(encoding="utf-8")
    assert drawn == script.OPINIONS.read_text(encoding="utf-8")


def test_fixture_is_small_and_as_uneven_as_fer2013(tiny, script):
    assert TINY.stat().st_size < 1_000_000
    assert tiny.train.counts() == script.TRAIN_COUNTS
    assert tiny.validation.counts() == tiny.test.counts() == script.TEST_COUNTS
    totals = tiny.summary().drop("total").sum(axis=1)
    assert totals.between(20, 120).all()
    assert (totals.idxmin(), totals.idxmax()) == ("disgust", "happy")
    assert not find_duplicates(tiny)


def flat_folders(folder: Path, per_emotion: int = 20) -> Path:
    return write_folders(folder, EMOTIONS, per_emotion)


def test_without_official_parts_validation_is_split_off_and_said(source):
    flat_folders(source)
    with pytest.warns(UserWarning, match=r"No validation part found, so 28 images.*stratified"):
        data = load(source, validation_fraction=0.2)
    assert set(data.validation.counts().values()) == {4}
    assert set(data.train.counts().values()) == {16}
    assert data.test is None
    assert not find_duplicates(data)


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_the_split_depends_on_its_seed_alone(source):
    flat_folders(source)
    first, again, other = (load(source, random_state=seed).validation for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert contents(first) != contents(other)


def test_a_test_folder_without_prefixes_is_test(source):
    flat_folders(source / "train")
    flat_folders(source / "test", per_emotion=3)
    with pytest.warns(UserWarning, match="No validation part"):
        data = load(source)
    assert (len(data.train), len(data.validation), len(data.test)) == (126, 14, 21)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("testing", "test"),
        ("PrivateTest", "test"),
        ("Test-Set 2", "test"),
        ("valid", "validation"),
        ("dev", "validation"),
        ("PublicTest", "validation"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_other_words_for_the_parts(source, name, part):
    flat_folders(source / "training", per_emotion=2)
    held_out = faces(1, seed=9)[0]
    save_picture(source / name / "happy" / "1.png", held_out)
    split = load(source).splits()[part]
    assert contents(split) == [(EMOTIONS.index("happy"), held_out.tobytes())]


def test_a_folder_of_no_part_beside_one_with_a_part_is_refused(source):
    flat_folders(source / "train", per_emotion=2)
    flat_folders(source / "unseen", per_emotion=1)
    with pytest.raises(ValueError, match=r"'unseen/angry' names no part .*Rename or move"):
        load(source)


def test_a_list_of_no_part_beside_one_with_a_part_is_refused(source):
    for i, name in enumerate(("train", "unseen")):
        save_picture(source / "images" / f"{i}.png", faces(1, seed=i)[0])
        write_csv(source / f"{name}.csv", ["image_id", "emotion"], [(i, 3)])
    with pytest.raises(ValueError, match=r"'images' names no part .*images/1\.png"):
        load(source)


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_folders_that_name_no_part_at_all_are_training_and_said(source):
    flat_folders(source / "seen", per_emotion=2)
    flat_folders(source / "unseen", per_emotion=2)
    with pytest.warns(UserWarning, match="pictures of all are training: seen, unseen"):
        assert load(source).test is None


def test_csv_without_usage_is_all_training(source):
    rows = [(label, " ".join(["7"] * 2304)) for label in EMOTIONS for _ in range(4)]
    with pytest.warns(UserWarning, match="No validation part"):
        data = load(write_csv(source / "train.csv", ["emotion", "pixels"], rows))
    assert (len(data.train), len(data.validation)) == (21, 7)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".ppm", ".pgm"])
@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_rarer_suffixes_are_read(source, suffix):
    save_picture(source / "happy" / f"1{suffix}", faces(1)[0])
    save_picture(source / "happy" / "2.png", faces(1)[0])
    data = load(source)
    assert len(data.train) + len(data.validation) == 2


def test_what_is_left_out_of_folders_of_emotions_is_said(source):
    flat_folders(source / "train", per_emotion=2)
    for name in ("happy/0001", "happy/clip.mp4", "happy/Thumbs.db", "happy/notes.txt"):
        (source / "train" / name).write_bytes(b"?")
    save_picture(source / "preview.png", faces(1)[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load(source)
    said = "\n".join(str(warning.message) for warning in caught)
    assert "Files of no known picture type left out (2): train/happy/0001, train/happy/c" in said
    assert "Pictures outside the folders of emotions left out (1): preview.png." in said
    assert len(data.train) + len(data.validation) == 14


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_a_folder_without_any_known_picture_is_said_too(source):
    flat_folders(source, per_emotion=2)
    for i in range(2):
        (source / "happy" / f"{i}.png").rename(source / "happy" / str(i))
    with pytest.warns(UserWarning, match=r"left out \(2\): happy/0, happy/1"):
        load(source)


@pytest.mark.parametrize("content", [b"", b"caf\xe9,na\xefve\n1,2\n", b"a,b\n1\n1,2,3\n"])
@pytest.mark.parametrize("write", [as_kaggle_folders, as_pixel_csv, as_listed_by_number])
def test_an_unrelated_csv_does_no_harm(few, source, write, content):
    write(few, source)
    (source / "notes.csv").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load(source, label_order=EMOTIONS).train) == len(few.train)


def test_folders_of_emotions_win_over_a_csv(few, source):
    as_kaggle_folders(few, source)
    write_csv(source / "guesses.csv", ["image_id", "emotion"], [("Training_0001", 6)])
    with pytest.warns(UserWarning, match=r"CSV files .* left out \(1\): guesses\.csv"):
        assert contents(load(source).train) == contents(few.train)


def test_a_csv_wins_over_folders_that_are_numbers(source):
    for i in range(4):
        save_picture(source / "images" / str(i % 2) / f"{i}.png", faces(1, seed=i)[0])
    write_csv(source / "labels.csv", ["image_id", "emotion"], [(i, "happy") for i in range(4)])
    with pytest.warns(UserWarning, match="No validation part"):
        assert set(load(source).train.labels) == {EMOTIONS.index("happy")}


def test_an_archive_with_backslashes_is_read(few, source):
    as_kaggle_folders(few, source)
    archive = source.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in source.rglob("*.png"):
            zipped.writestr(str(file.relative_to(source)).replace("/", "\\"), file.read_bytes())
    assert contents(load(archive).test) == contents(few.test)


def test_unlabelled_pictures_of_a_competition_are_left_out_and_named(few, source):
    as_listed_by_number(FerDataset(few.train, few.validation), source)
    save_picture(source / "test" / "hidden.png", faces(1)[0])
    write_csv(source / "test.csv", ["image_id"], [("hidden",)])
    with pytest.warns(
        UserWarning, match=r"Pictures that no CSV .* lists left out \(1\): test/hidden\.png"
    ):
        data = load(source)
    assert data.test is None
    assert len(data.train) == len(few.train)


def shaded(width: int, height: int) -> np.ndarray:
    """Light at the top, dark at the bottom, so that turning it shows."""
    column = np.linspace(250, 10, height).astype(np.uint8)
    return np.repeat(column[:, None], width, axis=1)


def jpeg_lying_on_its_side(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn 90 degrees clockwise to view"
    Image.fromarray(np.rot90(shaded(48, 48)).copy()).save(path, exif=exif, quality=95)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("large.png", lambda p: save_picture(p, shaded(200, 200))),
        ("small.png", lambda p: save_picture(p, shaded(24, 24))),
        ("wide.png", lambda p: save_picture(p, shaded(96, 48))),
        ("colour.png", lambda p: save_picture(p, np.stack([shaded(48, 48)] * 3, axis=2))),
        ("deep.png", lambda p: save_picture(p, shaded(48, 48).astype(np.uint16) * 257)),
        ("turned.jpg", jpeg_lying_on_its_side),
        ("palette.gif", lambda p: Image.fromarray(shaded(48, 48)).save(p)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_other_pictures_become_48x48_grey(source, name, write):
    flat_folders(source, per_emotion=2)
    write(source / "happy" / name)
    data = load(source)
    happy = [s.images[s.labels == EMOTIONS.index("happy")] for s in data.splits().values()]
    differences = np.abs(np.concatenate(happy).astype(int) - shaded(48, 48)).mean(axis=(1, 2))
    assert differences.min() < 3


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (
            ["emotion", "pixels", "Part"],
            (0, GOOD, "Training"),
            r"columns emotion, part, pixels.*Rena",
        ),
        (["label", "pixels", "Usage"], (0, GOOD, "Training"), r"\(label, pixels, usage\)"),
        (["a", "b"], (0, 1), r"bad\.csv \(a, b\).*Expected a CSV with the columns"),
        (HEADER, (0, GOOD + " 9", "Training"), r"data row 2: 2305 pixels, expected 2304"),
        (HEADER, (0, "9 8", "Training"), r"data row 2: 2 pixels, expected 2304.*on_error"),
        (HEADER, (0, GOOD.replace("9", "x", 1), "Training"), r"data row 2: pixel 1 is 'x'"),
        (HEADER, (0, GOOD + " 256", "Training"), r"pixel 2305 is '256'.*0 to 255"),
        (HEADER, (0, "-1 " + GOOD, "Training"), r"pixel 1 is '-1'"),
        (HEADER, (7, GOOD, "Training"), r"data row 2: unknown emotion '7'.*0 to 6"),
        (HEADER, ("bored", GOOD, "Training"), r"unknown emotion 'bored', expected one of angry"),
        (HEADER, (0, GOOD, "Publictest2"), r"unknown Usage 'Publictest2'"),
        (HEADER, (0, GOOD), r"unknown Usage ''"),
        (HEADER, (0, GOOD, "Training", "more"), r"bad\.csv is not a readable CSV"),
    ],
)
def test_bad_csv(source, header, row, message):
    path = write_csv(source / "bad.csv", header, [(0, GOOD, "Training")[: len(header)], row])
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert "bad.csv" in str(caught.value)


def test_bad_rows_are_skipped_only_with_a_warning(source):
    rows = [(0, GOOD, "Training"), (7, GOOD, "Training"), (1, "9 8", "Training")]
    path = write_csv(source / "some.csv", HEADER, [*rows, (3, GOOD, "PublicTest")])
    with pytest.warns(UserWarning, match=r"skipped \(2\): .*some\.csv, data row 2: .*row 3: 2 pix"):
        data = load(path, on_error="skip")
    assert (data.train.labels.tolist(), data.validation.labels.tolist()) == ([0], [3])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("source.zip", b"PK\x03\x04 cut off", "damaged: get it again"),
        ("source.tar.gz", b"\x1f\x8b", "Unpack other archives first"),
        ("source.csv", b"", r"source\.csv \(none\)"),
        ("source.csv", b"emotion,pixels,Usage\n", "no training images found"),
        ("source.csv", b"emotion,pixels,Usage\n0,\xff\xfe,Training\n", "not a readable CSV"),
        ("source.csv", b"image_id,emotion\n1,0\n", "folder or archive that holds both"),
    ],
)
def test_bad_file(source, name, data, message):
    (source / name).write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        load(source / name)
    assert name in str(caught.value)


def test_csv_of_test_rows_alone_has_no_training_part(source):
    path = write_csv(source / "some.csv", HEADER, [(0, GOOD, "PublicTest")])
    with pytest.raises(ValueError, match=r"some\.csv: no training images found.*Usage"):
        load(path)


def test_several_pixel_csvs_cannot_be_told_apart(source):
    for name in ("one.csv", "two.csv"):
        write_csv(source / name, HEADER, [(0, GOOD, "Training")])
    with pytest.raises(ValueError, match=r"one\.csv, two\.csv.*the one to read"):
        load(source)


def test_unknown_folder_name(source):
    flat_folders(source / "train", per_emotion=1)
    save_picture(source / "train" / "contempt" / "1.png", faces(1)[0])
    with pytest.raises(ValueError, match=r"'train/contempt'.*expected one of angry.*label_order"):
        load(source)


def test_empty_folder(source):
    with pytest.raises(ValueError, match="no data set of a known shape, but nothing"):
        load(source)


def test_too_few_images_to_split(source):
    save_picture(source / "happy" / "1.png", faces(1)[0])
    with pytest.raises(ValueError, match=r"source: Too few training images"):
        load(source)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("face1", 0), ("face9", 1)], r"labels\.csv, image_id 'face9': no picture of that name"),
        ([("face1", 0), ("twin", 1)], r"image_id 'twin': several pictures.*b/twin\.png"),
        ([("face1", "glad")], r"image_id 'face1': unknown emotion 'glad'"),
    ],
)
def test_bad_list_of_pictures(source, rows, message):
    for name in ("face1", "a/twin", "b/twin"):
        save_picture(source / f"{name}.png", faces(1)[0])
    write_csv(source / "labels.csv", ["image_id", "emotion"], rows)
    with pytest.raises(ValueError, match=message):
        load(source)


def test_missing_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing stands at .*nowhere\.zip.*training\.md"):
        load(tmp_path / "nowhere.zip")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"source": None}, TypeError, "source must be the path"),
        ({"on_error": "ignore"}, ValueError, 'on_error must be "raise" or "skip"'),
        ({"source": ""}, ValueError, "source must be the path .* empty text"),
        ({"validation_fraction": 1.0}, ValueError, "must be above 0 and below 1"),
        ({"validation_fraction": "x"}, TypeError, "validation_fraction must be a number, got str"),
        ({"random_state": -1}, ValueError, "random_state must be a whole number .* got -1"),
        ({"random_state": 1.5}, TypeError, "random_state must be a whole number .* got 1.5"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        load_dataset(**({"source": TINY} | options))


def spoil(folder: Path) -> list[Path]:
    """Cut a picture short, and put text in another's place."""
    cut, text = folder / "happy" / "0.png", folder / "sad" / "1.png"
    cut.write_bytes(cut.read_bytes()[:300])
    text.write_text("<html>not found</html>")
    return [cut, text]


def test_corrupt_picture_is_named(source):
    spoil(flat_folders(source))
    with pytest.raises(ValueError, match=r"happy/0\.png: not a readable picture.*on_error=.skip"):
        load(source)


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_phones_pictures_are_read_and_what_is_missing_for_them_is_named(source):
    for number, pixels in enumerate(faces(2)):
        save_picture(source / "happy" / f"{number}.png", pixels)
    (source / "happy" / "2.heic").write_bytes(heic(np.repeat(faces(1)[0][..., None], 3, axis=2)))
    with pytest.MonkeyPatch.context() as patch:
        without_heic(patch)
        with pytest.raises(ValueError, match=r"happy/2\.heic: .*pip install pi-heif"):
            load(source)
        with pytest.warns(UserWarning, match="pi-heif"):
            assert sum(map(len, load(source, on_error="skip").splits().values())) == 2
    # And the skipped one is read once the package is there, whatever was cached before.
    for data in (load(source), load(source, on_error="skip")):
        assert len(data.train) + len(data.validation) == 3


def test_text_in_place_of_a_picture_is_named_without_a_memory_address(source):
    save_picture(source / "sad" / "0.png", faces(1)[0])
    (source / "sad" / "1.png").write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"sad/1\.png: .*no known format") as caught:
        load(source)
    assert "BytesIO" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_corrupt_pictures_are_skipped_only_with_a_warning(source):
    spoil(flat_folders(source))
    archive = zip_folder(source, source.with_suffix(".zip"))
    for _ in range(2):  # The second time the data comes from the cache.
        with pytest.warns(
            UserWarning, match=r"Bad entries skipped \(2\): .*happy/0\.png.*sad/1\.png"
        ):
            data = load(archive, on_error="skip")
        assert len(data.train) + len(data.validation) == 7 * 20 - 2
    with pytest.raises(ValueError, match=r"happy/0\.png"):
        load(archive)


def flip_bit(archive: Path, name: str) -> None:
    """Damage an entry of an archive, past its header."""
    with zipfile.ZipFile(archive) as zipped:
        start = zipped.getinfo(name).header_offset
    content = bytearray(archive.read_bytes())
    content[start + 200] ^= 0x01
    archive.write_bytes(content)


def test_damaged_entry_of_an_archive_is_named(few, source):
    archive = as_kaggle_zip(few, source)
    flip_bit(archive, "train/angry/Training_0003.jpg")
    with pytest.raises(ValueError, match=r"angry/Training_0003\.jpg: cannot be read \(Bad CRC"):
        load(archive)
    with pytest.warns(UserWarning, match=r"Bad entries skipped \(1\)"):
        assert len(load(archive, on_error="skip").train) == len(few.train) - 1


def test_damaged_csv_of_an_archive_is_named(few, source):
    archive = as_zipped_pixel_csv(few, source)
    flip_bit(archive, "fer2013/fer2013.csv")  # A digit becomes another; only the checksum tells.
    with pytest.raises(ValueError, match=r"fer2013\.csv is not a readable CSV \(Bad CRC"):
        load(archive)


@pytest.fixture
def unreadable_sources(monkeypatch):
    def fail(*_):
        raise AssertionError("the source was read again")

    return lambda: monkeypatch.setattr(cache, "read_source", fail)


def test_second_load_comes_from_the_cache(few, source, cache_folder, unreadable_sources):
    path = as_kaggle_folders(few, source)
    before = sorted(path.rglob("*"))
    first = load(path)
    unreadable_sources()
    second = load(path)
    for name, split in first.splits().items():
        np.testing.assert_array_equal(split.images, second.splits()[name].images)
        np.testing.assert_array_equal(split.labels, second.splits()[name].labels)
    assert sorted(path.rglob("*")) == before
    assert [file.suffix for file in cache_folder.iterdir()] == [".npz"]


def test_the_cache_folder_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("FER_CACHE_DIR", "~/c")
    assert cache.cache_dir() == tmp_path / "c"


def test_cache_can_be_left_out(cache_folder):
    load(TINY, cache=False)
    assert not cache_folder.exists()


def test_a_changed_source_is_read_again(few, source, cache_folder):
    path = as_kaggle_folders(few, source)
    load(path)
    save_picture(path / "train" / "disgust" / "Training_9999.png", faces(1)[0])
    assert len(load(path).train) == len(few.train) + 1
    assert len(list(cache_folder.iterdir())) == 1


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b"rubbish", lambda b: b[: len(b) // 2]]
)
def test_a_damaged_cache_is_built_anew(tiny, cache_folder, unreadable_sources, damage):
    load(TINY)
    (file,) = cache_folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert contents(load(TINY).train) == contents(tiny.train)
    unreadable_sources()
    load(TINY)


def test_a_flipped_bit_in_the_cache_is_noticed(tiny, cache_folder):
    load(TINY)
    (file,) = cache_folder.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x10
    file.write_bytes(content)
    assert contents(load(TINY).train) == contents(tiny.train)


def test_without_a_cache_folder_it_warns_and_goes_on(tiny, cache_folder):
    cache_folder.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="could not be cached.*FER_CACHE_DIR"):
        data = load(TINY)
    assert len(data.train) == len(tiny.train)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (faces(2).astype(np.float32), np.zeros(2, np.int64), r"images must be a uint8 .*float32"),
        (faces(2)[:, :40], np.zeros(2, np.int64), r"\('n', 48, 48\), got .*\(2, 40, 48\)"),
        (faces(2).tolist(), np.zeros(2, np.int64), "images must be .*got list"),
        (faces(2), np.zeros(2, np.int32), "labels must be a int64 .*int32"),
        (faces(2), np.zeros((2, 7), np.int64), "labels must be"),
        (faces(2), np.zeros(3, np.int64), "2 images and 3 labels"),
        (faces(2), np.array([0, 7]), "labels must lie in 0 to 6.*got 0 to 7"),
        (faces(2), np.array([-1, 3]), "got -1 to 3"),
    ],
)
def test_split_refuses_other_arrays(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Split(images, labels)


def test_counts_follow_the_order_of_emotions():
    split = Split(faces(4), np.array([6, 3, 3, 0]))
    assert list(split.counts().items()) == list(zip(EMOTIONS, [1, 0, 0, 2, 0, 0, 1], strict=True))
    assert sum(split.take(slice(0)).counts().values()) == 0


def test_a_sample_holds_each_emotions_share(tiny):
    half = tiny.train.sample(152, random_state=1)
    assert len(half) == 152
    for emotion, count in tiny.train.counts().items():
        assert abs(half.counts()[emotion] - count / 2) <= 1
    pictures = {image.tobytes() for image in tiny.train.images}
    drawn = {image.tobytes() for image in half.images}
    assert len(drawn) == 152
    assert drawn < pictures
    assert np.array_equal(half.images, tiny.train.sample(152, random_state=1).images)
    assert not np.array_equal(half.images, tiny.train.sample(152, random_state=2).images)
    assert tiny.train.sample(10_000).counts() == tiny.train.counts()
    assert len(tiny.train.take(slice(0)).sample(5)) == 0


def test_a_sample_of_nothing_is_refused(tiny):
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        tiny.train.sample(0)
    with pytest.raises(TypeError, match="n must be a whole number of at least 1, got 'abc'"):
        tiny.train.sample("abc")


def test_take_keeps_images_and_labels_together():
    split = Split(faces(4), np.array([6, 3, 1, 0]))
    chosen = split.take(np.array([2, 0]))
    np.testing.assert_array_equal(chosen.images, split.images[[2, 0]])
    assert chosen.labels.tolist() == [1, 6]
    assert len(split.take(split.labels == 3)) == 1


def test_fingerprint_tells_images_labels_and_order():
    split = Split(faces(3), np.array([6, 3, 1]))
    same = Split(faces(3), np.array([6, 3, 1]))
    others = [split.take([1, 0, 2]), split.take([0, 1]), Split(faces(3), np.array([6, 3, 0]))]
    assert split.fingerprint() == same.fingerprint()
    assert re.fullmatch(r"3 faces, sha256 [0-9a-f]{16}", split.fingerprint())
    assert len({split.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_summary_counts_each_split_and_the_total(tiny):
    table = tiny.summary()
    assert list(table.columns) == ["train", "validation", "test"]
    assert list(table.index) == [*EMOTIONS, "total"]
    assert table.loc["disgust", "train"] == tiny.train.counts()["disgust"]
    assert table.loc["total"].tolist() == [len(s) for s in tiny.splits().values()]


def test_importing_data_stays_light():
    code = (
        "import sys, fer_utils.data.dataset; "
        "heavy = {'tensorflow', 'keras', 'mediapipe', 'matplotlib', 'pandas'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def few_faces(*labels: int, emotions=("bored", "awake")) -> Split:
    return Split(faces(len(labels)), np.array(labels), emotions=emotions)


def test_a_split_may_have_other_emotions():
    split = few_faces(1, 0, 1)
    assert split.emotions == ("bored", "awake")
    assert split.counts() == {"bored": 1, "awake": 2}
    assert split.take([0]).emotions == split.emotions
    assert split.sample(2).emotions == split.emotions
    assert split.targets().tolist() == [[0, 1], [1, 0], [0, 1]]
    assert FerDataset(split, split).all_faces().counts() == {"bored": 2, "awake": 4}
    assert list(FerDataset(split, split).summary().index) == ["bored", "awake", "total"]


def test_the_same_labels_of_other_emotions_are_another_split():
    ours = few_faces(1, 0, emotions=EMOTIONS)
    assert few_faces(1, 0).fingerprint() != ours.fingerprint()


def test_labels_go_along_into_another_list_of_emotions():
    few = few_faces(0, 1, emotions=("sad", "happy"))
    assert few.among(EMOTIONS).labels.tolist() == [4, 3]
    assert few.among(EMOTIONS).among(("sad", "happy")).labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"faces of happy, but .* asked for are sad, bored"):
        few.among(["sad", "bored"])


@pytest.mark.parametrize(
    ("labels", "emotions", "error", "message"),
    [
        ([2], ("bored", "awake"), ValueError, "labels must lie in 0 to 1 .*bored, awake.* 2 to 2"),
        ([0], "bored, awake", TypeError, "emotions must be a list of names"),
        ([0], {"bored", "awake"}, TypeError, "emotions must be a list of names"),
        ([0], ("bored",), ValueError, "emotions must hold two names at least"),
        ([0], ("bored", "Bored"), ValueError, "emotions must name each once, got 'bored' twice"),
        ([0], ("bored", "unsure"), ValueError, "'unsure' or an empty text is none"),
        ([0], ("0", "1"), ValueError, "a number, .* is none"),
    ],
)
def test_bad_emotions_of_a_split(labels, emotions, error, message):
    with pytest.raises(error, match=message):
        few_faces(*labels, emotions=emotions)


def test_opinions_are_of_our_emotions_alone(source):
    opinions, elsewhere = np.full((1, 7), 1 / 7, np.float32), np.zeros((1, 3), np.float32)
    others = tuple(EMOTIONS[::-1])
    with pytest.raises(ValueError, match=r"opinions are of angry, .*; emotions are neutral, "):
        Split(faces(1), np.array([0]), opinions, elsewhere, others)
    path = write_csv(source / "two.csv", HEADER, [(i, GOOD, "Training") for i in (0, 1)])
    with pytest.raises(ValueError, match=r"opinions are of angry, .*order names bored, awake"):
        load(path, label_order=("bored", "awake"), opinions=FIXTURES / "tiny_fer2013new.csv")
