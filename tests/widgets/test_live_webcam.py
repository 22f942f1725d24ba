"""The live webcam: its Python side alone, and with its browser side in a page without Jupyter."""

import base64
import io
import pkgutil
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import fer_utils
from fer_utils import EMOTIONS, EmotionRecognizer, draw_faces, webcam
from fer_utils.emotions import LABEL_COLORS
from fer_utils.video.stream import TrackedFace
from fer_utils.video.tables import TRACKED_COLUMNS
from fer_utils.widgets import live_webcam
from fer_utils.widgets.live_webcam import LiveWebcam
from tests.helpers.chromium import (
    CAMERA_IS_OFF,
    CAMERA_SHAPE,
    chromium_with_camera,
    press,
    refuse_camera,
)
from tests.helpers.portraits import ASTRONAUT
from tests.helpers.widget_page import WidgetPage, widget_pages

HAPPY = [0.01, 0.01, 0.01, 0.91, 0.02, 0.02, 0.02]
SAD = [0.01, 0.01, 0.01, 0.02, 0.91, 0.02, 0.02]
BOX = (120, 40, 160, 180)
# Left, right and bottom of what is drawn over the picture, as shares of it; null if nothing is.
DRAWN = """() => {
  const canvas = document.querySelector("[data-part=overlay]");
  const { width, height } = canvas;
  if (!width) return null;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const drawn = [...Array(width * height).keys()].filter((i) => data[4 * i + 3] > 200);
  if (!drawn.length) return null;
  const columns = drawn.map((i) => i % width).sort((a, b) => a - b);
  return [columns[0] / width, columns.at(-1) / width, Math.floor(drawn.at(-1) / width) / height];
}"""
HIDE_PAGE = """() => {
  Object.defineProperty(document, "hidden", { value: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
STILL = """() => document.querySelector("[data-part=still]").toDataURL().split(",")[1]"""


def tracked(
    face_id: int = 0, box: tuple[int, int, int, int] = BOX, *, is_sure: bool = True
) -> TrackedFace:
    emotions = dict(zip(EMOTIONS, HAPPY, strict=True))
    raw = dict(zip(EMOTIONS, SAD, strict=True))
    return TrackedFace(box, 0.9, emotions, face_id, raw, "happy", is_sure=is_sure)


class StandInStream:
    """Sees the same faces in every picture, and keeps the times it was given."""

    emotions = EMOTIONS

    def __init__(self, *faces: TrackedFace, work: Callable[[], None] = lambda: None) -> None:
        self.faces = [*faces]
        self.work = work
        self.times_s: list[float] = []

    def update(self, image: np.ndarray, time_s: float) -> list[TrackedFace]:
        assert (image.dtype, image.shape) == (np.uint8, CAMERA_SHAPE)
        self.work()
        self.times_s.append(time_s)
        return self.faces


def jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG")
    return file.getvalue()


SCENE = np.zeros(CAMERA_SHAPE, np.uint8)
SCENE[:, :480] = np.asarray(Image.fromarray(ASTRONAUT).resize((480, 480)))
FRAME = jpeg(SCENE)


def ask(camera: LiveWebcam, kind: str, data: bytes = b"", **content) -> dict:
    """Hand over a message as the browser sends it, and return the answer."""
    answers = []
    camera.send = answers.append
    message = {"kind": kind, "question": "q", "session": "one", **content}
    camera._handle_custom_msg(message, [memoryview(data)] if data else [])
    (answer,) = answers
    assert answer.pop("question") == "q"
    return answer


def started(*faces: TrackedFace, **options) -> LiveWebcam:
    camera = LiveWebcam(StandInStream(*faces, **options))
    assert ask(camera, "start") == {}
    return camera


def test_no_module_hides_a_public_name():
    # A module becomes an attribute of the package once it is imported.
    modules = {module.name for module in pkgutil.iter_modules(fer_utils.__path__)}
    assert modules.isdisjoint(fer_utils.__all__)
    assert callable(fer_utils.webcam)


@pytest.mark.parametrize("recognizer", [None, "happy", EmotionRecognizer])
def test_what_is_no_recognizer_is_refused(recognizer):
    with pytest.raises(TypeError, match=r"recognizer must be an EmotionRecognizer"):
        webcam(recognizer)


def test_a_picture_is_answered_with_its_faces():
    camera = started(tracked(2))
    (face,) = ask(camera, "frame", FRAME, time_s=0.5)["faces"]
    assert face == {
        "id": 2,
        "box": list(BOX),
        "top": "happy",
        "label": "happy",
        "caption": "happy 91%",
        "emotions": HAPPY,
    }


def test_the_table_holds_all_that_was_seen():
    camera = started(tracked(0), tracked(4))
    for time_s in (0.0, 0.1, 0.25):
        ask(camera, "frame", FRAME, time_s=time_s)
    table = camera.to_frame()
    assert tuple(table.columns) == TRACKED_COLUMNS
    assert [*table["source"].unique()] == ["webcam"]
    assert [*table["frame"]] == [0, 0, 1, 1, 2, 2]
    assert [*table["time_s"]] == [0.0, 0.0, 0.1, 0.1, 0.25, 0.25]
    assert [*table["face_id"]] == [0, 4] * 3
    assert [*table["top"].unique()] == ["happy"]
    assert [*table["label"].unique()] == ["happy"]


def test_an_unsure_face_is_called_so():
    camera = started(tracked(is_sure=False))
    (face,) = ask(camera, "frame", FRAME, time_s=0.5)["faces"]
    assert (face["top"], face["label"]) == ("happy", "unsure")
    assert face["caption"] == "unsure (happy 91%)"
    assert camera.to_frame()[["top", "label"]].values.tolist() == [["happy", "unsure"]]


def test_the_table_is_empty_at_first_and_without_a_face():
    camera = started()
    ask(camera, "frame", FRAME, time_s=0.0)
    assert camera.to_frame().shape == (0, len(TRACKED_COLUMNS))


def test_a_second_start_goes_on_with_table_and_time(monkeypatch):
    clock_s = iter([100.0, 160.0])
    monkeypatch.setattr(live_webcam.time, "monotonic", lambda: next(clock_s))
    camera = started(tracked())
    ask(camera, "frame", FRAME, time_s=7.0)
    ask(camera, "start", session="two")
    ask(camera, "frame", FRAME, session="two", time_s=0.5)
    assert [*camera.to_frame()["time_s"]] == [7.0, 60.5]
    assert [*camera.to_frame()["frame"]] == [0, 1]


def test_time_never_runs_back_whatever_the_browsers_clock_does(monkeypatch):
    monkeypatch.setattr(live_webcam.time, "monotonic", lambda: 5.0)
    camera = started(tracked())
    for time_s in (100.0, 30.0, 30.7):
        ask(camera, "frame", FRAME, time_s=time_s)
    ask(camera, "start", session="two")
    for time_s in (0.1, 0.6):
        ask(camera, "frame", FRAME, session="two", time_s=time_s)
    expected_s = [100.0, 100.0, 100.7, 100.7, 101.2]
    np.testing.assert_allclose(camera.to_frame()["time_s"], expected_s)


def test_a_picture_of_a_session_that_ended_is_not_looked_at():
    camera = started(tracked())
    ask(camera, "start", session="two")
    answer = ask(camera, "frame", FRAME, time_s=0.0)
    assert answer == {"error": "Stopped, because the webcam was started in another place."}
    assert camera.to_frame().empty


def break_down() -> None:
    raise RuntimeError("the network is not there")


@pytest.mark.parametrize(
    ("data", "work", "message"),
    [
        (
            FRAME,
            break_down,
            "Stopped by an error in the kernel. RuntimeError: the network is not there",
        ),
        (
            b"no picture",
            lambda: None,
            "Stopped by an error in the kernel. UnidentifiedImageError: ",
        ),
    ],
)
def test_an_error_is_answered_and_kept(data, work, message):
    camera = started(tracked(), work=work)
    assert ask(camera, "frame", data, time_s=0.0)["error"].startswith(message)
    assert type(camera.error).__name__ in message


def test_the_snapshot_is_the_newest_picture_unless_one_was_kept(tmp_path):
    camera = started(tracked())
    ask(camera, "frame", FRAME, time_s=0.0)
    seen = np.asarray(Image.open(io.BytesIO(FRAME)))
    np.testing.assert_array_equal(camera.snapshot(), draw_faces(seen, [tracked()]))
    ask(camera, "keep")
    ask(camera, "frame", jpeg(SCENE[::-1]), time_s=0.1)
    kept = camera.snapshot(tmp_path / "me.png")
    np.testing.assert_array_equal(kept, draw_faces(seen, [tracked()]))
    np.testing.assert_array_equal(kept, np.asarray(Image.open(tmp_path / "me.png")))
    assert [path.name for path in tmp_path.iterdir()] == ["me.png"]


def test_without_a_picture_there_is_no_snapshot(tmp_path):
    camera = started()
    assert ask(camera, "keep")["error"].startswith("There is no picture yet.")
    with pytest.raises(ValueError, match="no picture yet: show the widget and press Start"):
        camera.snapshot(tmp_path / "me.png")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("me.jpg", ValueError, r"path must end in \.png"),
        ("nowhere/me.png", FileNotFoundError, "there is no folder"),
        ("folder.png", ValueError, "is a folder"),
    ],
)
def test_a_snapshot_that_cannot_be_saved(tmp_path, name, error, message):
    (tmp_path / "folder.png").mkdir()
    camera = started(tracked())
    ask(camera, "frame", FRAME, time_s=0.0)
    with pytest.raises(error, match=message):
        camera.snapshot(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_snapshots_path_must_be_one():
    with pytest.raises(TypeError, match="path must name the file to write, got int"):
        started().snapshot(3)


def test_no_picture_is_part_of_what_a_notebook_saves():
    camera = started(tracked())
    before = camera.get_state()
    ask(camera, "frame", FRAME, time_s=0.0)
    ask(camera, "keep")
    assert camera.get_state() == before


def test_where_widgets_are_off_a_text_says_what_to_do():
    data, _ = started()._repr_mimebundle_()
    assert 'recognise a still picture: recognize("photo.jpg")' in data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium_with_camera(tmp_path_factory.mktemp("camera")) as browser:
        yield browser


@pytest.fixture
def show(browser):
    with widget_pages(browser) as show:
        yield show


def start(shown: WidgetPage) -> WidgetPage:
    """Press Start and wait for the first answer."""
    press(shown.page, "Start")
    shown.page.locator(".fer-figures", has_text="ms").wait_for()
    return shown


def run(show, *faces: TrackedFace, **options) -> WidgetPage:
    """Show a webcam and start it."""
    return start(show(LiveWebcam(StandInStream(*faces, **options))))


def test_boxes_lie_over_the_mirrored_faces(show, detector):
    class HappyClassifier:
        def predict_proba(self, crops):
            return np.tile(HAPPY, (len(crops), 1))

    shown = start(show(webcam(EmotionRecognizer(HappyClassifier(), detector))))
    x, y, w, h = detector.detect(SCENE)[0].box
    expected = [1 - (x + w) / 640, 1 - x / 640, (y + h) / 480]
    np.testing.assert_allclose(shown.page.evaluate(DRAWN), expected, atol=0.03)
    style = shown.page.locator("video").evaluate("(video) => getComputedStyle(video).transform")
    assert style.startswith("matrix(-1,")


def test_the_table_is_there_after_stop_and_the_camera_released(show):
    shown = run(show, tracked())
    shown.page.locator(".fer-legend .fer-top", has_text="happy91%").wait_for()
    press(shown.page, "Stop")
    shown.wait_for_status("Stopped. In Python, to_frame() returns the table")
    assert shown.page.evaluate(CAMERA_IS_OFF)
    table = shown.widget.to_frame()
    assert table["time_s"].iloc[0] == pytest.approx(0, abs=0.1)  # from Start
    assert table["time_s"].is_monotonic_increasing
    press(shown.page, "Start")
    shown.page.get_by_role("button", name="Snapshot").wait_for()


def wait_for_still(shown: WidgetPage) -> None:
    """Wait until the widget shows its last picture in the video's place, with the boxes over it."""
    shown.page.get_by_label("The last picture").wait_for()
    shown.page.get_by_label("Live picture of the camera").wait_for(state="hidden")
    shown.page.locator(".fer-overlay").wait_for()
    assert shown.page.evaluate(DRAWN)


