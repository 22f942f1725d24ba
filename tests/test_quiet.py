"""What libraries write to descriptor 2 is seen by nobody, unless they fail; the rest by everybody.

Each test starts a process, or a kernel, and reads what came out of its descriptor 2.
"""

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient


def stderr_of(code: str, *options: str, **environment: str) -> str:
    # Without its own wish for silence, TensorFlow says most.
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [sys.executable, *options, "-c", code],
        env=env | environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


FROM_BELOW = """
import os
from fer_utils.quiet import quiet

with quiet():
    os.write(2, b"from below\\n")
os.write(2, b"after\\n")
"""


@pytest.mark.parametrize("option", ["-B", "-u"])
def test_what_is_written_to_the_descriptor_is_kept_back(option):
    assert stderr_of(FROM_BELOW, option) == "after\n"


def test_it_is_shown_to_who_asks_tensorflow_for_all_notices():
    assert stderr_of(FROM_BELOW, TF_CPP_MIN_LOG_LEVEL="0") == "from below\nafter\n"


def test_it_is_shown_where_the_block_fails():
    code = """
import os
from fer_utils.quiet import quiet

with quiet():
    os.write(2, b"before\\n")
    try:
        with quiet():
            os.write(2, b"why\\n")
            raise ImportError
    except ImportError:
        pass
"""
    assert stderr_of(code) == "why\n"


def test_it_is_not_shown_where_ctrl_c_ends_the_block():
    code = """
import os
from fer_utils.quiet import quiet

try:
    with quiet():
        os.write(2, b"a notice\\n")
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
"""
    assert stderr_of(code) == ""


IN_THREADS = """
import logging, os, sys, threading, time
from fer_utils.quiet import quiet

log = logging.getLogger()
log.addHandler(logging.StreamHandler())  # which keeps today's stream
inside, seen = threading.Event(), threading.Event()

def other():
    inside.wait()
    print("printed", file=sys.stderr)
    log.error("logged")
    with quiet():
        os.write(2, b"from below\\n")
    os.write(2, b"from below, while the first block is open\\n")
    seen.set()

thread = threading.Thread(target=other)
thread.start()
with quiet():
    inside.set()
    seen.wait()
thread.join()
os.write(2, b"after\\n")
print(sys.stderr.name, "after", file=sys.stderr)
"""


@pytest.mark.parametrize("option", ["-B", "-u"])
def test_other_threads_are_heard_and_the_last_block_gives_the_descriptor_back(option):
    assert stderr_of(IN_THREADS, option) == "printed\nlogged\nafter\n<stderr> after\n"


@pytest.mark.skipif(sys.platform == "win32", reason="closes descriptors as a shell does")
@pytest.mark.parametrize("close", ["exec 2>&-;", ""], ids=["from the start", "later"])
def test_a_closed_descriptor_stays_closed_and_a_file_in_its_place_is_not_touched(tmp_path, close):
    code = f"""
import os
from fer_utils.quiet import quiet

if not {close!r}:
    os.close(2)
    with quiet():
        pass
with open({str(tmp_path / "own.txt")!r}, "w") as own:
    assert own.fileno() == 2
    if {close!r}:
        with quiet():
            os.write(2, b"own text")
"""
    command = ["bash", "-c", f'{close} exec "$0" -c "$1"', sys.executable, code]
    assert subprocess.run(command).returncode == 0
    assert (tmp_path / "own.txt").read_text() == ("own text" if close else "")


ALL_LIBRARIES = """
import fer_utils as fer
import numpy as np
from skimage.data import astronaut

recognizer = fer.EmotionRecognizer.load()
assert len(recognizer.recognize(astronaut())) == 1
recognizer.recognize_batch([astronaut()])
vote = fer.SoftVote([fer.build_vgg(width=0.05)])
_ = vote.predict_proba(np.zeros((2, 48, 48), np.uint8))
"""


@pytest.mark.slow
def test_a_process_that_uses_all_libraries_says_nothing():
    assert stderr_of(ALL_LIBRARIES) == ""


@pytest.mark.slow
def test_a_notebook_that_uses_all_libraries_shows_nothing_red(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    cells = [nbformat.v4.new_code_cell(part) for part in ALL_LIBRARIES.split("\n\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=None).execute()
    assert [output for cell in notebook.cells for output in cell.outputs] == []
