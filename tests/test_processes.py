"""The life of a process: recognisers across forks and other processes, and at the program's end."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import joblib
import pytest
from matplotlib.cbook import get_sample_data

from fer_utils import EmotionRecognizer

PORTRAIT = get_sample_data("grace_hopper.jpg", asfileobj=False)
# A process that hangs ends itself, so that the test fails.
BEGIN = """
import os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from PIL import Image
from fer_utils import EmotionRecognizer

signal.alarm(600)
recognizer = EmotionRecognizer.load()
portrait = sys.argv[1]
faces = recognizer.recognize(portrait)
assert len(faces) == 1
large = Image.open(portrait).resize((1024, 1200))  # looked at in tiles
assert len(recognizer.recognize(large)) == 1
"""


# What was made and freed before a fork must not be waited for in the child.
FREES_AND_FORKS = """
import gc
del recognizer
gc.collect()
child = os.fork()
if child == 0:
    signal.alarm(60)
    again = EmotionRecognizer.load()
    sys.exit(len(again.recognize(portrait) + again.recognize(large)))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(code: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", BEGIN + code, PORTRAIT]
    return subprocess.run(command, capture_output=True, text=True)


FORKS = """
def code_of_child(end):
    child = os.fork()
    if child == 0:
        signal.alarm(300)
        sys.exit(end())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def exits():
    return 3

def closes():
    global recognizer
    recognizer.detector.close()
    del recognizer
    return 4

def recognises():
    (found,) = recognizer.recognize(portrait)
    assert len(recognizer.recognize(large)) == 1
    return 5 if (found.box, found.top) == (faces[0].box, faces[0].top) else 6

for _ in range(2):
    assert code_of_child(exits) == 3
    assert code_of_child(closes) == 4
    assert code_of_child(recognises) == 5
    assert recognises() == 5

with ProcessPoolExecutor(
    2, mp_context=get_context("fork"), initializer=signal.alarm, initargs=(300,)
) as pool:
    told = [*pool.map(recognizer.recognize, [portrait] * 4)]
assert [(face.box, face.top) for (face,) in told] == [(faces[0].box, faces[0].top)] * 4

busy = threading.Thread(target=lambda: [recognises() for _ in range(20)])
busy.start()
for _ in range(3):
    assert code_of_child(recognises) == 5
busy.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.slow
def test_a_forked_child_does_not_hang():
    ended = run(FORKS)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.slow
def test_a_forked_child_does_not_wait_for_what_its_parent_has_freed():
    ended = run(FREES_AND_FORKS)
    assert ended.returncode == 2, ended.stderr


GOES_ON = """
begun = threading.Barrier(4)
def recognise_without_end():
    begun.wait()
    while True:
        assert len(recognizer.recognize(portrait)) == 1
        assert len(recognizer.recognize(large)) == 1
for _ in range(3):
    threading.Thread(target=recognise_without_end, daemon=True).start()
begun.wait()
time.sleep(0.3)
print("last line")
"""


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_a_daemon_thread_that_recognises_does_not_abort_the_program(attempt):
    ended = run(GOES_ON)
    assert (ended.returncode, ended.stdout) == (0, "last line\n"), ended.stderr
    assert "Traceback" not in ended.stderr


OUTLIVES = """
told = []
in_time = threading.Thread(target=lambda: told.append(recognizer.recognize(portrait)))
in_time.start()
in_time.join()
assert told == [faces]

def recognise_too_late():
    threading.main_thread().join()
    recognizer.recognize(portrait)
threading.Thread(target=recognise_too_late).start()
"""


@pytest.mark.slow
def test_a_thread_that_outlives_the_program_is_told_what_to_do():
    ended = run(OUTLIVES)
    assert ended.returncode == 0, ended.stderr
    assert "ValueError: the program is ending" in ended.stderr
    assert "wait for its threads before its last line, with thread.join()" in ended.stderr


@pytest.fixture(scope="module")
def recognizer():
    recognizer = EmotionRecognizer.load(min_confidence=0.2, min_detection_score=0.7)
    with recognizer.detector:
        yield recognizer


@pytest.fixture(scope="module")
def spawned():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def by_spawn(recognise: Callable, pictures: list[str], pool: ProcessPoolExecutor) -> list:
    return [*pool.map(recognise, pictures)]


def by_joblib(recognise: Callable, pictures: list[str], _: ProcessPoolExecutor) -> list:
    return joblib.Parallel(n_jobs=2)(joblib.delayed(recognise)(picture) for picture in pictures)


@pytest.mark.slow
@pytest.mark.parametrize("tell", [by_spawn, by_joblib])
def test_a_recognizer_travels_to_other_processes(recognizer, spawned, tell):
    pictures = [PORTRAIT] * 2
    told = tell(recognizer.recognize, pictures, spawned)
    expected = recognizer.recognize_batch(pictures)
    assert [[face.box for face in faces] for faces in told] == [
        [face.box for face in faces] for faces in expected
    ]
    for face in (face for faces in told for face in faces):
        assert face.emotions == pytest.approx(expected[0][0].emotions, abs=1e-3)


@pytest.mark.slow
def test_an_error_comes_whole_out_of_another_process(recognizer, spawned, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.jpg.*its bytes are of no known format"):
        by_spawn(recognizer.recognize, [str(tmp_path / "text.jpg")], spawned)
