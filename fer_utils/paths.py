"""Where the project keeps the files it ships, and how it writes files."""

import os
from collections.abc import Callable
from pathlib import Path

SAVED_MODELS = Path(__file__).resolve().parents[1] / "saved_models"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name, then give it its own: it is never half there."""
    temporary = path.with_name(f"tmp.{path.name}")
    write(temporary)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())  # else a power failure could leave an empty file of that name
    os.replace(temporary, path)
