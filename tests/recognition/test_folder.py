import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_utils.emotions import EMOTIONS
from fer_utils.faces.detector import FaceDetector  # noqa: F401 (for the killed run)
from fer_utils.recognition.folder import recognize_folder
from fer_utils.recognition.recognizer import EmotionRecognizer
from tests.helpers.heic import heic, without_heic
from tests.helpers.portraits import ASTRONAUT, NOBODY, PAIR

COLUMNS = ["source", "status", "face_id", "x", "y", "w", "h"]
COLUMNS += [f"p_{name}" for name in EMOTIONS] + ["top", "label"]
ONE = np.asarray(Image.fromarray(ASTRONAUT[:300, 70:370]).resize((150, 150)))
NONE = NOBODY[:150, :150]
TWO = np.asarray(Image.fromarray(PAIR).resize((300, 150)))


class Classifier:
    """Tells "emotions" from a few pixels, at once, and remembers how it was asked."""

    def __init__(self, power: float = 1.0):
        self.power = power
        self.asked = []

    def predict_proba(self, crops):
        self.asked.append(len(crops))
        parts = (crops[:, ::8, :48:7].mean(axis=1) + 1.0) ** self.power
        return (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)


class Detector:
    """The real one, with a setting, and something that happens at its n-th picture."""

    def __init__(self, detector, min_score=0.6, at=0, happens=lambda: None):
        self._detector, self._at, self._happens, self._looks = detector, at, happens, 0
        self.min_score = min_score

    def detect(self, image):
        self._looks += 1
        if self._looks == self._at:
            self._happens()
        return self._detector.detect(image)


@pytest.fixture
def recognizer(detector):
    return EmotionRecognizer(Classifier(), detector)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "party").mkdir(parents=True)
    save(TWO, folder / "party" / "two.png")
    save(ONE, folder / "one.jpg")
    save(NONE, folder / "cat.jpg")
    (folder / "text.jpg").write_text("no picture")
    return folder


def save(pixels, path):
    Image.fromarray(pixels).save(path)


def faces_looked_at(recognizer) -> int:
    """Without the four patterns that tell networks apart."""
    asked, recognizer.classifier.asked = recognizer.classifier.asked, []
    assert asked.pop(0) == 4
    return sum(asked)


def test_a_row_for_each_face_and_for_each_picture_without_one(folder, recognizer):
    table = recognize_folder(folder, recognizer=recognizer, progress=False)
    assert list(table.columns) == COLUMNS
    assert table["source"].tolist() == ["cat.jpg", "one.jpg", *["party/two.png"] * 2, "text.jpg"]
    known = "its bytes are of no known format"
    assert table["status"].tolist() == ["no face", "ok", "ok", "ok", known]
    assert table["face_id"].tolist() == [pd.NA, 0, 0, 1, pd.NA]
    assert table.loc[[0, 4], COLUMNS[2:]].isna().all(axis=None)
    (face,) = recognizer.recognize(folder / "one.jpg")
    assert table.loc[1, ["x", "y", "w", "h"]].tolist() == [*face.box]
    assert table.loc[1, COLUMNS[7:14]].tolist() == pytest.approx([*face.emotions.values()])
    assert table.loc[1, ["top", "label"]].tolist() == [face.top, face.top]


def test_an_unsure_face_keeps_its_top(folder, recognizer):
    sure = recognize_folder(folder, recognizer=recognizer, progress=False)
    (folder / "faces.csv").unlink()
    careful = EmotionRecognizer(Classifier(), recognizer.detector, min_confidence=1)
    table = recognize_folder(folder, recognizer=careful, progress=False)
    assert set(table["label"].dropna()) == {"unsure"}
    pd.testing.assert_frame_equal(table.drop(columns="label"), sure.drop(columns="label"))


def test_the_types_do_not_depend_on_what_is_found(folder, recognizer, tmp_path):
    full = recognize_folder(folder, recognizer=recognizer, progress=False)
    (tmp_path / "empty").mkdir()
    empty = recognize_folder(tmp_path / "empty", recognizer=recognizer, progress=False)
    assert len(empty) == 0
    pd.testing.assert_series_equal(full.dtypes, empty.dtypes)
    assert set(full.dtypes[["face_id", "x", "y", "w", "h"]]) == {pd.Int64Dtype()}


