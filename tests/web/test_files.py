"""The page's files: which coding, which tag, when not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from chatroom.web.contract import WebRequest
from chatroom.web.files import WebFile, has_tag, load_page, takes_gzip

TEXT = b"the same words again and again, " * 50


def _asks(**headers: str) -> WebRequest:
    return WebRequest(
        "GET", "/", {name.replace("_", "-"): text for name, text in headers.items()}, local=True
    )


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("room.js", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("app.webmanifest", "application/manifest+json"),
        ("a.b.js", "text/javascript; charset=utf-8"),
        ("noise", "application/octet-stream"),
        ("x.unknown", "application/octet-stream"),
    ],
)
def test_the_content_type_is_that_of_the_suffix(name: str, content_type: str) -> None:
    assert WebFile(name, b"x").respond(_asks()).content_type == content_type


def test_a_file_is_sent_compressed_to_who_takes_that() -> None:
    file = WebFile("a.js", TEXT)
    plain, zipped = file.respond(_asks()), file.respond(_asks(accept_encoding="br, gzip"))
    assert plain.body == TEXT
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(zipped.body) == TEXT
    assert len(zipped.body) < len(TEXT) / 4
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Cache-Control"] == "no-cache"
    assert plain.headers["ETag"] != zipped.headers["ETag"]


def test_what_does_not_get_shorter_is_sent_as_it_is() -> None:
    sent = WebFile("a.png", b"x").respond(_asks(accept_encoding="gzip"))
    assert sent.body == b"x"
    assert "Content-Encoding" not in sent.headers
    assert "Vary" not in sent.headers


def test_the_tag_is_the_contents() -> None:
    tags = [WebFile("a.js", text).respond(_asks()).headers["ETag"] for text in (b"x", b"x", b"y")]
    assert tags[0] == tags[1] != tags[2]
    assert tags[0].startswith('"')


def test_who_has_it_gets_304_for_its_own_coding_only() -> None:
    file = WebFile("a.js", TEXT)
    for coding in ("identity", "gzip"):
        whole = file.respond(_asks(accept_encoding=coding))
        tag = whole.headers["ETag"]
        again = file.respond(_asks(accept_encoding=coding, if_none_match=tag))
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in again.headers
        other = "gzip" if coding == "identity" else "identity"
        assert file.respond(_asks(accept_encoding=other, if_none_match=tag)).status == 200


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True), ("GZIP", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("*", True),
        ("gzip;q=0.001", True), ("gzip ; q=0.5", True), ("x-gzip", True), ("gzip;q=0", False),
        ("gzip;q=0.000, *", False), ("gzip;q=x", False), ("*;q=0", False), ("br", False),
        ("identity", False), ("", False), (",,", False), ("gzipped", False), ("gzip;q=nan", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        ('"a"', True), ('W/"a"', True), ('"x", "a"', True), ("*", True), ('"x"', False),
        ("a", False), ("", False), ('"a', False), ('"x",W/"a" ', True),
    ],
)  # fmt: skip
def test_who_has_the_tag(asked: str, has: bool) -> None:
    assert has_tag(asked, '"a"') is has


def test_a_page_is_all_files_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "__pycache__").mkdir()
    for name in ("index.html", "room.js", "parts/list.js", "__init__.py", "__pycache__/x.pyc"):
        (tmp_path / name).write_text(name)
    page = load_page(tmp_path)
    assert {path: file.respond(_asks()).body for path, file in page.items()} == {
        "/": b"index.html",
        "/room.js": b"room.js",
        "/parts/list.js": b"parts/list.js",
    }
    assert load_page(tmp_path / "nowhere") == {}
