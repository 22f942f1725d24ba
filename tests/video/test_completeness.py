import io

import numpy as np
import pytest
from PIL import Image

from fer_utils.video.completeness import is_complete


def gif(size: tuple[int, int], colors: int) -> bytes:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)) for _ in range(4)]
    pictures = [picture.quantize(colors) for picture in pictures]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=100, loop=0)
    return file.getvalue()


def element(name: str, content: bytes, length: str = "") -> bytes:
    """Return an element of Matroska; its length in four bytes, or as it is given."""
    size = bytes.fromhex(length) or (len(content) | 0x1000_0000).to_bytes(4)
    return bytes.fromhex(name) + size + content


BLOCK = element("A3", bytes(100))
CLUSTER = element("1F43B675", element("E7", b"\0") + BLOCK * 3)
LIVE_CLUSTER = element("1F43B675", BLOCK * 3, "FF")
HEADER = element("1A45DFA3", bytes(20))
FILM = HEADER + element("18538067", CLUSTER * 2)
LIVE = HEADER + element("18538067", LIVE_CLUSTER * 2, "01FFFFFFFFFFFFFF")


@pytest.mark.parametrize(
    ("data", "format_name", "expected"),
    [
        (FILM, "matroska,webm", True),
        (LIVE, "matroska,webm", True),
        (FILM + b"what others append", "matroska,webm", True),
        (FILM[:-1], "matroska,webm", False),
        (LIVE[:-1], "matroska,webm", False),
        (LIVE[: -len(BLOCK)], "matroska,webm", True),  # as if it had been stopped there
        (LIVE[:60] + bytes(200) + LIVE[260:], "matroska,webm", False),
        (LIVE + b"\xa3", "matroska,webm", False),
        (bytes(188 * 5), "mpegts", True),
        (bytes(192 * 5), "mpegts", True),
        (bytes(188 * 5 + 1), "mpegts", False),
        (gif((3, 5), 4), "gif", True),
        (gif((48, 64), 256), "gif", True),
        (gif((48, 64), 256)[:-1], "gif", False),
        (gif((48, 64), 256)[:2000] + bytes(300) + gif((48, 64), 256)[2300:], "gif", False),
        (b"GIF89a", "gif", False),
        (b"anything", "mov,mp4", True),
    ],
)
def test_what_is_missing_is_seen(data, format_name, expected):
    assert is_complete(io.BytesIO(data), format_name) is expected
