"""Prints what an install takes on disk, as Markdown, from the packages' own lists of their files.

    python tests/benchmarks/bench_sizes.py

One row for recognising and one for each extra, the extra with all that recognising needs; below,
the largest packages of the first. 1 MB is a million bytes. What is not installed here is named and
not counted.
"""

import importlib.metadata
import itertools
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LISTED = 12


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def needed_by(extra: str) -> Iterator[str]:
    """Give the requirements of an extra, and of the other extras that it names."""
    for line in EXTRAS[extra]:
        requirement = Requirement(line)
        if requirement.name == "fer-utils":
            yield from itertools.chain(*map(needed_by, requirement.extras))
        else:
            yield line


def sizes_mb(requirements: Iterable[str]) -> dict[str, float | None]:
    """Return the size of each package that these need, by name; None where it is not installed."""
    to_do, sizes = [(Requirement(line), "") for line in requirements], {}
    while to_do:
        requirement, extra = to_do.pop()
        name = canonicalize_name(requirement.name)
        is_asked_for = not requirement.marker or requirement.marker.evaluate({"extra": extra})
        if name in sizes or not is_asked_for:
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            sizes[name] = None
            continue
        sizes[name] = installed_mb(package)
        for needed in map(Requirement, package.requires or []):
            to_do += [(needed, extra) for extra in (requirement.extras or {""})]
    return sizes


def installed_mb(package: importlib.metadata.Distribution) -> float:
    files = [Path(file.locate()) for file in package.files or []]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def own_mb() -> float:
    folders = (ROOT / "fer_utils", ROOT / "saved_models")
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc") / 1e6


def main() -> None:
    recognising = PROJECT["dependencies"]
    sizes = {"recognising": sizes_mb(recognising)}
    sizes |= {extra: sizes_mb([*recognising, *needed_by(extra)]) for extra in EXTRAS}
    print("| installed for | packages | MB, ours included |\n|---|---|---|")
    for name, packages in sizes.items():
        total = own_mb() + sum(size for size in packages.values() if size is not None)
        print(f"| {name} | {len(packages)} | {total:.0f} |")
    print("\n| of recognising | MB |\n|---|---|")
    found = {name: size for name, size in sizes["recognising"].items() if size is not None}
    for name in sorted(found, key=found.__getitem__, reverse=True)[:LISTED]:
        print(f"| {name} | {found[name]:.0f} |")
    print(f"| fer-utils, with the networks | {own_mb():.0f} |")
    if missing := {name for each in sizes.values() for name, size in each.items() if size is None}:
        print(f"\nNot installed here, and not counted: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
