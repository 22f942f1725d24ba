import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_utils.data.dataset import FerDataset, Split
from fer_utils.emotions import EMOTIONS
from fer_utils.evaluation import metrics
from fer_utils.evaluation.parts import choose_part
from fer_utils.files import SAVED_MODELS
from tests.helpers.data_sets import faces, write_folders


def split_of(count: int) -> Split:
    return Split(faces(count), np.arange(count) % 7)


WHOLE = FerDataset(split_of(5), split_of(3), split_of(2))
UNTESTED = FerDataset(split_of(5), split_of(3))
SPLIT_OFF = replace(UNTESTED, is_validation_split_off=True)


@pytest.mark.parametrize(
    ("data", "part", "name", "count"),
    [
        (WHOLE, "", "test", 2),
        (WHOLE, "validation", "validation", 3),
        (WHOLE, "train", "train", 5),
        (WHOLE, "all", "all", 10),
        (UNTESTED, "", "validation", 3),
        (replace(WHOLE, is_validation_split_off=True), "", "test", 2),
        (SPLIT_OFF, "all", "all", 8),
    ],
)
def test_the_test_part_is_measured_unless_one_says_otherwise(data, part, name, count):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen, split = choose_part(data, part)
    assert (chosen, len(split)) == (name, count)


def test_a_part_split_off_is_never_chosen_without_a_word():
    with pytest.raises(ValueError, match=r"may know by heart.*--part validation.*--part all"):
        choose_part(SPLIT_OFF)
    with pytest.warns(UserWarning, match=r"split off the training part.*too good"):
        assert choose_part(SPLIT_OFF, "validation")[0] == "validation"


@pytest.mark.parametrize("part", ["Test", "test", "private"])
def test_a_part_that_is_not_there_is_refused(part):
    with pytest.raises(ValueError, match=f"one of validation, train, all, got '{part}'"):
        choose_part(UNTESTED, part)


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder_without_validation(tmp_path, monkeypatch, cache_folder) -> Path:
    monkeypatch.setenv("FER_CACHE_DIR", str(cache_folder))
    write_folders(tmp_path / "data/train", EMOTIONS, 5)
    write_folders(tmp_path / "data/test", EMOTIONS, 2, first_seed=7)
    return tmp_path / "data"


def measured(capsys, *arguments: object) -> str:
    metrics.main([str(one) for one in arguments])
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_the_command_measures_test_and_not_what_it_split_off(folder_without_validation, capsys):
    said = measured(capsys, "--data", folder_without_validation)
    assert said.startswith("Measured on the part test: 14 faces.")
    assert "| all | vote | no | 14 |" in said
    assert "| no copies | vote | no | 14 |" in said
    metrics.main(["--data", str(folder_without_validation), "--part", "validation"])
    said, noted = capsys.readouterr()
    assert said.startswith("Measured on the part validation: 7 faces.")
    assert re.search(r"^python -m fer_utils\.evaluation: warning: .*split off", noted, re.MULTILINE)


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_the_command_refuses_what_it_split_off_where_there_is_no_test(
    folder_without_validation, capsys
):
    shutil.rmtree(folder_without_validation / "test")
    with pytest.raises(SystemExit) as ended:
        metrics.main(["--data", str(folder_without_validation)])
    assert ended.value.code == 2
    assert 'say part="validation" (on the command line --part' in capsys.readouterr().err


@pytest.mark.slow
def test_the_temperature_is_fitted_on_validation_whatever_is_measured(
    folder_without_validation, tmp_path, capsys
):
    data = folder_without_validation
    write_folders(data / "validation", EMOTIONS, 1, first_seed=20)
    for name in ("vggnet", "vggnet_smote"):
        shutil.copy(SAVED_MODELS / f"{name}.weights.h5", tmp_path)
    networks = ["vggnet.weights.h5", "vggnet_smote.weights.h5"]
    fitted = set()
    for part in ("test", "validation"):
        vote = tmp_path / f"{part}.json"
        said = measured(
            capsys, "--data", data, "--part", part, "--vote", vote, "--networks", *networks
        )
        assert f"Measured on the part {part}: {7 if part == 'validation' else 14} faces." in said
        fitted.add(vote.read_text())
    assert len(fitted) == 1


@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_no_temperature_is_fitted_on_a_part_split_off(folder_without_validation, capsys):
    vote = folder_without_validation.parent / "vote.json"
    with pytest.raises(SystemExit):
        metrics.main(
            ["--data", str(folder_without_validation), "--vote", str(vote), "--networks", "a.h5"]
        )
    assert "say --part validation, and the temperature is" in capsys.readouterr().err
    assert not vote.exists()