def test_after_stop_the_last_picture_stays_as_in_a_mirror(show):
    shown = run(show, tracked())
    drawn = shown.page.evaluate(DRAWN)
    press(shown.page, "Stop")
    wait_for_still(shown)
    assert shown.page.evaluate(DRAWN) == drawn
    still = shown.page.get_by_label("The last picture")
    style = still.evaluate("(canvas) => getComputedStyle(canvas).transform")
    assert style.startswith("matrix(-1,")
    kept = Image.open(io.BytesIO(base64.b64decode(shown.page.evaluate(STILL)))).convert("RGB")
    difference = np.abs(np.asarray(kept, int) - SCENE)[:, :480]
    assert difference.mean() < 10  # the camera compresses

    press(shown.page, "Start")
    shown.page.get_by_label("Live picture of the camera").wait_for()
    still.wait_for(state="hidden")


def test_the_last_picture_has_its_boxes_even_if_the_kernel_became_slow(show):
    shown = run(show, tracked())
    shown.silent = True
    shown.wait_for_status("Waiting for the kernel, which may be busy with a cell.")
    shown.page.locator(".fer-overlay").wait_for(state="hidden")  # the faces may have moved on
    press(shown.page, "Stop")
    wait_for_still(shown)


def test_without_an_answer_there_is_no_last_picture(show):
    shown = show(started())
    shown.silent = True
    press(shown.page, "Start")
    press(shown.page, "Stop")
    shown.wait_for_status("Stopped.")
    assert shown.page.get_by_label("The last picture").is_hidden()


