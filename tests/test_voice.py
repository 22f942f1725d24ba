"""One voice: how messages end, how `Raises` begins, what randomness is called (docs/map.md)."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fer_utils"
MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
ERRORS = {
    "FileNotFoundError",
    "ImportError",
    "RuntimeError",
    "Stopped",
    "TypeError",
    "ValueError",
}
# Where a message ends in one of these, the value is a sentence, or a command to copy.
SENTENCES = {
    "_APT_REMEDY",
    "_PIP_REMEDY",
    "_REMEDY",
    "_SETTLE_IT",
    "_assumed_order",
    "_hint_at_shape",
    "_how_to_fit",
    "_how_to_wrap",
    "_nearly_black",
    "_no_probabilities",
    "_unknown_shape",
    "command",
    "early",
    "error",
    "message",
    "missing",
    "nearest",
    "note",
    "orders",
    "reason",
    "remedy",
    "row",
    "warning",
}
# Parts of a sentence, which the function that catches them completes.
PARTS = {
    "its rows have more fields than its first line has names",
    " twice",
    "it is no regular file",
    ", not names and values",
    "shapes",
}
ENDS = re.compile(r"[.!?]$|pip install .*$")
ENTRY = re.compile(r"(?:[A-Z]\w*(?:Error|Interrupt)(?:, )?)+")


def nodes(module: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))


def end_of(message: ast.expr) -> str:
    """Return the words that a message ends in, or the name of the value or function."""
    match message:
        case ast.JoinedStr():
            return end_of(message.values[-1])
        case ast.BinOp():
            return end_of(message.right)
        case ast.IfExp():
            return end_of(message.body)
        case ast.Constant():
            return message.value
    names = [node.id for node in ast.walk(message) if isinstance(node, ast.Name)]
    return names[0]


def raised(module: str) -> Iterator[ast.expr]:
    """Give the messages that a module raises or warns with."""
    for node in nodes(module):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name, method = getattr(node.func, "id", ""), getattr(node.func, "attr", "")
        if name in ERRORS or method in ("warn", "error"):
            yield node.args[0]


def test_messages_end_in_a_full_stop():
    checked = 0
    for module in MODULES:
        for message in raised(module):
            end = end_of(message)
            if end in PARTS | SENTENCES:
                continue
            checked += 1
            assert ENDS.search(end), f"{module}:{message.lineno}: {end!r} has no full stop"
    assert checked > 300


@pytest.mark.parametrize("module", MODULES)
def test_what_raises_says_begins_alike(module):
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    for node in nodes(module):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        lines = (text or "").partition("Raises\n------\n")[2].splitlines()
        for entry, words in itertools.pairwise(lines):
            if ENTRY.fullmatch(entry):
                assert re.match(r" +(If|As)\b", words), f"{module}, {node.name}: {words!r}"


def test_randomness_has_one_name_a_floor():
    for module in MODULES:
        for node in nodes(module):
            if isinstance(node, ast.arg):
                unused = "seed" if module.startswith(("data/", "plots/")) else "random_state"
                assert node.arg != unused, f"{module}:{node.lineno}: {unused}"
