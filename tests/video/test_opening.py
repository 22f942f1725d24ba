import http.server
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_utils.video import opening
from fer_utils.video.reader import read_video
from tests.helpers.clips import write_clip

FPS = 25


@pytest.fixture
def clip(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    times_s = np.arange(20) / FPS
    return write_clip(tmp_path / "clip.mp4", images, times_s, size=(64, 48), movflags="+faststart")


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Serve by HTTP on this machine; give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def send(data: bytes, kind: str = "video/mp4", length: int = 0) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        if kind == "video/mp4":  # a network camera does not know how much it will send
            request.send_header("Content-Length", str(length or len(data)))
        request.end_headers()
        request.wfile.write(data)

    return answer


def test_an_address_is_read_like_a_file(clip):
    with served(send(clip.read_bytes())) as address:
        frames = list(read_video(f"{address}/clip%03d.mp4"))  # no numbered pictures
    for read, expected in zip(frames, read_video(clip), strict=True):
        assert read.time_s == expected.time_s
        np.testing.assert_array_equal(read.image, expected.image)


def test_a_network_cameras_jpegs_are_a_video(tmp_path):
    Image.new("RGB", (64, 48), (20, 200, 40)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n"
    parts = (part % (len(data), data)) * 5
    frames = []
    with served(send(parts, "multipart/x-mixed-replace; boundary=frame")) as address:
        with pytest.raises(ValueError, match=r"http://127.* broke off after 5 frames \(.*; check"):
            frames.extend(read_video(address))
    assert len(frames) == 5
    assert np.diff([frame.time_s for frame in frames]).min() > 0
    np.testing.assert_allclose(frames[4].image[24, 32], (20, 200, 40), atol=6)


def test_name_and_password_in_an_address_are_told_to_nobody():
    with served(lambda request: request.send_error(401)) as address:
        whole = f"{address.replace('//', '//anna:secret@')}/cam?size=1"
        with pytest.raises(
            ValueError, match=r"the address 'http://127.*/cam.*' cannot be"
        ) as caught:
            read_video(whole)
    assert "anna" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_where_nobody_is_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for kind in ("rtsp", "http", "tcp"):
        with pytest.raises(ValueError, match=f"{kind}://127.* cannot be opened .*refused"):
            read_video(f"{kind}://127.0.0.1:{port}/live")


def test_an_address_that_is_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(opening, "_PATIENCE_S", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ValueError, match=r"cannot be opened \(nothing came for 0\.5 s\)"),
    ):
        read_video(f"http://127.0.0.1:{server.getsockname()[1]}/clip.mp4")


def test_an_address_that_falls_silent_gives_what_came(clip, monkeypatch):
    monkeypatch.setattr(opening, "_PATIENCE_S", 0.5)
    over = threading.Event()
    data = clip.read_bytes()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        send(data[: len(data) * 3 // 4], length=len(data))(request)
        request.wfile.flush()
        over.wait(60)

    seen = []
    with served(answer) as address:
        with pytest.raises(
            ValueError, match=r"broke off after \d+ frames \(nothing came for 0\.5 s"
        ):
            seen.extend(read_video(f"{address}/clip.mp4"))
        over.set()
    assert 5 < len(seen) < 20


def test_a_path_is_never_taken_for_an_address():
    with pytest.raises(FileNotFoundError, match="there is no file 'http:"):
        read_video(Path("http://127.0.0.1/clip.mp4"))


@pytest.fixture
def test_picture_as_camera(monkeypatch):
    """FFmpeg's test source, which is opened as cameras are; its number is that of its frames."""
    pattern = "testsrc2=size=64x48:rate=10,trim=end_frame={}"
    monkeypatch.setitem(opening._CAMERAS, sys.platform, ("lavfi", pattern))


@pytest.mark.skipif(sys.platform == "win32", reason="cameras have other names there")
@pytest.mark.parametrize("number", [3, np.int64(3)])
def test_a_number_is_a_camera(test_picture_as_camera, number):
    frames = list(read_video(number))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2])
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.std() > 40


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names them so")
def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="there is no camera '/dev/video99'; check"):
        read_video(99)
    with pytest.raises(FileNotFoundError, match="there is no file '/dev/video99'"):
        read_video("/dev/video99")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names them so")
def test_a_device_that_is_no_camera_is_refused():
    with pytest.raises(ValueError, match=r"'/dev/zero' cannot be read as a camera .*; check"):
        read_video("/dev/zero")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (-1, ValueError, "cameras are numbered from 0, got -1"),
        (True, TypeError, "source must be a video's path, .* a camera's number, .* got bool"),
        (0.0, TypeError, "got float"),
        (object(), TypeError, "got object"),
    ],
)
def test_what_is_no_source_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        read_video(source)


def test_opencvs_capture_is_refused_with_a_remedy():
    cv2 = pytest.importorskip("cv2")
    with pytest.raises(TypeError, match="or several pictures, got VideoCapture"):
        read_video(cv2.VideoCapture())


def test_a_folder_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(
        ValueError, match=r"is a folder; give its numbered pictures as '.*%03d\.png"
    ):
        read_video(tmp_path)