def holds_color(canvas: str, label: str) -> str:
    """Return JavaScript that tells whether a canvas has a pixel in a label's colour."""
    red, green, blue = bytes.fromhex(LABEL_COLORS[label][1:])
    return f"""() => {{
      const canvas = document.querySelector("[data-part={canvas}]");
      const {{ data }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, i) => i % 4 === 0 && value === {red}
        && data[i + 1] === {green} && data[i + 2] === {blue} && data[i + 3] === 255);
    }}"""


def test_overlay_and_chart_are_drawn_in_the_house_colours(show):
    shown = run(show, tracked())
    shown.page.wait_for_function(holds_color("overlay", "happy"))
    shown.page.wait_for_function(holds_color("chart", "happy"))


KEEP_TEXTS = """() => {
  window.texts = new Set();
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    window.texts.add(text);
    draw.call(this, text, ...place);
  };
}"""


# Of the curve that was drawn last: its pieces, and the lines they are made of.
COUNT_PIECES = """() => {
  const { beginPath, moveTo, lineTo } = CanvasRenderingContext2D.prototype;
  Object.assign(CanvasRenderingContext2D.prototype, {
    beginPath() { window.pieces = window.lines = 0; beginPath.call(this); },
    moveTo(...point) { window.pieces++; moveTo.apply(this, point); },
    lineTo(...point) { window.lines++; lineTo.apply(this, point); },
  });
}"""


