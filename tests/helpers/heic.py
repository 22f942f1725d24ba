"""HEIC files for the tests: a picture that x265 compresses, in the boxes of ISO/IEC 23008-12."""

import io
import struct

import av
import numpy as np
import pytest
from PIL import Image

# With B-frames x265 gives the only frame of a video a time stamp out of memory it never set.
X265 = "log-level=none:bframes=0"


def heic(pixels: np.ndarray, quarter_turns: int = 0) -> bytes:
    """Return a HEIC file of an RGB picture, which a viewer turns anticlockwise so many times."""
    settings, picture = _compressed(pixels)
    height, width = pixels.shape[:2]
    properties = settings + _full_box("ispe", struct.pack(">II", width, height))
    properties += _box("irot", bytes([quarter_turns]))
    associations = struct.pack(">IHB3B", 1, 1, 3, 0x81, 2, 0x83)
    parts = [
        _full_box("hdlr", struct.pack(">I4s12xB", 0, b"pict", 0)),
        _full_box("pitm", struct.pack(">H", 1)),
        _full_box(
            "iinf",
            struct.pack(">H", 1) + _full_box("infe", struct.pack(">HH4sB", 1, 0, b"hvc1", 0), 2),
        ),
        _box("iprp", _box("ipco", properties) + _full_box("ipma", associations)),
    ]
    start = _box("ftyp", b"heic" + bytes(4) + b"mif1heic")

    def described(offset: int) -> bytes:
        place = struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(picture))
        return start + _full_box("meta", b"".join([*parts, _full_box("iloc", place)]))

    return described(len(described(0)) + 8) + _box("mdat", picture)


def _compressed(pixels: np.ndarray) -> tuple[bytes, bytes]:
    """Return the decoder's settings, as a box, and one picture, out of a video of that picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as video:
        stream = video.add_stream("libx265", rate=1, width=pixels.shape[1], height=pixels.shape[0])
        stream.pix_fmt = "yuv420p"
        stream.codec_context.codec_tag = "hvc1"
        stream.options = {"crf": "12", "preset": "ultrafast", "x265-params": X265}
        video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        video.mux(stream.encode(None))
    written = file.getvalue()
    return _found("hvcC", written), _found("mdat", written)[8:]


def _found(name: str, boxes: bytes) -> bytes:
    start = boxes.index(name.encode()) - 4
    return boxes[start : start + int.from_bytes(boxes[start : start + 4])]


def _box(name: str, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name.encode()) + content


def _full_box(name: str, content: bytes, version: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24) + content)


def without_heic(patch: pytest.MonkeyPatch) -> None:
    """Let Pillow know no HEIC, as without the package that reads it."""
    Image.init()  # or formats that are first asked for meanwhile would be lost afterwards
    patch.delitem(Image.OPEN, "HEIF")
    patch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
