"""Damaged or odd data sets: each is read as what it is, or refused in plain words."""

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_utils import EMOTIONS, load_dataset
from fer_utils.data.dataset import FerDataset
from tests.helpers.data_sets import HEADER, faces
from tests.helpers.fuzzing import damaged, fuzzed

pytestmark = pytest.mark.slow

PICTURES = faces(3) // 64  # four greys: short texts
LABELS = [3, 0, 3]
PIXELS = [" ".join(map(str, picture.ravel())) for picture in PICTURES]


def loaded_or_refused(path: Path) -> FerDataset | None:
    """Load a data set; it may only be refused with a short sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", UserWarning)  # ours
            return load_dataset(path, progress=False, cache=False)
    except ValueError as error:
        refused = error
    assert type(refused) is ValueError
    assert str(refused).endswith("."), refused
    assert len(str(refused)) < 2000, refused
    return None


def as_csv(header: list[str], rows: list[list[str]], separator: str = ",", end: str = "\n") -> str:
    return end.join(separator.join(cells) for cells in [header, *rows]) + end


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


# Most damages shall hit what is not pixels.
ROWS = [[str(k), p, "Training"] for k, p in zip(LABELS, PIXELS, strict=True)]
SHORT_CSV = as_csv(HEADER, [[k, p[:40], usage] for k, p, usage in ROWS]).encode()
WHOLE_CSV = as_csv(HEADER, ROWS).encode()
FOLDERS = {f"train/{EMOTIONS[k]}/{i}.png": png(PICTURES[i]) for i, k in enumerate(LABELS)}
LIST = {"labels.csv": b"image_id,emotion\n0,happy\n1,angry\n2,3.0\n"} | {
    f"images/{i}.png": png(picture) for i, picture in enumerate(PICTURES)
}


@fuzzed(120)
@given(data=st.one_of(damaged(SHORT_CSV), damaged(WHOLE_CSV)))
def test_a_damaged_csv_is_read_or_refused(tmp_path, data):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(data)
    loaded_or_refused(path)


@fuzzed(120)
@given(
    data=st.one_of(
        damaged(zipped(FOLDERS)),
        damaged(zipped(LIST, zipfile.ZIP_STORED)),
        damaged(zipped({"fer2013.csv": WHOLE_CSV})),
    )
)
def test_a_damaged_zip_is_read_or_refused(tmp_path, data):
    path = tmp_path / "fer2013.zip"
    path.write_bytes(data)
    loaded_or_refused(path)


@fuzzed(60)
@given(picture=damaged(FOLDERS["train/happy/0.png"]))
def test_a_damaged_picture_among_good_ones_is_read_or_refused(tmp_path, picture):
    path = tmp_path / "fer2013.zip"
    path.write_bytes(zipped(FOLDERS | {"train/happy/0.png": picture}))
    data = loaded_or_refused(path)
    if data is not None:
        assert len(data.all_faces()) == len(LABELS)


CELLS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=8), st.sampled_from([*"01237", "3.0", *PIXELS])
)


@fuzzed(60)
@given(
    header=st.lists(st.sampled_from([*HEADER, "image_id", "", "Unnamed: 0", " Usage", "emotion "])),
    rows=st.lists(
        st.lists(st.one_of(CELLS, st.sampled_from([*"01237", "3.0", *PIXELS]))), max_size=4
    ),
    separator=st.sampled_from(",;\t|"),
)
def test_any_table_is_read_or_refused(tmp_path, header, rows, separator):
    path = tmp_path / "table.csv"
    path.write_text(as_csv(header, rows, separator), encoding="utf-8")
    loaded_or_refused(path)


@fuzzed(60)
@given(
    columns=st.permutations(["emotion", "pixels", "Usage"]),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    index=st.sampled_from([None, "", "Unnamed: 0", "index"]),
    write_label=st.sampled_from(["{}", "{}.0", " {}", "{name}", "{NAME}", '"{}"']),
    mark=st.sampled_from(["", "\ufeff"]),
    capital=st.booleans(),
)
def test_whoever_wrote_it_the_data_is_the_same(
    tmp_path, columns, separator, end, index, write_label, mark, capital
):
    rows = []
    for number, (label, pixels) in enumerate(zip(LABELS, PIXELS, strict=True)):
        name = EMOTIONS[label]
        cells = {
            "emotion": write_label.format(label, name=name, NAME=name.upper()),
            "pixels": pixels,
            "Usage": "Training" if number else "PublicTest",
        }
        rows.append([str(number)] * (index is not None) + [cells[column] for column in columns])
    header = [index] * (index is not None) + [c.title() if capital else c for c in columns]
    path = tmp_path / "fer2013.csv"
    path.write_text(mark + as_csv(header, rows, separator, end), encoding="utf-8", newline="")
    data = load_dataset(path, progress=False, cache=False)
    assert (data.validation.labels.tolist(), data.train.labels.tolist()) == (LABELS[:1], LABELS[1:])
    assert np.array_equal(data.train.images, PICTURES[1:])