def test_a_face_that_stays_is_one_curve_however_slow_the_kernel_becomes(show):
    shown = run(show, tracked())
    shown.page.evaluate(COUNT_PIECES)
    shown.page.wait_for_function("window.lines > 3")
    shown.widget._stream.work = lambda: time.sleep(1.2)
    shown.page.wait_for_timeout(4000)
    assert np.diff(shown.widget._stream.times_s).max() > 1.2
    assert shown.page.evaluate("pieces") == 1


def look_away(shown: WidgetPage) -> None:
    shown.widget._stream.faces = []
    shown.page.wait_for_timeout(1500)
    shown.widget._stream.faces = [tracked()]


def pause(shown: WidgetPage) -> None:
    press(shown.page, "Stop")
    shown.page.wait_for_timeout(1500)
    press(shown.page, "Start")


@pytest.mark.parametrize("interrupt", [look_away, pause])
def test_a_curve_begins_anew_where_the_face_was_away(show, interrupt):
    shown = run(show, tracked())
    shown.page.evaluate(COUNT_PIECES)
    interrupt(shown)
    shown.page.wait_for_function("window.pieces === 2 && window.lines > 3")


def test_the_legend_shows_dashes_once_the_face_has_left(show):
    shown = run(show, tracked())
    shown.page.locator(".fer-legend .fer-top", has_text="happy91%").wait_for()
    shown.widget._stream.faces = []
    shown.page.locator(".fer-legend span", has_text="happy\N{EN DASH}").wait_for()
    assert shown.page.locator(".fer-top").count() == 0
    assert shown.page.locator(".fer-legend span", has_text="%").count() == 0


