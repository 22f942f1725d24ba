"""The process around native code: forks, the program's end, its cores and their instructions.

The threads of OpenVINO and MediaPipe do not come along into a forked child, where whatever waits
for them waits for ever. And a thread that is in native code when Python ends aborts the process.
"""

import atexit
import ctypes
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

_CPUINFO = Path("/proc/cpuinfo")

_turn = threading.RLock()
_ending = False
_freed_by_their_process: weakref.WeakKeyDictionary[object, Any] = weakref.WeakKeyDictionary()


@contextmanager
def native_call() -> Iterator[None]:
    """Compute in native code: one thread at a time, none during a fork or once the program ends.

    Do nothing else meanwhile that waits for a lock: a thread that forks may hold that one already.

    Raises
    ------
    ValueError
        If the program is ending. A daemon thread stops here instead.
    """
    with _turn:
        if not _ending:
            yield
            return
    _come_too_late()


def stop_if_too_late(error: RuntimeError) -> None:
    """Look at why a pool of threads took no more work: Python ends them first of all.

    Raises
    ------
    ValueError
        If the program is ending. A daemon thread stops here instead.
    """
    if "shutdown" in str(error):  # such an error has no type of its own
        _come_too_late()


def keep_in_children(owner: object, native: Any) -> None:
    """Let no forked child free what `owner` computes with: freeing it waits for its threads."""
    _freed_by_their_process[owner] = native


def usable_cores() -> int:
    """Return how many of the machine's cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_instructions() -> set[str] | None:
    """Return the names that Linux has for what the processor can do; None elsewhere.

    Processors that list them under another word than "flags", as ARM's do, give an empty set.
    """
    if not _CPUINFO.is_file():
        return None
    with _CPUINFO.open(encoding="utf-8") as lines:
        return set(next((line for line in lines if line.startswith("flags")), "").split())


def _come_too_late() -> NoReturn:
    if threading.current_thread().daemon:
        threading.Event().wait()  # as all daemon threads do, until the process is gone
    raise ValueError(
        "the program is ending, and recognises nothing more; wait for its threads before its last "
        "line, with thread.join()."
    )


@atexit.register
def _end() -> None:
    global _ending
    with _turn:
        _ending = True


def _begin_child() -> None:
    for native in _freed_by_their_process.values():
        # Not a list of ours: Python empties that as it ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))
    _turn.release()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(
        before=_turn.acquire, after_in_parent=_turn.release, after_in_child=_begin_child
    )
