import base64
import re

import pytest

import fer_utils as fer


def test_a_link_holds_the_file_under_its_name(tmp_path):
    file = tmp_path / 'a "b" & c.csv'
    file.write_bytes(bytes(range(256)) * 8)
    html = fer.download(file)._repr_html_()
    assert 'download="a &quot;b&quot; &amp; c.csv"' in html
    data = re.search(r"href=\"data:text/csv;base64,([^\"]+)\"", html)[1]
    assert base64.b64decode(data) == file.read_bytes()
    assert "2.05kB" in html
    assert repr(fer.download(file)) == f"{file} (2.05kB)"


def test_of_a_large_file_only_the_path_is_shown(tmp_path):
    file = tmp_path / "film.mp4"
    with file.open("wb") as handle:
        handle.truncate(20_000_001)
    html = fer.download(file)._repr_html_()
    assert "href" not in html
    assert str(file) in html


def test_only_a_file_can_be_downloaded(tmp_path):
    with pytest.raises(ValueError, match="is a folder; zip it first"):
        fer.download(tmp_path)
    with pytest.raises(TypeError, match="path must name a file, got NoneType"):
        fer.download(None)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is none at '.*none\.csv'\.$"):
        fer.download(tmp_path / "none.csv")
