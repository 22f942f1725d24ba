import argparse

from fer_utils.data.options import add_data_options, load_as_told
from tests.helpers.data_sets import faces, write_folders


def test_the_options_are_load_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    for part, number in (("train", 4), ("validation", 1)):
        write_folders(tmp_path / "data" / part, ["1", "2"], number)
    (tmp_path / "data/train/2/broken.png").write_text("no picture")
    parser = argparse.ArgumentParser()
    add_data_options(parser)
    told = ["--data", str(tmp_path / "data"), "--label-order", "bored", "awake"]
    data = load_as_told(parser.parse_args([*told, "--on-error", "skip"]))
    assert data.train.counts() == {"bored": 4, "awake": 4}
    assert (data.train.images[data.train.labels == 1] == faces(4, seed=1)[0]).any()