def test_after_stop_the_legend_stays_as_the_last_picture_does(show):
    shown = run(show, tracked())
    shown.page.locator(".fer-legend .fer-top", has_text="happy91%").wait_for()
    press(shown.page, "Stop")
    shown.wait_for_status("Stopped.")
    assert shown.page.locator(".fer-legend .fer-top", has_text="happy91%").count() == 1


def test_after_stop_the_chart_follows_a_change_of_theme(show):
    shown = run(show, tracked())
    shown.page.wait_for_function(holds_color("chart", "happy"))
    press(shown.page, "Stop")
    shown.page.evaluate("""() => {
      window.grid = new Set();
      const stroke = CanvasRenderingContext2D.prototype.stroke;
      CanvasRenderingContext2D.prototype.stroke = function () {
        window.grid.add(this.strokeStyle);
        stroke.call(this);
      };
      document.body.style.setProperty("--jp-ui-font-color1", "#123456");
    }""")
    shown.page.wait_for_function("grid.has('#123456')")
    shown.page.wait_for_function(holds_color("chart", "happy"))


DASHES = """() => {
  window.dashes = new Set();
  const stroke = CanvasRenderingContext2D.prototype.stroke;
  CanvasRenderingContext2D.prototype.stroke = function () {
    window.dashes.add(`${this.strokeStyle} ${this.getLineDash()}`);
    stroke.call(this);
  };
}"""


def test_an_unsure_face_is_dashed_and_none_of_the_chart_is_emphasised(show):
    shown = show(LiveWebcam(StandInStream(tracked(is_sure=False))))
    shown.page.evaluate(KEEP_TEXTS)
    shown.page.evaluate(DASHES)
    start(shown)
    shown.page.wait_for_function(holds_color("overlay", "unsure"))  # the tag
    assert f"{LABEL_COLORS['happy'].lower()} 12,9" in shown.page.evaluate("[...dashes]")
    assert "unsure (happy 91%)" in shown.page.evaluate("[...texts]")
    shown.page.wait_for_function(holds_color("chart", "happy"))
    assert not shown.page.evaluate(holds_color("chart", "unsure"))
    shown.page.locator(".fer-legend span", has_text="happy91%").wait_for()
    assert shown.page.locator(".fer-legend span").count() == len(EMOTIONS)
    assert shown.page.locator(".fer-top").count() == 0


def test_several_unsure_faces_have_their_numbers(show):
    shown = show(LiveWebcam(StandInStream(tracked(3, is_sure=False), tracked(5))))
    shown.page.evaluate(KEEP_TEXTS)
    start(shown)
    assert {"4: unsure (happy 91%)", "6: happy 91%"} <= {*shown.page.evaluate("[...texts]")}


def test_pictures_are_dropped_while_the_kernel_is_slow(show):
    shown = run(show, tracked(), work=lambda: time.sleep(0.4))
    shown.page.wait_for_timeout(2500)
    assert shown.page.evaluate("model.mostUnanswered") == 1
    times_s = shown.widget._stream.times_s
    assert len(times_s) > 2
    # Each picture was taken after the answer to the one before.
    assert np.diff(times_s).min() >= 0.4


def test_a_snapshot_is_kept_and_drawn(show):
    shown = run(show, tracked())
    press(shown.page, "Snapshot")
    shown.wait_for_status("Snapshot kept. In Python, the widget's snapshot() returns it.")
    picture = shown.widget.snapshot()
    assert picture.shape == CAMERA_SHAPE
    difference = np.abs(picture.astype(int) - SCENE)[:, :480].mean(axis=2)
    x, y, w, _ = BOX
    assert difference[y, x : x + w].mean() > 3 * np.median(difference)


