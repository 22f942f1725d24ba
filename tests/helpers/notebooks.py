"""Runs a notebook of the project from top to bottom."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def run_notebook(name: str, outcome: str) -> NotebookNode:
    """Run it in its own folder, then these lines; return it with its outputs."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)
    notebook.cells.append(new_code_cell(outcome))
    folder = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=1800, resources=folder).execute()
    return notebook
