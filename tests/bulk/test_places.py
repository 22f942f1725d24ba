import os

import pytest

from fer_utils.bulk.places import checked_where, inside, parent_of, place_of, read_bytes


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://bucket/photos/", "s3://bucket/photos"),
        ("file:///tmp/photos", "/tmp/photos"),
        ("~/photos", os.path.expanduser("~/photos")),
        ("photos/", os.path.abspath("photos")),
    ],
)
def test_paths_become_absolute_and_addresses_stay(given, expected):
    assert checked_where("source", given) == expected


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("/a", "b/c.jpg", "/a/b/c.jpg"),
        ("/a", "/d/c.jpg", "/d/c.jpg"),
        ("gs://a/b", "c.jpg", "gs://a/b/c.jpg"),
        ("/a", "s3://b/c.jpg", "s3://b/c.jpg"),
    ],
)
def test_what_a_list_names_is_seen_from_its_folder(folder, name, expected):
    assert inside(folder, name) == expected


def test_a_list_lies_in_a_folder():
    assert parent_of("s3://bucket/lists/a.txt") == "s3://bucket/lists"
    assert parent_of("/lists/a.txt") == "/lists"


def test_a_file_is_read_whole(tmp_path):
    (tmp_path / "a b.bin").write_bytes(b"\0\1\2")
    assert read_bytes(str(tmp_path / "a b.bin")) == b"\0\1\2"


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("", ValueError, "source must be a path or an address, got an empty text"),
        (3, TypeError, "source must be a path or an address, got int"),
        ("ftp://host/folder", ValueError, r"'ftp://host/folder' cannot be opened.*check the"),
    ],
)
def test_places_that_are_none(where, error, message):
    with pytest.raises(error, match=message):
        place_of(checked_where("source", where))