def test_a_snapshot_can_be_downloaded_also_after_stop(show):
    shown = run(show, tracked())
    link = shown.page.get_by_role("link", name="Download the snapshot")
    assert link.count() == 0
    press(shown.page, "Snapshot")
    link.wait_for()
    press(shown.page, "Stop")
    with shown.page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "snapshot.png"
    with Image.open(download.value.path()) as picture:
        np.testing.assert_array_equal(np.array(picture), shown.widget.snapshot())


@pytest.mark.parametrize(
    ("address", "permissions", "message"),
    [
        ("http://localhost/", [], "The browser did not allow the camera."),
        ("http://notebook.example/", [], "must be opened over https or at localhost."),
    ],
)
def test_a_refused_camera_is_explained(show, address, permissions, message):
    shown = show(started(), address, permissions)
    press(shown.page, "Start")
    shown.wait_for_status(message)
    press(shown.page, "Start")  # it may be tried again


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "The camera does not answer. Close other programs"),
        ("AbortError", "The camera could not be opened (AbortError)."),
    ],
)
def test_a_missing_or_busy_camera_is_explained(show, error, message):
    shown = show(started())
    refuse_camera(shown.page, error)
    press(shown.page, "Start")
    shown.wait_for_status(message)
    shown.wait_for_status("put PictureInput() into a cell")


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ("() => window.cleanUp()", ""),
        (HIDE_PAGE, "Stopped, because this page went out of sight."),
        ("() => { document.body.style.display = 'none'; }", "Stopped, because this page"),
        ("() => model.trigger('comm_live_update')", "The kernel is gone"),
        ("() => { model.send = () => { throw new Error(); }; }", "The kernel is gone"),
        ("() => stream.getTracks()[0].onended()", "The camera was unplugged"),
    ],
    ids=["removed", "page hidden", "tab hidden", "kernel gone", "comm closed", "unplugged"],
)
def test_the_camera_is_released_whatever_ends_it(show, ending, message):
    shown = run(show, tracked())
    shown.page.evaluate(ending)
    shown.page.wait_for_function(CAMERA_IS_OFF)
    assert message in shown.page.locator("[data-part=status]").text_content()


def test_a_camera_that_opens_after_stop_is_released(show):
    shown = show(started())
    shown.page.evaluate("""() => {
      const open = navigator.mediaDevices.getUserMedia;
      navigator.mediaDevices.getUserMedia = async (wishes) => {
        document.querySelector("[data-part=stop]").click();
        return open(wishes);
      };
    }""")
    press(shown.page, "Start")
    shown.page.wait_for_function(f"window.stream && {CAMERA_IS_OFF}")


def test_a_kernel_that_ends_says_so_instead_of_showing_what_broke(monkeypatch):
    camera = started(tracked())
    camera._stream.work = break_down
    monkeypatch.setattr("threading.main_thread", lambda: threading.Thread())  # one not running
    answer = ask(camera, "frame", FRAME, time_s=0.0)
    assert answer["error"].startswith("The kernel is ending, so the camera is off.")


def test_a_kernel_that_falls_silent_is_noticed(show):
    shown = show(LiveWebcam(StandInStream(tracked())))
    shown.page.clock.install()  # in order to let the time fly below
    start(shown)
    shown.silent = True
    shown.wait_for_status("Waiting for the kernel, which may be busy with a cell.")
    shown.page.clock.fast_forward(10_000)
    shown.wait_for_status("The kernel did not answer for 10 seconds, so the camera is off.")
    assert shown.page.evaluate(CAMERA_IS_OFF)


def test_an_error_in_the_kernel_is_shown_and_stops_it(show):
    shown = run(show, tracked())
    shown.widget._stream.work = break_down
    shown.wait_for_status(
        "Stopped by an error in the kernel. RuntimeError: the network is not there"
    )
    assert shown.page.evaluate(CAMERA_IS_OFF)
    with pytest.raises(RuntimeError, match="not there"):
        raise shown.widget.error


def test_a_second_view_takes_over(show):
    shown = run(show, tracked())
    shown.page.evaluate("window.show()")
    shown.page.get_by_role("button", name="Start").click()
    shown.wait_for_status("Stopped, because the webcam was started in another place.")
    assert shown.page.get_by_role("button", name="Stop").count() == 1
