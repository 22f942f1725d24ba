import argparse
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from fer_utils.graceful_exit import mistakes_as_lines


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "Stopped. Go on with it."),
        (ValueError("epochs must be above 0."), 2, "fer: error: epochs must be above 0."),
        # The output's reader is there: it is another pipe that broke.
        (BrokenPipeError("no such pipe"), 2, "fer: error: no such pipe"),
    ],
)
def test_a_command_ends_with_a_line(raised, code, line, capfd):
    parser = argparse.ArgumentParser(prog="fer")
    with pytest.raises(SystemExit) as ended, mistakes_as_lines(parser, "Stopped. Go on with it."):
        raise raised
    assert (ended.value.code, capfd.readouterr().err) == (code, f"{line}\n")


STOPPED_WHILE_IT_LOADS = """
import runpy
import sys

class Stop:
    def find_spec(name, *_):
        if name == "keras":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stop)
runpy.run_module("fer_utils.training", run_name="__main__")
"""


@pytest.mark.slow
def test_ctrl_c_while_a_training_loads_ends_with_a_line():
    command = [sys.executable, "-c", STOPPED_WHILE_IT_LOADS]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "Stopped before the training began.\n")


def test_a_notebook_shows_only_what_is_kept(capsys):
    shell = InteractiveShell()
    cell = "from fer_utils.graceful_exit import Stopped\nraise Stopped('all is kept.')"
    ended = shell.run_cell(cell)
    assert isinstance(ended.error_in_exec, KeyboardInterrupt)  # so the cells below do not run
    assert capsys.readouterr().out == "Stopped: all is kept.\n"
