"""The pages: the README stays short, links lead somewhere, the API page is whole."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fer_utils

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "saved_models/README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"""(?:\]\(|<img src=")(?!https?:|#)([^)#"]+)""")


def test_the_readme_is_read_in_a_minute():
    assert len(README.split()) < 900
    assert len(re.findall(r"\d+(?:[.,]\d+)*", README)) < 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_api_page_names_every_public_name_once():
    page = (ROOT / "docs/api.rst").read_text(encoding="utf-8")
    named = re.findall(r"^\.\. (?:auto|py:)\w+:: fer_utils\.(\w+)$", page, re.MULTILINE)
    assert sorted(named) == sorted(set(fer_utils.__all__) - {"__version__"})


@pytest.mark.slow
def test_the_api_page_is_made_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", ROOT / "docs", tmp_path]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "api.html").read_text(encoding="utf-8")
    assert "opinion_share" in page
    assert "Raises" in page
