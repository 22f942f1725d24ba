import hashlib
import signal
from datetime import datetime
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fer_utils.data.dataset import Split
from fer_utils.lab import notebook_report
from fer_utils.lab.notebook_report import provenance, write_report
from tests.helpers.chromium import chromium

WORK = """
from tqdm.auto import tqdm
import matplotlib.pyplot as plt
for _ in tqdm(range(2)):
    pass
plt.plot([1, 2])
plt.show()
print("the answer is", 6 * 7)
"""


@pytest.fixture
def notebook(tmp_path) -> Path:
    badge = "# A title\n\n[![Badge](https://example.org/badge.svg)](https://example.org)"
    badge += '\n\n<img src="https://example.org/other.svg">'
    cells = [new_markdown_cell(badge), new_code_cell(WORK.strip())]
    path = tmp_path / "work.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.mark.slow
def test_the_page_shows_everything_and_fetches_nothing(notebook, tmp_path):
    before = notebook.read_bytes()
    page = write_report(notebook, tmp_path / "work.html", run=True, progress=False)
    assert notebook.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["work.html", "work.ipynb"]
    asked, refused = [], {}
    with chromium() as browser:
        tab = browser.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("requestfailed", lambda request: refused.update({request.url: request.failure}))
        tab.goto(page.as_uri())
        title, text = tab.title(), tab.inner_text("body")
        figures = tab.evaluate(
            "[...document.images].map((image) => [image.src.slice(0, 5), image.naturalWidth > 0])"
        )
    assert refused == {"https://example.org/other.svg": "csp"}  # by the page's own policy
    assert {url.split(":")[0] for url in asked if url not in refused} <= {"file", "data"}
    assert title == "A title"
    assert "the answer is 42" in text
    assert "A title" in text
    assert "Badge" in text
    assert figures == [["https", False], ["data:", True]]


@pytest.mark.parametrize("option", ["-o", "--output"])
def test_a_saved_run_needs_no_other(notebook, tmp_path, option):
    saved = nbformat.read(notebook, 4)
    outputs = [
        nbformat.v4.new_output("stream", text="measured before"),
        nbformat.v4.new_output("display_data", {"application/javascript": "alert(1)"}),
    ]
    saved.cells[1] |= {"outputs": outputs, "execution_count": 1}
    nbformat.write(saved, notebook)
    notebook_report.main([str(notebook), option, str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert "measured before" in page
    assert "<script" not in page
    assert page.index("Content-Security-Policy") < page.index("<style")


def test_a_saved_run_that_failed_is_no_report(notebook, tmp_path):
    saved = nbformat.read(notebook, 4)
    error = {"ename": "KeyError", "evalue": "'label'", "traceback": []}
    saved.cells[1] |= {
        "outputs": [nbformat.v4.new_output("error", **error)],
        "execution_count": 1,
    }
    nbformat.write(saved, notebook)
    with pytest.raises(ValueError, match=r"cell 2 ended in KeyError: 'label'\. Mend it"):
        write_report(notebook, tmp_path / "page.html")
    saved.cells[1].metadata.tags = ["raises-exception"]
    nbformat.write(saved, notebook)
    write_report(notebook, tmp_path / "page.html")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["work.ipynb"],
            "cell 2 has not been run. Run the whole notebook and save it",
        ),
        (["nowhere.ipynb"], "there is no file 'nowhere.ipynb'"),
        (["text.ipynb"], "'text.ipynb' is no notebook"),
        (["work.ipynb", "--output", "page.pdf"], "output must end in .html"),
        (["work.ipynb", "--output", "nowhere/page.html"], "there is no folder 'nowhere'"),
    ],
)
def test_the_command_says_what_is_wrong(notebook, arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(notebook.parent)
    Path("text.ipynb").write_text("no notebook")
    with pytest.raises(SystemExit, match="2"):
        notebook_report.main(arguments)
    assert message in capsys.readouterr().err
    assert not list(notebook.parent.glob("*.html"))


@pytest.mark.slow
def test_a_failing_cell_is_named_and_leaves_no_page(tmp_path):
    path = tmp_path / "bad.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    with pytest.raises(ValueError, match=r"a cell failed(.|\n)*ZeroDivisionError"):
        write_report(path, tmp_path / "bad.html", run=True, progress=False)
    assert not (tmp_path / "bad.html").exists()


@pytest.mark.slow
def test_a_kernel_that_dies_is_no_traceback(tmp_path):
    path = tmp_path / "hungry.ipynb"
    cells = [new_code_cell("1 + 1"), new_code_cell("import os; os.kill(os.getpid(), 9)")]
    nbformat.write(new_notebook(cells=cells), path)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="its kernel died, most often for want of memory"):
        write_report(path, tmp_path / "hungry.html", run=True, progress=False)
    assert signal.getsignal(signal.SIGINT) is handler  # Ctrl-C works on
    assert signal.set_wakeup_fd(-1) == -1
    assert not (tmp_path / "hungry.html").exists()


def test_a_kernel_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "foreign.ipynb"
    spec = {"kernelspec": {"name": "no-such", "display_name": "none", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell("1")], metadata=spec), path)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="kernel 'no-such' it asks for is not installed"):
        write_report(path, tmp_path / "foreign.html", run=True, progress=False)
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_provenance_names_data_weights_versions_and_date(tmp_path):
    weights = tmp_path / "mine.weights.h5"
    weights.write_bytes(b"numbers")
    other = tmp_path / "other" / weights.name
    other.parent.mkdir()
    other.write_bytes(b"others")
    split = Split(np.zeros((2, 48, 48), np.uint8), np.array([0, 1]))
    facts = provenance({"train": split}, [weights, other], now=datetime(2026, 1, 2, 3, 4))["value"]
    assert facts["date"] == "2026-01-02 03:04"
    assert facts["data: train"] == split.fingerprint()
    for file, content in ((weights, b"numbers"), (other, b"others")):
        assert facts[f"file: {file}"] == f"sha256 {hashlib.sha256(content).hexdigest()[:16]}"
    assert facts["Python"].count(".") == 2
    assert facts["keras"] == keras.__version__


def test_the_provenance_says_which_package_is_not_installed(monkeypatch):
    monkeypatch.setattr("fer_utils.lab.notebook_report._PACKAGES", ("keras", "no-such-package"))
    facts = provenance({}, [])["value"]
    assert facts["no-such-package"] == "not installed"
