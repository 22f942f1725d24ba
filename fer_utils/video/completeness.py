"""Whether a file holds all it should, by its own structure, where FFmpeg passes over a gap."""

import os
from typing import BinaryIO

# Matroska's elements (RFC 9559) that hold the others, and whose length may be unknown.
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_LONGEST_HEADER = 12
# A transport stream's packets: as broadcast, on Blu-ray, and with error correction.
_TS_PACKET_BYTES = (188, 192, 204)
# What may follow in a GIF (its specification of 1989, 20): a picture, an extension, the end.
_GIF_PICTURE, _GIF_EXTENSION, _GIF_END = b",", b"!", b";"


def is_complete(file: BinaryIO, format_name: str) -> bool:
    """Tell whether a file goes on to its end without a gap; True for most formats, unseen.

    Parameters
    ----------
    file : binary file object
        It is searched, and left somewhere.
    format_name : str
        What FFmpeg calls its format.
    """
    size = file.seek(0, os.SEEK_END)
    if "matroska" in format_name:
        return _is_matroska_complete(file, size)
    if format_name == "mpegts":
        return any(size % packet == 0 for packet in _TS_PACKET_BYTES)
    if format_name == "gif":
        return _is_gif_complete(file)
    return True


def _is_matroska_complete(file: BinaryIO, size: int) -> bool:
    """Go from element to element: each must begin where the one before ends."""
    position = 0
    while position < size:
        file.seek(position)
        header = file.read(_LONGEST_HEADER)
        name_bytes = _length_of_number(header)
        length_bytes = _length_of_number(header[name_bytes:])
        if not (name_bytes and length_bytes):
            return False
        name = int.from_bytes(header[:name_bytes])
        bits = 7 * length_bytes
        length = int.from_bytes(header[name_bytes : name_bytes + length_bytes]) & ((1 << bits) - 1)
        is_unknown = length == (1 << bits) - 1  # of a live recording
        position += name_bytes + length_bytes
        if name == _SEGMENT and not is_unknown:
            if position + length > size:
                return False
            size = position + length  # What follows is none of it.
        elif name not in (_SEGMENT, _CLUSTER):
            if is_unknown:
                return False
            position += length
    return position == size


def _length_of_number(data: bytes) -> int:
    """Return how many bytes a number of EBML (RFC 8794) takes; 0 where there is none."""
    length = 9 - data[0].bit_length() if data else 9
    return length if length <= min(8, len(data)) else 0


def _is_gif_complete(file: BinaryIO) -> bool:
    """Go from block to block up to the one that says that it is the last."""
    file.seek(10)
    _skip_gif_colors(file, after_bytes=2)
    while (kind := file.read(1)) in (_GIF_PICTURE, _GIF_EXTENSION):
        if kind == _GIF_PICTURE:
            file.seek(8, os.SEEK_CUR)
            _skip_gif_colors(file)
        file.seek(1, os.SEEK_CUR)
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], os.SEEK_CUR)
    return kind == _GIF_END


def _skip_gif_colors(file: BinaryIO, after_bytes: int = 0) -> None:
    """Read the flags that come next, and pass over the colours that they announce."""
    flags = file.read(1) or b"\0"
    colors = 2 << (flags[0] & 7) if flags[0] & 0x80 else 0
    file.seek(after_bytes + 3 * colors, os.SEEK_CUR)
