import argparse
import subprocess
import sys
import warnings

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


def test_an_output_that_was_closed_before_is_no_mistake(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with mistakes_as_lines(argparse.ArgumentParser(prog="fer")):
        print("nobody reads it")


def test_a_warning_is_a_line_and_others_are_shown_as_ever(capfd):
    parser = argparse.ArgumentParser(prog="fer")
    with mistakes_as_lines(parser):
        warnings.warn("the int8 copy is not used.", stacklevel=1)
    assert capfd.readouterr().err == "fer: warning: the int8 copy is not used.\n"
    with pytest.warns(RuntimeWarning, match="an overflow"), mistakes_as_lines(parser):
        warnings.warn("an overflow", RuntimeWarning, stacklevel=1)
    assert capfd.readouterr().err == ""
    usual = warnings.showwarning
    with mistakes_as_lines(parser):
        pass
    assert warnings.showwarning is usual


STOPPED_WHILE_IT_LOADS = """
import runpy
import signal
import sys

class Stop:
    def find_spec(name, *_):
        if name == sys.argv[2]:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Stop)
runpy.run_module(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("module", "loading", "line"),
    [
        ("fer_utils", "pandas", "Stopped."),
        ("fer_utils", "fer_utils.recognition.recognizer", "Stopped."),
        ("fer_utils.bulk", "pandas", "Stopped."),
        ("fer_utils.evaluation", "keras", "Stopped."),
        ("fer_utils.training", "keras", "Stopped before the training began."),
    ],
)
@pytest.mark.slow
def test_ctrl_c_while_a_program_loads_ends_with_a_line(module, loading, line):
    command = [sys.executable, "-c", STOPPED_WHILE_IT_LOADS, module, loading]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", f"{line}\n")


def test_a_notebook_shows_only_what_is_kept(capsys):
    shell = InteractiveShell()
    cell = "from fer_utils.graceful_exit import Stopped\nraise Stopped('all is kept.')"
    ended = shell.run_cell(cell)
    assert isinstance(ended.error_in_exec, KeyboardInterrupt)  # so the cells below do not run
    assert capsys.readouterr().out == "Stopped: all is kept.\n"
