"""Where the project keeps the files it ships and its caches, and how it writes files."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

# By which files in a folder are taken for pictures.
PICTURE_SUFFIXES = frozenset(
    ".avif .bmp .gif .heic .heif .hif .jfif .jp2 .jpe .jpeg .jpg .jxl .mpo .pgm .png .pnm .ppm "
    ".tif .tiff .webp".split()
)
# By which a file is taken for a video where pictures are expected, too.
VIDEO_SUFFIXES = tuple(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)

# Control characters, and the bytes of a name that is no Unicode, as Python holds them.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_PACKAGE = Path(__file__).resolve().parent
# An installed copy carries within it what stands beside it in the repository.
_CARRIED = _PACKAGE / "saved_models"
SAVED_MODELS = _CARRIED if _CARRIED.is_dir() else _PACKAGE.parent / "saved_models"


def cache_dir() -> Path:
    """Return the folder of our caches: ``$FER_CACHE_DIR``, else the user's cache folder."""
    folder = os.environ.get("FER_CACHE_DIR")
    return Path(os.path.expanduser(folder)) if folder else platformdirs.user_cache_path("fer_utils")


def checked_target(argument: str, path: object, *suffixes: str) -> Path:
    """Return the path of a file to write, with ``~`` resolved.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    ValueError
        If it has another suffix, or is a folder.
    TypeError
        If it is no path.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"{argument} must name the file to write, got {type(path).__name__}.")
    target = Path(os.path.expanduser(path))
    if not target.name.lower().endswith(suffixes):
        raise ValueError(
            f"{argument} must end in {' or '.join(suffixes)}, the format that is written, got "
            f"{str(path)!r}."
        )
    if target.is_dir():
        raise ValueError(f"{argument} must name a file, {str(path)!r} is a folder.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{argument}: there is no folder {str(target.parent)!r}; make it first, or choose "
            "another."
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
        raise ValueError(f"{named}{str(path)!r} cannot be written ({reason}); {remedy}.") from error


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 checksum in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(name: str) -> str:
    """Spell out what a file's name may hold that would steer a terminal, or that it cannot show.

    Examples
    --------
    >>> print(printable("a\\x1b[2Jb.jpg"))
    a\\x1b[2Jb.jpg
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), name)


def shortened(text: str, most: int = 40) -> str:
    """Return the beginning of a text that may be of any length, for a message."""
    return text if len(text) <= most else f"{text[:most]}..."


def first_few(names: list[str], shown: int = 3) -> str:
    """List the first names, and say how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
