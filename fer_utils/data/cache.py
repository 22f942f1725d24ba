"""A cache of data sets already read, in the user's cache folder."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ..files import cache_dir
from ..images import optional_formats
from .archive import fingerprint
from .dataset_formats import Reading, read_source
from .labels import Labels

# To be raised whenever dataset_formats.py makes other arrays of the same source.
_FORMAT = 5


def read_cached(path: Path, labels: Labels, skip_bad: bool, progress: bool) -> Reading:
    """Do as ``dataset_formats.read_source`` does, but read an unchanged source only once.

    There is one file per source path, so a source that changes leaves no old copies behind. A
    damaged file is written anew, and so is one from when Pillow could open other formats.
    """
    if not path.exists():
        return read_source(path, labels, skip_bad, progress)
    options = f"{_FORMAT}|{skip_bad}|{labels.order}|{optional_formats()}"
    key = hashlib.sha256(f"{options}|{fingerprint(path)}".encode()).hexdigest()
    file = cache_dir() / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}.npz"
    stored = _load(file, key)
    if stored is None:
        stored = read_source(path, labels, skip_bad, progress)
        _save(file, key, stored)
    return stored


def _load(file: Path, key: str) -> Reading | None:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if str(arrays["key"]) != key:
                return None
            parts = {
                str(p): (arrays[f"{p}_images"], arrays[f"{p}_labels"]) for p in arrays["parts"]
            }
            return Reading(parts, arrays["notes"].tolist(), bool(arrays["in_rows"]))
    # Damage shows itself in many ways, and all have the same cure: to read the source again.
    except Exception:
        return None


def _save(file: Path, key: str, reading: Reading) -> None:
    arrays = {
        "key": np.array(key),
        "parts": np.array(list(reading.parts)),
        "notes": np.array(reading.notes, str),
        "in_rows": np.array(reading.in_rows),
    }
    for name, (images, labels) in reading.parts.items():
        arrays |= {f"{name}_images": images, f"{name}_labels": labels}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            np.savez(Path(scratch, file.name), **arrays)
            os.replace(Path(scratch, file.name), file)
    except OSError as error:
        warnings.warn(
            f"The data set could not be cached in {file.parent} ({error}), so it will be read "
            "from its source each time. FER_CACHE_DIR may name another folder.",
            UserWarning,
            stacklevel=4,
        )
