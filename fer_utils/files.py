"""Where the project keeps the files it ships, and how it writes files."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SAVED_MODELS = Path(__file__).resolve().parents[1] / "saved_models"


def checked_target(argument: str, path: object, suffix: str) -> Path:
    """Return the path of a file to write, with `~` resolved.

    Raises
    ------
    FileNotFoundError
        Its folder does not exist.
    ValueError
        It has another suffix, or is a folder.
    TypeError
        It is no path.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"{argument} must name the file to write, got {type(path).__name__}")
    target = Path(os.path.expanduser(path))
    if not target.name.lower().endswith(suffix):
        raise ValueError(
            f"{argument} must end in {suffix}, the format that is written, got {str(path)!r}"
        )
    if target.is_dir():
        raise ValueError(f"{argument} must name a file, {str(path)!r} is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{argument}: there is no folder {str(target.parent)!r}; make it first, or choose "
            "another"
        )
    return target


def part_path(path: Path) -> Path:
    """Return the path that a file has while it grows: its name ends in ``.part``."""
    return path.with_name(f"{path.name}.part")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name, then give it its own: it is never half there."""
    temporary = path.with_name(f"tmp.{path.name}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power failure could leave an empty file of that name
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def unwritable_as_value_error(
    path: Path,
    argument: str | None = None,
    *,
    remedy: str = "choose another place",
    also: type[Exception] = OSError,
) -> Iterator[None]:
    """Say that a file cannot be written, why, and what to do, in a ValueError.

    Parameters
    ----------
    path : Path
        The file, by the name its user knows.
    argument : str, optional
        What the user named it with.
    remedy : str
        What to do about it.
    also : type
        A library's own error, beside OSError, that has an `strerror`.
    """
    try:
        yield
    except (OSError, also) as error:
        named = f"{argument}: " if argument else ""
        reason = error.strerror or error
        raise ValueError(f"{named}{str(path)!r} cannot be written ({reason}); {remedy}") from error


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 checksum in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_few(names: list[str], shown: int = 3) -> str:
    """List the first names, and say how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
