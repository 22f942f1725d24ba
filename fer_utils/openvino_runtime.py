"""OpenVINO: kept from reporting its use, and what it has compiled, kept for the next start.

The cache lies in the user's cache folder. OpenVINO's own would still have the weights read and the
graph built, which takes longer than to compile it, and it trusts what it finds.
"""

import hashlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from .files import cache_dir
from .processes import keep_in_children, native_call
from .quiet import quiet

# The shipped networks, and a few others, as files and in a process; the files are about twice as
# large as those of the weights.
_KEPT = 6
_DEVICE = "CPU"
# By process and file. OpenVINO sets the threads of a network that is freed aside for the next one;
# in a forked child, where those threads are not, that one would wait for them without end.
_kept_in_memory: "dict[tuple[int, Path], _Kept]" = {}
# What a network compiled for one machine may lack on another that shares the home folder.
_OF_THE_MACHINE = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
_DIGEST_BYTES = hashlib.sha256().digest_size


@cache
def openvino_core() -> Any:
    """Return OpenVINO, kept from reporting its use.

    As it is imported, it tells a server so, with the help of a package of its own for that. It
    does without where that package is missing, and None in `sys.modules` stands for missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    with quiet():
        import openvino

        return openvino.Core()


def compiled(core: Any, build: Callable[[], Any], settings: Mapping[str, Any], *key: object) -> Any:
    """Return a network that OpenVINO has compiled, from the cache if it is there.

    Several processes may do so at once. Where the cache cannot be used, the network is compiled
    as it would be without one, with one warning in a process. A process keeps the last six, gives
    the same one again, and so may fork when whoever computed with one of them is gone.

    Parameters
    ----------
    core : openvino.Core
        Compiles it.
    build : callable
        Returns the graph; it is only called where the cache lacks the network.
    settings : mapping
        OpenVINO's settings.
    *key : object
        What the graph depends on. The version of OpenVINO, the processor and the settings are
        taken into account without.
    """
    file = _file_of(core, settings, key)
    process = os.getpid()
    if (kept := _kept_in_memory.get((process, file))) is None:
        kept = _kept_in_memory[process, file] = _Kept(_made(core, build, settings, file))
    ours = [each for each in _kept_in_memory if each[0] == process]  # none of a parent's
    for oldest in ours[:-_KEPT]:
        _kept_in_memory.pop(oldest, None)
    return kept.network


class _Kept:
    """Holds a network, which no forked child may free, not even as it ends."""

    def __init__(self, network: Any) -> None:
        self.network = network
        keep_in_children(self, network)


def _made(core: Any, build: Callable[[], Any], settings: Mapping[str, Any], file: Path) -> Any:
    if (blob := _read(file)) is not None:
        try:
            with native_call():
                return core.import_model(blob, _DEVICE, settings)
        except RuntimeError as error:  # OpenVINO's only one
            _warn(f"cannot be read ({str(error).splitlines()[0]})", file.parent)
    graph = build()
    with native_call():
        network = core.compile_model(graph, _DEVICE, settings)
        blob = network.export_model().getvalue()
    _write(file, blob)
    return network


def _file_of(core: Any, settings: Mapping[str, Any], key: tuple[object, ...]) -> Path:
    import openvino

    machine = (core.get_property(_DEVICE, name) for name in _OF_THE_MACHINE)
    facts = repr((openvino.get_version(), *machine, sorted(settings.items()), key))
    return cache_dir() / "networks" / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.blob"


def _read(file: Path) -> bytes | None:
    """Return a network as OpenVINO wrote it; None where it is not there or damaged."""
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _warn(f"cannot be read ({error.strerror})", file.parent)
        return None
    digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(blob).digest() != digest:
        _warn("holds a damaged file, which is made anew", file.parent)
        return None
    return blob


def _write(file: Path, blob: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            part = Path(scratch, file.name)
            part.write_bytes(hashlib.sha256(blob).digest() + blob)
            os.replace(part, file)
        _forget_oldest(file.parent)
    except OSError as error:
        _warn(f"cannot be written ({error.strerror})", file.parent)


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.blob"), key=os.path.getmtime, reverse=True)
    for file in files[_KEPT:]:
        with suppress(FileNotFoundError, PermissionError):  # gone, or in use where that counts
            file.unlink()


@cache
def _warn(problem: str, folder: Path) -> None:
    warnings.warn(
        f"The cache of compiled networks {problem}: {str(folder)!r}. All works without it, but "
        "starts slower. FER_CACHE_DIR may name another folder.",
        stacklevel=2,
    )
