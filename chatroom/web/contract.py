"""What the HTTP session asks of the server: answers to requests, as values. Sans I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

#: Where a GET may go over to a WebSocket.
SOCKET_PATH = "/ws"

#: What a 426 says: one may go over to this (RFC 9110, section 15.5.22).
UPGRADE_HEADERS: Mapping[str, str] = {"Upgrade": "websocket", "Connection": "Upgrade"}


@dataclass(frozen=True, slots=True)
class WebRequest:
    """A request line and its headers; a body is never read."""

    method: str  #: GET or HEAD
    path: str  #: without the query, not decoded
    headers: Mapping[str, str]  #: names in lower case; several of a name are joined by ", "
    local: bool  #: it comes from this machine
    peer: str = ""  #: whose it is: `127.0.0.1:50312`


@dataclass(frozen=True, slots=True)
class WebResponse:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)  #: beside those that all have


class Site(Protocol):
    """What is behind HTTP. All may be called from any thread, and never block or raise."""

    def respond(self, request: WebRequest) -> WebResponse:
        """The answer to a GET or a HEAD; of a HEAD the body is not sent."""

    def refuse_name(self, request: WebRequest) -> WebResponse | None:
        """The answer to a request of any method whose `Host` is not this server; None: it is."""

    def refuse_socket(self, request: WebRequest) -> WebResponse | None:
        """Why `request` may not become a WebSocket; None if it may."""

    def is_loading(self, peer: str) -> bool:
        """Whether a browser on the machine of `peer` is just loading the page."""
