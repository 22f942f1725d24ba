"""What FFmpeg reads frames from: files, and cameras and addresses where they are named as such."""

import operator
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

import av

# How FFmpeg calls the cameras of each system, and one of them.
_CAMERAS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}:none"),
    "win32": ("dshow", "video={}"),
}
_CAMERA_OPTIONS = {"darwin": {"framerate": "30"}}  # FFmpeg's own choice fits few cameras there.
_ADDRESS = re.compile(r"(https?|rtsps?|rtmps?|rtp|udp|tcp|srt)://", re.IGNORECASE)
# Titles and the like may be in any encoding; they are not shown.
_TEXT = {"metadata_errors": "replace"}
_PATIENCE_S = 30  # with an address that is silent
_KINDS = (
    "a video's path, a file object opened in binary mode, an address such as 'rtsp://...', a "
    "camera's number, or several pictures"
)


@dataclass(frozen=True)
class Opened:
    """A source that FFmpeg has opened.

    Parameters
    ----------
    container : av.container.InputContainer
        What it holds.
    name : str
        What to call it: a path as it was given; an address without the user's name and password.
    file : Path or binary file object, optional
        Where it lies; None for cameras and addresses.
    """

    container: av.container.InputContainer
    name: str
    file: Path | BinaryIO | None = None

    @property
    def path(self) -> Path | None:
        """The file's path; None for what lies in memory, or has none."""
        name = getattr(self.file, "name", None)
        if self.file is None or isinstance(self.file, Path):
            return self.file
        return Path(name).resolve() if isinstance(name, str) and os.path.exists(name) else None


def open_source(source: object) -> Opened:
    """Open a video file, a camera or an address.

    Parameters
    ----------
    source : str, Path, int or binary file object
        As `read_video` takes it.

    Raises
    ------
    FileNotFoundError
        If there is no such file or camera.
    ValueError
        If it cannot be opened, or read as a video.
    TypeError
        If it is none of these.
    """
    if is_address(source):
        return _open_address(source)
    if isinstance(source, str | Path):
        path = checked_path(source)
        if path.is_char_device():
            return _open_camera(str(path))
        return Opened(_open_file(str(path), str(source)), str(source), path)
    if hasattr(source, "__index__") and not isinstance(source, bool):
        return _open_camera(_camera_of_number(operator.index(source)))
    file = _checked_file(source)
    name = str(getattr(file, "name", "video"))
    return Opened(_open_file(file, name), name, file)


def is_address(source: object) -> bool:
    """Tell whether a source is the address of a stream; a Path never is."""
    return isinstance(source, str) and bool(_ADDRESS.match(source))


def _open_file(file: str | BinaryIO, name: str) -> av.container.InputContainer:
    try:
        return av.open(file, **_TEXT)
    except av.FFmpegError as error:
        raise no_video(name, error.strerror) from error


def no_video(name: str, reason: str) -> ValueError:
    """Return the error that says that a source is no video, and why."""
    return ValueError(
        f"source: {name!r} cannot be read as a video ({reason}); check that it is a complete "
        "video, such as MP4, MOV, AVI or WebM."
    )


def _open_address(address: str) -> Opened:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    name = urlunsplit(parts._replace(netloc=host))
    try:
        # Cameras that send by RTSP lose less over TCP.
        options = {"rtsp_flags": "prefer_tcp"}
        container = av.open(address, options=options, timeout=_PATIENCE_S, **_TEXT)
        return Opened(container, name)
    except av.FFmpegError as error:
        raise ValueError(
            f"source: the address {name!r} cannot be opened ({reason_of(error)}); check that it "
            "is right, that it can be reached from here, and that it needs no other password."
        ) from error


def reason_of(error: av.FFmpegError) -> str:
    """Tell in a few words why FFmpeg could not read on."""
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {_PATIENCE_S} s"
    return error.strerror


def _camera_of_number(number: int) -> str:
    if number < 0:
        raise ValueError(f"source: cameras are numbered from 0, got {number}.")
    kind, name = _cameras()
    if sys.platform != "win32":
        return name.format(number)
    # There they have no numbers of their own.
    devices = [d for d in av.enumerate_input_devices(kind) if "video" in d.media_types]
    if number >= len(devices):
        raise FileNotFoundError(
            f"source: there is no camera {number}, {len(devices)} are connected; check the number."
        )
    return name.format(devices[number].name)


def _cameras() -> tuple[str, str]:
    if sys.platform not in _CAMERAS:
        raise ValueError(f"source: cameras cannot be read on {sys.platform}; name a file.")
    return _CAMERAS[sys.platform]


def _open_camera(name: str) -> Opened:
    kind, _ = _cameras()
    try:
        options = _CAMERA_OPTIONS.get(sys.platform, {})
        return Opened(av.open(name, format=kind, options=options, **_TEXT), name)
    except av.FileNotFoundError as error:
        raise FileNotFoundError(
            f"source: there is no camera {name!r}; check that it is connected, and its number."
        ) from error
    except av.FFmpegError as error:
        raise ValueError(
            f"source: {name!r} cannot be read as a camera ({error.strerror}); check that it is "
            "one, that no other program uses it, and that you may."
        ) from error


def checked_path(source: str | Path) -> Path:
    """Return a path as an absolute one.

    Raises
    ------
    FileNotFoundError, ValueError
        If nothing is there, or a folder.
    """
    # An absolute path is never taken for an address.
    path = Path(os.path.expanduser(source)).resolve()
    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {str(source)!r}; check the path.")
    if path.is_dir():
        raise ValueError(
            f"source must be a video file, {str(source)!r} is a folder; give its numbered pictures "
            f"as {os.path.join(source, '%03d.png')!r}, others to recognize_folder."
        )
    return path


def _checked_file(source: object) -> BinaryIO:
    if not callable(getattr(source, "read", None)):
        raise TypeError(f"source must be {_KINDS}, got {type(source).__name__}.")
    if getattr(source, "closed", False):
        raise ValueError("source is a file object that is closed; open it again.")
    try:
        is_binary = source.read(0) == b""
    except Exception:  # OpenCV's VideoCapture, for example, has another `read`.
        is_binary = False
    if not is_binary:
        raise TypeError(
            f"source must be {_KINDS}, got {type(source).__name__}; files must be opened in binary "
            "mode, with open(path, 'rb')."
        )
    if hasattr(source, "seekable") and source.seekable():
        source.seek(0)
    return source
