"""A response as bytes."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from chatroom.web.contract import WebResponse
from chatroom.web.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from chatroom.room.refused import Refused

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


#: How it is said that a client is not let in: RFC 6585 for too much, RFC 9110 for the others.
_STATUS = {"too_many_connections": 429, "room_full": 503}


def refuse(refused: Refused) -> bytes:
    """The whole response to somebody who is turned away whatever was asked."""
    body = f"{refused.text} ({refused.code})\n".encode()
    return render(WebResponse(_STATUS.get(refused.code, 403), body), last=True)