def test_the_file_holds_the_table(folder, recognizer, tmp_path):
    table = recognize_folder(
        folder, recognizer=recognizer, table=tmp_path / "t.csv", progress=False
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "pictures",
        "t.csv",
        "t.csv.settings.json",
    ]
    assert not (folder / "faces.csv").exists()
    read = pd.read_csv(tmp_path / "t.csv")
    assert list(read.columns[: len(COLUMNS)]) == COLUMNS
    for name in COLUMNS:
        written, returned = read[name].dropna().tolist(), table[name].dropna().tolist()
        assert written == (pytest.approx(returned) if name.startswith("p_") else returned)


def test_what_is_no_picture_by_name_is_passed_over(folder, recognizer):
    (folder / "__MACOSX").mkdir()
    (folder / ".thumbnails").mkdir()
    for name in ("__MACOSX/one.jpg", ".thumbnails/one.jpg", "._one.jpg", "notes.txt", "clip.mp4"):
        (folder / name).write_bytes(b"something")
    (folder / "folder.jpg").mkdir()
    table = recognize_folder(folder, recognizer=recognizer, progress=False)
    assert set(table["source"]) == {"cat.jpg", "one.jpg", "party/two.png", "text.jpg"}


ODD_NAMES = ["with space.jpg", "ünï😀.jpg", "NA.jpg", "UPPER.JPG", "=1+1.jpg", "'.jpg"]
if os.name == "posix":
    ODD_NAMES += ["new\nline.jpg", 're\rturn, "quoted".jpg', "\n.jpg", "back\\slash.jpg"]


