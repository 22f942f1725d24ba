"""CSV files as spreadsheets and pandas write them; damaged ones end in a ValueError."""

import gc
import warnings

import pandas as pd
import pytest

from fer_utils import load_dataset
from tests.helpers.data_sets import GOOD, HEADER, faces, save_picture, write_csv

ROWS = [(3, GOOD, "Training"), (4, GOOD, "Training"), (0, GOOD, "PublicTest")]
TABLE = pd.DataFrame(ROWS, columns=HEADER)


def labels(path) -> dict[str, list[int]]:
    data = load_dataset(path, progress=False, cache=False)
    return {name: split.labels.tolist() for name, split in data.splits().items()}


EXPECTED = {"train": [3, 4], "validation": [0]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("number", ["int64", "float64"])
def test_what_pandas_writes_is_read(tmp_path, separator, index, number):
    path = tmp_path / "fer.csv"
    TABLE.astype({"emotion": number}).to_csv(path, sep=separator, index=index)
    assert labels(path) == EXPECTED


def test_an_index_that_went_through_pandas_twice(tmp_path):
    TABLE.to_csv(tmp_path / "one.csv")
    pd.read_csv(tmp_path / "one.csv").to_csv(tmp_path / "two.csv")
    (tmp_path / "one.csv").unlink()
    assert labels(tmp_path / "two.csv") == EXPECTED


@pytest.mark.filterwarnings("ignore:.*No validation part", "ignore:.*order")
def test_pixels_and_labels_alone_may_have_an_index(tmp_path):
    TABLE.iloc[[0, 0, 1]][["emotion", "pixels"]].to_csv(tmp_path / "train.csv")
    assert labels(tmp_path / "train.csv") == {"train": [3, 4], "validation": [3]}


@pytest.mark.filterwarnings("ignore:.*No validation part", "ignore:.*order")
def test_a_list_of_pictures_with_semicolons_index_and_gaps(tmp_path):
    for i in range(3):
        save_picture(tmp_path / f"{i}.png", faces(1, seed=i)[0])
    table = pd.DataFrame({"image_id": ["0", "1", "2"], "emotion": [3.0, 3.0, 4.0]})
    table.to_csv(tmp_path / "labels.csv", sep=";")
    assert labels(tmp_path) == {"train": [3, 4], "validation": [3]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_excels_byte_order_mark(tmp_path, encoding):
    TABLE.to_csv(tmp_path / "fer.csv", index=False, encoding=encoding, sep=";")
    assert labels(tmp_path / "fer.csv") == EXPECTED


def test_rows_with_more_fields_than_the_first_line_are_refused(tmp_path):
    path = tmp_path / "fer.csv"
    path.write_text("emotion,pixels,Usage\n" + "".join(f"{a},{b},{c},\n" for a, b, c in ROWS))
    with pytest.raises(ValueError, match="rows have more fields than its first line has names"):
        labels(path)


def test_a_refused_file_is_closed(tmp_path):
    path = write_csv(tmp_path / "fer.csv", HEADER, [(*row, "") for row in ROWS])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(ValueError, match="more fields"):
            labels(path)
        gc.collect()
    assert not [str(each.message) for each in caught if each.category is ResourceWarning]


def test_a_column_that_stands_twice_is_refused(tmp_path):
    path = write_csv(tmp_path / "fer.csv", [*HEADER, " Emotion"], [(*row, 3) for row in ROWS])
    with pytest.raises(ValueError, match="names the column 'emotion' twice"):
        labels(path)


def test_pixels_with_other_separators_are_named(tmp_path):
    commas = [(label, pixels.replace(" ", ","), usage) for label, pixels, usage in ROWS]
    path = write_csv(tmp_path / "fer.csv", HEADER, commas)
    with pytest.raises(ValueError, match=r"data row 1: pixel 1 is '9,9.*blanks between") as caught:
        labels(path)
    assert len(str(caught.value)) < 500
