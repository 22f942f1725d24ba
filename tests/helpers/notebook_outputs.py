"""What an executed notebook shows."""

from collections.abc import Iterable

from nbformat import NotebookNode


def red_lines(outputs: Iterable[NotebookNode]) -> str:
    """Return what was written to stderr, which notebooks show red, as libraries' log lines are."""
    streams = (output for output in outputs if output.output_type == "stream")
    return "".join(stream.text for stream in streams if stream.name == "stderr")
