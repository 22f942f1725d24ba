"""The house: which floor may call which, where its tests stand, and that its map is right."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fer_utils"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
GROUND = "the ground floor"  # which every other one may import, and which imports none
TOP = "the command line"  # which may import every other one
ARROWS = {
    GROUND: set(),
    "data": set(),
    "network": set(),
    "faces": set(),
    "evaluation": {"data", "network"},
    "recognition": {"faces", "network"},
    "training": {"data", "network", "evaluation"},
    "video": {"faces", "recognition"},
    "plots": {"data", "recognition", "evaluation"},
    "widgets": {"recognition", "video"},
    "bulk": {"faces", "network", "recognition", "video"},
}
ARROWS["lab"] = ARROWS.keys() - {GROUND}
ARROWS[TOP] = ARROWS.keys() - {GROUND}
FLOORS = [floor for floor in ARROWS if floor not in (GROUND, TOP)]
MOST_GROUND_MODULES = 10
MAP = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")


def floor_of(module: Path) -> str:
    """Return the floor of a module, given by its path in the package."""
    if module == Path("__main__.py"):
        return TOP
    return module.parts[0] if len(module.parts) > 1 else GROUND


def imported_paths(module: Path) -> Iterator[Path]:
    """Give what a module imports of this package, wherever in it, as paths without a suffix.

    The last part may name something inside a module.
    """
    here = ("fer_utils", *module.parts[:-1])
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) + 1 - node.level] if node.level else ()
            start = (*start, *(node.module.split(".") if node.module else ()))
            names = [(*start, alias.name) for alias in node.names]
        else:
            continue
        yield from (Path(*name[1:]) for name in names if name[0] == "fer_utils")


def floor_imported(path: Path) -> str:
    """Return the floor of an imported path; a public name taken from the top has none."""
    first = path.parts[0] if path.parts else "all of fer_utils"
    if (PACKAGE / first).is_dir():
        return first
    if first == "__main__":
        return TOP
    on_the_ground = first == "__version__" or (PACKAGE / f"{first}.py").is_file()
    return GROUND if on_the_ground else first


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_what_lies_below_its_floor(module):
    floor = floor_of(module)
    reached = {floor_imported(path) for path in imported_paths(module)}
    assert reached <= {*ARROWS[floor], floor, GROUND}


def test_no_floors_stand_on_each_other():
    TopologicalSorter(ARROWS).prepare()  # raises CycleError


def test_the_package_has_these_floors_and_a_small_ground_floor():
    assert {floor_of(module) for module in MODULES} == set(ARROWS)
    on_the_ground = {module for module in MODULES if floor_of(module) == GROUND}
    assert len(on_the_ground - {Path("__init__.py")}) <= MOST_GROUND_MODULES


@pytest.mark.parametrize("floor", FLOORS)
def test_the_init_of_a_floor_holds_its_docstring_alone(floor):
    tree = ast.parse((PACKAGE / floor / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_the_lazy_table_names_modules_that_exist():
    import fer_utils

    for module in set(fer_utils._MODULE_OF.values()):
        assert (PACKAGE / Path(*module.split("."))).with_suffix(".py").is_file(), module


def test_the_tests_mirror_the_modules():
    tests = ROOT / "tests"
    for path in tests.rglob("test_*.py"):
        folder = path.relative_to(tests).parent
        if folder != Path():
            module = folder / path.name.removeprefix("test_")
            assert module in MODULES, f"{path} tests no fer_utils/{module}"


def test_the_map_names_every_module_and_nothing_else():
    named = set(re.findall(r"`([\w./]+)`", MAP))
    for path in (name for name in named if "/" in name and "." in name.rpartition("/")[2]):
        inside = [
            folder for folder in ("", "fer_utils/widgets") if (ROOT / folder / path).is_file()
        ]
        assert inside, f"docs/map.md names {path}, which is not there"
    names = {Path(name).stem for name in named}
    missing = [str(module) for module in MODULES if module.stem not in names]
    assert [name for name in missing if not name.endswith("__.py")] == []


def test_the_map_tells_the_arrows_as_they_are():
    table = dict(re.findall(r"^\| (`[^|]+) \| ([^|]+) \|$", MAP.partition("| floor |")[2], re.M))
    told = {}
    for floors, others in table.items():
        below = set(told) if "everything" in others else set(re.findall(r"`(\w+)`", others))
        for floor in re.findall(r"`(\w+)(?:\.py)?`", floors):
            told[TOP if floor == "__main__" else floor] = below
    assert told == {floor: arrows for floor, arrows in ARROWS.items() if floor != GROUND}
