"""A response as bytes."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from chatroom.web.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from chatroom.web.contract import WebResponse

#: Have no body, and no word on its length (RFC 9110, sections 15.2 and 15.4.5).
_BODILESS = frozenset({101, 304})


def render(response: WebResponse, *, head_only: bool = False, last: bool = False) -> bytes:
    """The response. `head_only`: to a HEAD, which is told how long the body is and does not get it.
    `last`: the connection is closed after it.
    """
    own = {"Cache-Control": "no-store", **response.headers}
    headers = [("Date", formatdate(usegmt=True)), *own.items(), *SECURITY_HEADERS]
    body = response.body
    if response.status in _BODILESS:
        body = b""
    else:
        headers += (("Content-Type", response.content_type), ("Content-Length", str(len(body))))
    if last:
        headers.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += (f"{name}: {value}" for name, value in headers)
    head = "\r\n".join((*lines, "\r\n")).encode("latin-1")
    return head if head_only else head + body
