"""The page's files, as they are sent: read once, compressed once, when the first one asks."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from chatroom.web.contract import WebRequest, WebResponse

CONTENT_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

#: What is served at `/`.
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class _Coded:
    """A file in one coding: bytes, and the tag that is theirs alone."""

    body: bytes
    etag: str  #: strong: other bytes have another one (RFC 9110, section 8.8.3)
    coding: str = ""

    @classmethod
    def of(cls, body: bytes, coding: str = "") -> _Coded:
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', coding)


class WebFile:
    """One file of the page."""

    def __init__(self, name: str, body: bytes) -> None:
        suffix = name[name.rfind(".") :] if "." in name else ""
        self._content_type = CONTENT_TYPES.get(suffix, "application/octet-stream")
        self._plain = _Coded.of(body)

    @cached_property
    def _zipped(self) -> _Coded | None:
        """None: it would not be shorter. No server's start waits for this, which takes 3 ms."""
        body = self._plain.body
        zipped = gzip.compress(body, 9, mtime=0)  # the same bytes, the same tag, after a restart
        return _Coded.of(zipped, "gzip") if len(zipped) < len(body) else None

    def respond(self, request: WebRequest) -> WebResponse:
        """The file in the coding that the client takes, or 304 if it has that."""
        chosen = self._plain
        # It is looked at again each time, and costs a 304: a new version is never half there.
        headers = {"Cache-Control": "no-cache"}
        if self._zipped is not None:
            headers["Vary"] = "Accept-Encoding"
            if takes_gzip(request.headers.get("accept-encoding", "")):
                chosen = self._zipped
        headers["ETag"] = chosen.etag
        if has_tag(request.headers.get("if-none-match", ""), chosen.etag):
            return WebResponse(304, headers=headers)
        if chosen.coding:
            headers["Content-Encoding"] = chosen.coding
        return WebResponse(200, chosen.body, self._content_type, headers)


def takes_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` lets gzip be used (RFC 9110, section 12.5.3)."""
    qualities: dict[str, float] = {}
    for member in accepted.lower().split(","):
        coding, _, parameters = member.partition(";")
        qualities[coding.strip()] = _quality(parameters)
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def _quality(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def has_tag(asked: str, etag: str) -> bool:
    """Whether `If-None-Match` names the tag; compared weakly, as it is (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
    return etag in tags or tags == ["*"]


def load_page(folder: Traversable | None = None) -> dict[str, WebFile]:
    """The files of `folder`, by the path they are served at; by default those that come with the
    package. Reads them: once, at the start, and those of the package once in a process, as they do
    not change. Empty where there is no page.
    """
    return _read(folder) if folder is not None else _own_page()


@cache
def _own_page() -> dict[str, WebFile]:
    return _read(files("chatroom.web") / "page")


def _read(folder: Traversable) -> dict[str, WebFile]:
    page = {f"/{name}": WebFile(name, body) for name, body in _walk(folder, "")}
    index = page.pop(f"/{INDEX}", None)
    if index is not None:
        page["/"] = index
    return page


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.is_file() and not entry.name.endswith(".py"):
            yield prefix + entry.name, entry.read_bytes()
