"""The commands that pages, notebooks and recipes name: their options are those that there are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template

import nbformat
import pytest

from fer_utils import __main__ as fer
from fer_utils.bulk import many
from fer_utils.evaluation import metrics
from fer_utils.graceful_exit import parsed
from fer_utils.lab import imbalance_experiment, notebook_report, opinion_experiment
from fer_utils.recognition import export, setup_check
from fer_utils.training import averaging
from fer_utils.training.settings import training_parser

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "saved_models/recipes").glob("*.txt"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [ROOT / "README.md", ROOT / "saved_models/README.md", *sorted((ROOT / "docs").glob("*.md"))]
# By the word after `fer`.
COMMANDS = {
    "train": training_parser,
    "evaluate": metrics._parser,
    "bulk": many._parser,
    "report": notebook_report._parser,
    "export": export._parser,
    "check": setup_check._parser,
}
# By the address after `python -m`.
MODULES = {
    "fer_utils": fer._parser,
    "fer_utils.training": training_parser,
    "fer_utils.training.averaging": averaging._parser,
    "fer_utils.evaluation": metrics._parser,
    "fer_utils.bulk": many._parser,
    "fer_utils.lab.imbalance_experiment": imbalance_experiment._parser,
    "fer_utils.lab.notebook_report": notebook_report._parser,
    "fer_utils.lab.opinion_experiment": opinion_experiment._parser,
}
COMMAND = re.compile(
    r"(?:\w+=\S+ )*(?:\S*/)?(?:python -m (?P<module>fer_utils[\w.]*)|fer) (?P<words>\S.*)"
)


def text_of(file: Path) -> str:
    """Return what a page, a notebook's cells or a recipe say."""
    if file.suffix == ".ipynb":
        return "\n".join(cell.source for cell in nbformat.read(file, as_version=4).cells)
    return file.read_text(encoding="utf-8")


def blocks_in(text: str) -> list[str]:
    """Give a text's blocks of commands, which are fenced as bash or as nothing."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for language, block in fenced if language in ("", "bash")]


def code_in(file: Path) -> Iterator[str]:
    """Give the lines of code in a page, a notebook or a recipe's head, continued ones in one."""
    text = text_of(file)
    if file.suffix == ".txt":
        text = re.sub("^# *", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", "", text)
    if file.suffix == ".txt":
        variables = dict(re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE))
        yield from Template(text).safe_substitute(variables).splitlines()
        return
    for block in blocks_in(text):
        yield from block.splitlines()
    yield from re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def commands_in(file: Path) -> Iterator[tuple[str, str]]:
    """Give the module and the words of each command; one without words is only mentioned."""
    for line in code_in(file):
        if found := COMMAND.fullmatch(line.strip()):
            yield found["module"] or "fer_utils", found["words"]


FENCED = [file for file in (*PAGES, *NOTEBOOKS) if "```" in file.read_text(encoding="utf-8")]
NAMED = [named for file in (*RECIPES, *PAGES, *NOTEBOOKS) for named in commands_in(file)]


@pytest.mark.parametrize(("module", "words"), dict.fromkeys(NAMED))
def test_a_named_command_has_these_options(module, words, monkeypatch):
    monkeypatch.chdir(ROOT)  # for what stands behind an @
    words = shlex.split(words, comments=True)
    if module == "fer_utils" and words[0] in COMMANDS:
        COMMANDS[words[0]]().parse_args(words[1:])
    else:
        MODULES[module]().parse_args(words)


@pytest.mark.parametrize("file", FENCED, ids=lambda file: file.name)
def test_commands_are_found_in_the_blocks_of_pages_and_notebooks(file):
    found = "\n".join(blocks_in(text_of(file)))
    assert any(words in found for _, words in commands_in(file))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_called_by_its_address_where_it_is_run_itself(module):
    assert MODULES[module]().prog == f"python -m {module}"


@pytest.mark.parametrize("make_parser", dict.fromkeys([*COMMANDS.values(), *MODULES.values()]))
def test_help_tells_no_default_that_says_nothing(make_parser):
    told = " ".join(make_parser().format_help().split())
    assert not re.search(r"\(default: (None|False|\[\])\)|default: [^()]*\) \(default", told)
    assert "(default: 64)" in " ".join(training_parser().format_help().split())


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_told_before_what_is_missing(name, capsys):
    with pytest.raises(SystemExit):
        parsed(COMMANDS[name](), ["--hlep"])
    error = capsys.readouterr().err
    assert error.endswith("error: there is no option '--hlep'; did you mean '--help'?\n")


def test_what_is_no_unknown_option():
    args = parsed(many._parser(), ["--every-s=0.5", "--part", "9", "--", "--in.jpg", "out"])
    assert (args.every_s, args.part_size, args.source) == (0.5, 9, "--in.jpg")


def test_all_commands_of_fer_are_known_here():
    assert COMMANDS.keys() == fer._COMMANDS.keys()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_names_how_its_networks_are_averaged_and_trained(recipe):
    modules = {module for module, _ in commands_in(recipe)}
    assert modules == {"fer_utils.training", "fer_utils.training.averaging"}
