"""A notebook that has run as one HTML page that needs no network, and what was measured in it.

``python -m fer_utils.lab.notebook_report notebooks/evaluation.ipynb`` writes the page.
"""

import argparse
import contextlib
import platform
import re
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from ..data.dataset import Split
from ..extras import notebooks_extra
from ..files import checked_target, sha256_of, write_whole
from ..graceful_exit import mistakes_as_lines, parsed

with notebooks_extra():
    import nbformat
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbconvert import HTMLExporter
    from nbformat import NotebookNode

_PACKAGES = ("fer-utils", "keras", "tensorflow", "openvino", "numpy", "scikit-learn")
_REMOTE_IMAGE = re.compile(r"!\[([^\]]*)\]\(https?://[^)]*\)")
_WIDGET = "application/vnd.jupyter.widget-view+json"
# nbconvert's page without the scripts at its head, which fetch MathJax, RequireJS and Mermaid for
# what our notebooks do not hold, and with a policy instead: whatever else the page may hold, the
# browser fetches and runs nothing. `sanitize_html` would take videos and styles out as well.
_TEMPLATE = """
{%- extends "index.html.j2" -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
media-src data:; font-src data:; style-src 'unsafe-inline'">
{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block data_javascript -%}{%- endblock -%}
"""


def provenance(
    splits: Mapping[str, Split], files: Sequence[str | Path], *, now: datetime | None = None
) -> pd.DataFrame:
    """Tell what a measurement stands on, so that it can be repeated and compared.

    Parameters
    ----------
    splits : mapping of str to Split
        The data, such as `data.splits()`.
    files : sequence of str or Path
        Whatever else went in, such as the networks' weights.
    now : datetime, optional
        The date to give; by default the present.

    Returns
    -------
    pandas.DataFrame
        Column value; by what it is of: the date, the first 64 bits of each split's and file's
        SHA-256, the processor, the versions of Python and the packages.
    """
    facts = {"date": (now or datetime.now().astimezone()).isoformat(" ", "minutes")}
    facts |= {f"data: {name}": split.fingerprint() for name, split in splits.items()}
    for file in files:
        facts[f"file: {file}"] = f"sha256 {sha256_of(Path(file).expanduser())[:16]}"
    facts |= {"machine": platform.machine(), "Python": platform.python_version()}
    facts |= {package: _version(package) for package in _PACKAGES}
    return pd.DataFrame({"value": facts})


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def write_report(
    notebook: str | Path, output: str | Path, *, run: bool = False, progress: bool = True
) -> Path:
    """Write a notebook with its outputs as one HTML page.

    Nothing in the page is fetched from anywhere: figures are part of it, widgets such as progress
    bars are left out, and a content security policy keeps the browser from the web and from
    scripts.

    Parameters
    ----------
    notebook : str or Path
        An .ipynb file; it is not changed.
    output : str or Path
        The .html file.
    run : bool
        Run it first, in its own folder and with this process's environment. Without, it must
        have been run and saved.
    progress : bool
        Whether to show how many cells have run.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileNotFoundError
        If there is no such notebook, or no folder for the page.
    ValueError
        If `notebook` is none, has a cell that did not run, fails or has failed in a cell that is
        not tagged "raises-exception"; if `output` is no .html.
    TypeError
        If one of them is no path.
    """
    target = checked_target("output", output, ".html")
    source = Path(notebook).expanduser()
    page = _read(source)
    if run:
        _run(page, source.parent, progress)
    _check_success(page)
    named = {"metadata": {"name": _title(page) or source.stem}}
    exporter = HTMLExporter(raw_template=_TEMPLATE, embed_images=True)
    html, _ = exporter.from_notebook_node(_without_web(page), named)
    write_whole(target, lambda path: path.write_text(html, encoding="utf-8"))
    return target


def _read(path: Path) -> NotebookNode:
    if not path.is_file():
        raise FileNotFoundError(f"notebook: there is no file {str(path)!r}; check the path.")
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises anything from AttributeError to its own
        raise ValueError(f"notebook: {str(path)!r} is no notebook ({error}).") from error


def _run(page: NotebookNode, folder: Path, progress: bool) -> None:
    bar = tqdm(total=len(page.cells), unit="cell", desc="Running", disable=not progress)
    with bar, _signals_as_before():
        client = NotebookClient(
            page,
            timeout=None,
            resources={"metadata": {"path": str(folder)}},
            on_cell_complete=lambda cell, cell_index: bar.update(cell_index + 1 - bar.n),
        )
        try:
            client.execute()
        except CellExecutionError as error:
            raise ValueError(f"notebook: a cell failed.\n{error}") from error
        except DeadKernelError as error:
            raise ValueError(
                "notebook: its kernel died, most often for want of memory. Close other programs, "
                "or run it on less data."
            ) from error
        except NoSuchKernel as error:
            raise ValueError(
                f"notebook: the kernel {error.name!r} it asks for is not installed. Open it in "
                "JupyterLab, choose Python 3 and save it."
            ) from error


@contextlib.contextmanager
def _signals_as_before() -> Iterator[None]:
    """Take nbclient's handlers off: it leaves them where a kernel died, and Ctrl-C does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where nbclient sets none
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.set_wakeup_fd(wakeup := signal.set_wakeup_fd(-1))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:  # one that was not set from Python
                signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)


def _check_success(page: NotebookNode) -> None:
    for number, cell in enumerate(page.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise ValueError(
                f"notebook: cell {number} has not been run. Run the whole notebook and save it, or "
                "let it be run: --run."
            )
        meant = "raises-exception" in cell.metadata.get("tags", [])
        for output in [] if meant else cell.get("outputs", []):
            if output.output_type == "error":
                raise ValueError(
                    f"notebook: cell {number} ended in {output.ename}: {output.evalue}. Mend it, "
                    "run the notebook and save it, or let it be run: --run."
                )


def _title(page: NotebookNode) -> str:
    texts = (cell.source for cell in page.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.+)", "\n".join(texts), re.MULTILINE)
    return heading[1].strip() if heading else ""


def _without_web(page: NotebookNode) -> NotebookNode:
    page.metadata.pop("widgets", None)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = _REMOTE_IMAGE.sub(r"\1", cell.source)
        elif cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if _WIDGET not in out.get("data", {})]
    return page


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils.lab.notebook_report",
        description="Write a notebook that has run as one HTML page that needs no network.",
    )
    parser.add_argument("notebook", help="such as notebooks/evaluation.ipynb")
    parser.add_argument("-o", "--output", help="HTML file; by default named as the notebook, here")
    parser.add_argument("--run", action="store_true", help="run the notebook first")
    return parser


def main(arguments: list[str] | None = None, prog: str | None = None) -> None:
    """Write the page as the command line says; see ``--help``."""
    parser = _parser()
    parser.prog = prog or parser.prog
    args = parsed(parser, arguments)
    with mistakes_as_lines(parser):
        output = args.output or f"{Path(args.notebook).stem}.html"
        print(write_report(args.notebook, output, run=args.run))


if __name__ == "__main__":
    main()