def test_files_may_have_any_name(tmp_path, recognizer):
    for name in ODD_NAMES:
        save(ONE, tmp_path / name)
    table = recognize_folder(tmp_path, recognizer=recognizer, progress=False)
    assert table["source"].tolist() == sorted(ODD_NAMES)
    assert set(table["status"]) == {"ok"}
    assert faces_looked_at(recognizer) == len(ODD_NAMES)
    again = recognize_folder(tmp_path, recognizer=recognizer, progress=False)
    pd.testing.assert_frame_equal(again, table)
    assert faces_looked_at(recognizer) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_unicode_is_spelt_out(tmp_path, recognizer):
    save(ONE, tmp_path / "a.jpg")
    os.rename(tmp_path / "a.jpg", os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    for _ in range(2):
        table = recognize_folder(tmp_path, recognizer=recognizer, progress=False)
        assert table[["source", "status"]].values.tolist() == [[r"caf\udce9.jpg", "ok"]]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_pipes_and_what_is_gone(tmp_path, recognizer, folder):
    (folder / "party" / "back").symlink_to(folder)
    (folder / "elsewhere").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    save(ONE, tmp_path / "elsewhere" / "one.jpg")
    (folder / "itself.jpg").symlink_to("itself.jpg")
    (folder / "nowhere.jpg").symlink_to("nothing.jpg")
    os.mkfifo(folder / "pipe.jpg")
    table = recognize_folder(folder, recognizer=recognizer, progress=False)
    status = dict(zip(table["source"], table["status"], strict=True))
    gone = "the file is gone, or its link leads nowhere"
    assert {name: status[name] for name in status if status[name] not in ("ok", "no face")} == {
        "itself.jpg": gone,
        "nowhere.jpg": gone,
        "pipe.jpg": "it is no regular file",
        "text.jpg": "its bytes are of no known format",
    }
    assert [name for name in status if "/" in name] == ["elsewhere/one.jpg", "party/two.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(folder, recognizer):
    (folder / "one.jpg").chmod(0)
    (folder / "party").chmod(0)
    try:
        table = recognize_folder(folder, recognizer=recognizer, progress=False)
    finally:
        (folder / "party").chmod(0o700)
    assert table.loc[1:2, ["source", "status"]].values.tolist() == [
        ["one.jpg", "Permission denied"],
        ["party", "a folder that cannot be listed"],
    ]


def test_what_is_done_is_not_done_again(folder, recognizer):
    first = recognize_folder(folder, recognizer=recognizer, progress=False)
    assert faces_looked_at(recognizer) == 3
    again = recognize_folder(folder, recognizer=recognizer, progress=False)
    assert faces_looked_at(recognizer) == 0
    pd.testing.assert_frame_equal(again, first)


def test_new_changed_mended_and_vanished_pictures_are_noticed(folder, recognizer):
    recognize_folder(folder, recognizer=recognizer, progress=False)
    faces_looked_at(recognizer)
    save(ONE, folder / "a new one.jpg")
    save(TWO, folder / "cat.jpg")
    save(ONE, folder / "text.jpg")
    (folder / "one.jpg").unlink()
    table = recognize_folder(folder, recognizer=recognizer, progress=False)
    assert faces_looked_at(recognizer) == 4
    expected = ["a new one.jpg", *["cat.jpg"] * 2, *["party/two.png"] * 2, "text.jpg"]
    assert table["source"].tolist() == expected
    assert pd.read_csv(folder / "faces.csv")["source"].tolist() == expected


def test_a_file_of_the_same_size_but_another_time_has_changed(folder, recognizer):
    recognize_folder(folder, recognizer=recognizer, progress=False)
    faces_looked_at(recognizer)
    os.utime(folder / "one.jpg", ns=(0, 0))
    recognize_folder(folder, recognizer=recognizer, progress=False)
    assert faces_looked_at(recognizer) == 1


def test_folder_and_table_may_be_moved_together(folder, recognizer):
    table = recognize_folder(folder, recognizer=recognizer, progress=False)
    faces_looked_at(recognizer)
    moved = folder.rename(folder.with_name("moved"))
    again = recognize_folder(moved, recognizer=recognizer, progress=False)
    pd.testing.assert_frame_equal(again, table)
    assert faces_looked_at(recognizer) == 0


@pytest.mark.slow
def test_a_table_torn_anywhere_is_mended(tmp_path, recognizer):
    for name in ("a.png", "b\n.png", "c.png"):
        save(TWO if name == "c.png" else ONE, tmp_path / name)
    expected = recognize_folder(tmp_path, recognizer=recognizer, progress=False)
    file = tmp_path / "faces.csv"
    whole = file.read_bytes()
    faces_looked_at(recognizer)
    ends = [whole.index(row) for row in (b'"a.png"', b'"b\n.png"', b'"c.png"')]
    first, second, third = ends
    for length in {*range(first, len(whole), 41), third - 1, third, *range(second, second + 9)}:
        file.write_bytes(whole[:length])
        table = recognize_folder(tmp_path, recognizer=recognizer, progress=False)
        pd.testing.assert_frame_equal(table, expected)
        assert file.read_bytes() == whole
        assert faces_looked_at(recognizer) == 2 + (length < third) + (length < second)


def test_pictures_share_classifier_calls(tmp_path, recognizer):
    for index in range(70):
        save(TWO if index < 10 else ONE, tmp_path / f"{index:02}.jpg")
    table = recognize_folder(tmp_path, recognizer=recognizer, progress=False)
    assert len(table) == 80
    # 64 pictures with 74 faces, then 6 pictures.
    assert recognizer.classifier.asked == [4, 64, 10, 6]


@pytest.fixture
def heeding_ctrl_c():
    """A job in the background, such as this test may be, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_ctrl_c_loses_nothing(folder, detector):
    def interrupting(at):
        stop = Detector(detector, at=at, happens=lambda: signal.raise_signal(signal.SIGINT))
        return EmotionRecognizer(Classifier(), stop)

    with pytest.raises(KeyboardInterrupt, match=r"is kept in .*faces\.csv"):
        recognize_folder(folder, recognizer=interrupting(2), progress=False)
    assert pd.read_csv(folder / "faces.csv")["source"].tolist() == ["cat.jpg", "one.jpg"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    rest = EmotionRecognizer(Classifier(), Detector(detector))
    table = recognize_folder(folder, recognizer=rest, progress=False)
    assert faces_looked_at(rest) == 2
    assert table["status"].tolist().count("ok") == 3


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_a_second_ctrl_c_ends_at_once(folder, detector):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    stop = EmotionRecognizer(Classifier(), Detector(detector, at=2, happens=twice))
    with pytest.raises(KeyboardInterrupt):
        recognize_folder(folder, recognizer=stop, progress=False)
    assert len(pd.read_csv(folder / "faces.csv")) == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.recognition.test_folder import (
    Classifier, FaceDetector, EmotionRecognizer, recognize_folder
)
recognize_folder(sys.argv[1], recognizer=EmotionRecognizer(Classifier(), FaceDetector()))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, recognizer):
    for index in range(150):
        save(TWO, tmp_path / f"{index:03}.png")
    table = tmp_path / "faces.csv"
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parents[2])],
        stderr=subprocess.PIPE,
    )
    while run.poll() is None and not (table.exists() and table.read_bytes().count(b"\n") > 1):
        time.sleep(0.01)
    run.kill()
    assert run.wait() != 0, run.stderr.read().decode()
    rows = table.read_bytes().count(b"\n") - 1  # whole ones; the kill may have torn another
    assert 0 < rows < 300
    assert len(recognize_folder(tmp_path, recognizer=recognizer, progress=False)) == 300
    assert faces_looked_at(recognizer) == 300 - rows // 2 * 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            lambda detector: EmotionRecognizer(Classifier(2), Detector(detector)),
            "different networks.*other probabilities.*begin anew, delete it",
        ),
        (
            lambda detector: EmotionRecognizer(Classifier(), Detector(detector, 0.3)),
            r"different detector.*'min_score': 0\.6.*now .*0\.3",
        ),
        (
            lambda detector: EmotionRecognizer(
                Classifier(), Detector(detector), min_confidence=0.5
            ),
            r"different min_confidence \(min_confidence: 0\.0, now 0\.5\)",
        ),
    ],
)
def test_results_of_other_networks_or_settings_are_not_mixed(folder, detector, changed, message):
    before = EmotionRecognizer(Classifier(), Detector(detector))
    recognize_folder(folder, recognizer=before, progress=False)
    content = (folder / "faces.csv").read_bytes()
    with pytest.raises(ValueError, match=message):
        recognize_folder(folder, recognizer=changed(detector), progress=False)
    assert (folder / "faces.csv").read_bytes() == content
    (folder / "faces.csv").unlink()
    recognize_folder(folder, recognizer=changed(detector), progress=False)


def test_a_rounding_error_makes_no_other_networks(folder, detector):
    for power in (1, 1.0001):
        rounding = EmotionRecognizer(Classifier(power), detector)
        recognize_folder(folder, recognizer=rounding, progress=False)
    assert faces_looked_at(rounding) == 0


def test_a_table_serves_one_folder(folder, recognizer, tmp_path):
    recognize_folder(folder, recognizer=recognizer, progress=False)
    with pytest.raises(ValueError, match=r"different folder \(folder: '\.', now 'party'\)"):
        recognize_folder(
            folder / "party", recognizer=recognizer, table=folder / "faces.csv", progress=False
        )


@pytest.mark.parametrize("settings", [None, "{", "[]", json.dumps({"networks": []})])
def test_a_table_without_its_settings_is_left_alone(folder, recognizer, settings):
    recognize_folder(folder, recognizer=recognizer, progress=False)
    file = folder / "faces.csv.settings.json"
    file.unlink() if settings is None else file.write_text(settings)
    with pytest.raises(ValueError, match=r"settings\.json', which tells.*missing or damaged"):
        recognize_folder(folder, recognizer=recognizer, progress=False)


@pytest.mark.parametrize("content", ["", "name,age\nAda,36\n", '"', "x" * 200_000])
def test_another_file_is_never_written_over(folder, recognizer, content):
    (folder / "faces.csv").write_text(content)
    with pytest.raises(ValueError, match="another kind of table"):
        recognize_folder(folder, recognizer=recognizer, progress=False)
    assert (folder / "faces.csv").read_text() == content


def test_a_warning_names_its_picture(folder, recognizer):
    save(ONE[..., 0].astype(np.uint16), folder / "dark.png")
    with pytest.warns(UserWarning, match=r"of '.*dark\.png' is"):
        recognize_folder(folder, recognizer=recognizer, progress=False)


def test_what_a_binary_file_holds_is_told_briefly_and_escaped(folder, recognizer):
    content = b"\x89PNG\r\n\x1a\n\0\x1b[2J" + bytes(range(256)) * 100
    (folder / "faces.csv").write_bytes(content.replace(b"\r", b"\x07").replace(b"\n", b"\x08"))
    with pytest.raises(ValueError, match="another kind of table") as caught:
        recognize_folder(folder, recognizer=recognizer, progress=False)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "a,b\n1,2\n", "it has 'a', 'b' and it lacks source, status, face_id and"),
        (
            lambda text: text.replace('"file_bytes"', '"size"'),
            "has 'size' and it lacks file_bytes;",
        ),
        (lambda text: text.replace(',"label"', ""), "of table, it lacks label; name another"),
        (lambda text: text + "one\rtwo,ok\n", r"changed by another program.*delete it"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(folder, recognizer, change, message):
    recognize_folder(folder, recognizer=recognizer, progress=False)
    table = folder / "faces.csv"
    changed = change(table.read_text()).encode()
    table.write_bytes(changed)
    with pytest.raises(ValueError, match=message):
        recognize_folder(folder, recognizer=recognizer, progress=False)
    assert table.read_bytes() == changed


@pytest.mark.parametrize(
    ("source", "table", "error", "message"),
    [
        ("nowhere", None, FileNotFoundError, "no folder.*nowhere"),
        ("one.jpg", None, ValueError, r"one\.jpg' is a file; use recognize"),
        (".", "faces.txt", ValueError, r"must end in \.csv.*got"),
        (".", "folder.csv", ValueError, r"folder\.csv' is a folder"),
        (".", "nowhere/faces.csv", FileNotFoundError, "table: there is no folder.*nowhere"),
        (".", "/proc/faces.csv", ValueError, "cannot be written.*another place"),
    ],
)
def test_places_that_cannot_be_used(folder, recognizer, source, table, error, message):
    (folder / "folder.csv").mkdir()
    if table == "/proc/faces.csv" and not os.path.isdir("/proc"):
        pytest.skip("a place where even root cannot write")
    with pytest.raises(error, match=message):
        recognize_folder(
            folder / source,
            recognizer=recognizer,
            table=table and folder / table,
            progress=False,
        )


def test_the_recognizer_is_checked(folder):
    with pytest.raises(TypeError, match="must be an EmotionRecognizer, got Classifier"):
        recognize_folder(folder, recognizer=Classifier())
    with pytest.raises(TypeError, match="must be a folder's path, got list"):
        recognize_folder([folder / "one.jpg"])


def test_a_folder_of_faces_cut_out_already(folder, recognizer):
    save(np.full((9, 9), 50, np.uint8), folder / "black.png")
    table = recognize_folder(folder, recognizer=recognizer, detect=False, progress=False)
    known = "its bytes are of no known format"
    assert table["status"].tolist() == ["no face", "ok", "ok", "ok", known]
    assert table.loc[3, ["x", "y", "w", "h"]].tolist() == [0, 0, 300, 150]
    (face,) = recognizer.recognize(folder / "cat.jpg", detect=False)
    assert table.loc[1, COLUMNS[7:14]].tolist() == pytest.approx([*face.emotions.values()])


def test_the_phones_own_pictures_and_what_reads_them(folder, recognizer, monkeypatch):
    for name in ("phone.heic", "PHONE.HIF"):
        (folder / name).write_bytes(heic(ASTRONAUT))
    without_heic(monkeypatch)
    table = recognize_folder(folder, recognizer=recognizer, progress=False).set_index("source")
    remedy = "it is HEIC, for which a package is missing: pip install pi-heif"
    assert table.loc[["phone.heic", "PHONE.HIF"], "status"].tolist() == [remedy, remedy]
    monkeypatch.undo()  # as the installation does
    table = recognize_folder(folder, recognizer=recognizer, progress=False).set_index("source")
    assert table.loc[["phone.heic", "PHONE.HIF"], "status"].tolist() == ["ok", "ok"]


def test_small_pictures_are_asked_about_and_recognised_as_it_says(tmp_path, recognizer, recwarn):
    faces = tmp_path / "cut out"
    faces.mkdir()
    for index in range(3):
        small = Image.fromarray(ASTRONAUT[80 + index : 208, 160:288]).convert("L").resize((48, 48))
        small.save(faces / f"{index}.png")
    save(NOBODY[:65, :65], faces / "cat.png")
    with pytest.warns(UserWarning, match=r"3 of the 4 pictures .* at most 64 px .*detect=False\)"):
        recognize_folder(faces, recognizer=recognizer, progress=False)
    recwarn.clear()
    path = tmp_path / "another.csv"
    table = recognize_folder(faces, recognizer=recognizer, table=path, detect=False, progress=False)
    assert table["status"].tolist() == ["ok"] * 4
    for name in "abc":
        save(NONE, faces / f"{name}.png")
    recognize_folder(faces, recognizer=recognizer, progress=False)  # only these are looked at
    assert not recwarn


def test_faces_looked_for_and_faces_cut_out_are_not_mixed(folder, recognizer):
    recognize_folder(folder, recognizer=recognizer, progress=False)
    with pytest.raises(ValueError, match=r"different detector .*'none: each picture is a face'"):
        recognize_folder(folder, recognizer=recognizer, detect=False, progress=False)
    with pytest.raises(TypeError, match="detect must be True or False, got 0"):
        recognize_folder(folder, recognizer=recognizer, detect=0)


def test_a_folder_is_recognised_with_networks_of_another_size(folder, detector):
    classifier = Classifier()
    classifier.input_size = (64, 64)
    recognizer = EmotionRecognizer(classifier, detector)
    table = recognize_folder(folder, recognizer=recognizer, progress=False)
    assert table["status"].tolist().count("ok") == 3


def test_progress_counts_what_was_done_before(folder, recognizer, capsys):
    recognize_folder(folder, recognizer=recognizer)
    assert "4/4" in capsys.readouterr().err
    recognize_folder(folder, recognizer=recognizer, progress=False)
    assert capsys.readouterr().err == ""
