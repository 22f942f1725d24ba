import dataclasses
import inspect
import math
import re

import nbformat
import numpy as np
import pytest

import fer_utils
from fer_utils.training.loop import main
from fer_utils.training.settings import Settings, training_parser
from tests.helpers.notebooks import NOTEBOOKS

FIELDS = dataclasses.fields(Settings)
REQUIRED = ["--data", "d", "--run-dir", "r"]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_setting_is_a_keyword_and_an_option_with_the_same_default(field):
    keyword = inspect.signature(fer_utils.train).parameters[field.name]
    assert (keyword.default, keyword.annotation) == (field.default, field.type)
    assert f"\n    {field.name} : {field.type.__name__}\n" in fer_utils.train.__doc__
    parser = training_parser()
    assert getattr(parser.parse_args(REQUIRED), field.name) == field.default
    assert " ".join(field.metadata["help"].split()) in " ".join(parser.format_help().split())


def test_every_number_of_train_is_a_setting():
    numbers = [
        name
        for name, keyword in inspect.signature(fer_utils.train).parameters.items()
        if keyword.annotation in (int, float)
    ]
    assert numbers == [field.name for field in FIELDS]


def test_numbers_become_plain_and_stay_as_they_are():
    settings = Settings(epochs=np.int64(3), learning_rate=np.float32(0.5), mixup=1)
    found = dataclasses.asdict(settings)
    assert {type(found[field.name]) for field in FIELDS if field.type is float} == {float}
    assert type(found["epochs"]) is int
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.epochs = 4


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"epochs": 2.0}, TypeError, "epochs must be a whole number of at least 1, got 2.0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got str"),
        ({"augmentation": 1.1}, ValueError, "augmentation must be between 0 and 1, got 1.1"),
        ({"opinion_share": -1}, ValueError, "opinion_share must be between 0 and 1, got -1"),
        ({"mixup": math.inf}, ValueError, "mixup must be at least 0 and finite, got inf"),
        ({"weight_decay": math.nan}, ValueError, "weight_decay must be at least 0, got nan"),
    ],
)
def test_a_wrong_setting_is_named(given, error, message):
    with pytest.raises(error) as caught:
        Settings(**given)
    assert str(caught.value) == f"{message}."


@pytest.mark.parametrize(
    ("text", "sizes"), [("48", {0: 48}), ("0:36,40:48", {0: 36, 40: 48}), ("36,48", None)]
)
def test_picture_sizes_on_the_command_line(text, sizes, capsys):
    arguments = [*REQUIRED, "--image-sizes", text]
    if sizes:
        assert training_parser().parse_args(arguments).image_sizes == sizes
        return
    with pytest.raises(SystemExit):
        training_parser().parse_args(arguments)
    assert (
        "expected EPOCH:SIZE,EPOCH:SIZE such as 0:36,40:48, got '36,48'" in capsys.readouterr().err
    )


def test_a_recipe_holds_options_in_a_file(tmp_path):
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(
        "# the network with SMOTE, don't rush\n"
        "--method smote --epochs 3  # passes\n"
        "\n"
        "--data 'my faces/fer2013.zip'\n"
        "--weights C:\\runs\\best.weights.h5\n"
        "--teachers a.weights.h5\n"
        "    b.weights.h5\n"
    )
    args = training_parser().parse_args([f"@{recipe}", "--run-dir", "r", "--epochs", "5"])
    assert (args.data, args.method) == ("my faces/fer2013.zip", "smote")
    assert args.weights == r"C:\runs\best.weights.h5"
    assert args.teachers == ["a.weights.h5", "b.weights.h5"]
    assert args.epochs == 5  # what stands later counts


@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), ("--data 'fer", "No closing quotation")]
)
def test_a_recipe_that_cannot_be_read_ends_with_a_line(tmp_path, content, message, capsys):
    recipe = tmp_path / "recipe.txt"
    if content:
        recipe.write_text(content)
    with pytest.raises(SystemExit) as ended:
        main([f"@{recipe}", "--run-dir", "r"])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["EPOCHS", "BATCH_SIZE", "LEARNING_RATE", "AUGMENTATION"])
def test_the_notebook_trains_on_fer2013_with_the_defaults(name):
    cells = nbformat.read(NOTEBOOKS / "training.ipynb", as_version=nbformat.NO_CONVERT).cells
    source = "\n".join(cell.source for cell in cells)
    (value,) = re.findall(rf"^{name} = .*? else ([\d.]+)", source, re.MULTILINE)
    assert float(value) == getattr(Settings(), name.lower())
