"""What libraries write straight to descriptor 2: kept back, and shown if they fail."""

import contextlib
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep back what is written straight to descriptor 2 meanwhile; show it if the block fails.

    TensorFlow, MediaPipe and OpenVINO write notices about the machine there as they are imported
    and made, before any setting of theirs can keep them from it. Python's own messages, of every
    thread, are shown as ever. Blocks may be nested, and overlap in several threads.

    Nothing is kept back where descriptor 2 is closed, or where the environment variable
    TF_CPP_MIN_LOG_LEVEL is 0, by which TensorFlow is asked for all its notices.

    Examples
    --------
    >>> with quiet():
    ...     _ = os.write(2, b"a notice that nobody sees")
    """
    start = None if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" else _catcher.enter()
    if start is None:
        yield
        return
    try:
        yield
    except KeyboardInterrupt:  # who ends it needs no reasons
        raise
    except BaseException:
        _catcher.show(start)
        raise
    finally:
        _catcher.leave()


class _Catcher:
    """Points descriptor 2 at a file while at least one block is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open_blocks = 0
        self._stderr = -1  # where descriptor 2 led before
        self._file = -1

    def enter(self) -> int | None:
        """Open a block; return where its text will start, None where there is nothing to catch."""
        with self._lock:
            if self._open_blocks == 0 and not self._redirect():
                return None
            self._open_blocks += 1
            return os.fstat(self._file).st_size

    def show(self, start: int) -> None:
        """Write what was caught from `start` on to where it would have gone."""
        with self._lock:
            os.lseek(self._file, start, os.SEEK_SET)
            while text := os.read(self._file, 1 << 16):
                os.write(self._stderr, text)

    def leave(self) -> None:
        """Close a block, and with the last one let descriptor 2 lead where it led before."""
        with self._lock:
            self._open_blocks -= 1
            if self._open_blocks == 0:
                os.dup2(self._stderr, _STDERR)
                _point_python_at(_STDERR)
                os.close(self._stderr)
                os.close(self._file)

    def _redirect(self) -> bool:
        # A Python that was started without descriptor 2 has no stream for it; whatever file has
        # got that number since is not to be touched.
        if sys.__stderr__ is None:
            return False
        try:
            self._stderr = os.dup(_STDERR)
        except OSError:  # it was closed later
            return False
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        _point_python_at(self._stderr)
        os.dup2(self._file, _STDERR)
        return True


def _point_python_at(descriptor: int) -> None:
    """Let Python's stderr write to a descriptor, whoever holds the stream: no thread falls silent.

    Loggers and progress bars keep the stream they were made with, so that another one in
    `sys.stderr` would not do.
    """
    buffer = getattr(sys.__stderr__, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with ``python -u`` nothing is buffered
    # Not a Windows console, which has its own way, and not what its owner has closed.
    if isinstance(raw, io.FileIO) and not raw.closed:
        name = raw.name
        sys.__stderr__.flush()
        raw.__init__(descriptor, "w", closefd=False)
        raw.name = name


_catcher = _Catcher()
