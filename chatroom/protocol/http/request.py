"""A request from its head, or why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h11

from chatroom.protocol.http.head import BadRequest
from chatroom.web.contract import WebRequest

if TYPE_CHECKING:
    from chatroom.protocol.session import Visit

#: A host, and perhaps a port, as `Host` and a target have them (RFC 9110, section 4.2.1).
_AUTHORITY = re.compile(r"(?:[-A-Za-z0-9._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?\Z")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length[ \t]*:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A request that can be answered."""

    web: WebRequest
    head: bytes
    http_version: bytes
    has_body: bool

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow. HTTP/1.0 would have to ask for it, and need not. No
        body is ever read, so nothing can follow one.
        """
        persistent = self.http_version > b"1.0" and "close" not in self._tokens("connection")
        return persistent and not self.has_body

    @property
    def wants_socket(self) -> bool:
        """Whether it asks to go over to a WebSocket. HTTP/1.0 has no such wish."""
        return self.http_version > b"1.0" and "websocket" in self._tokens("upgrade")

    def _tokens(self, name: str) -> set[str]:
        value = self.web.headers.get(name, "").lower()
        return {token.strip() for token in value.split(",")}


def parse_request(head: bytes, visit: Visit) -> Parsed:
    """The request of a whole head. Raises `BadRequest`."""
    # A reader of its own for each request: the library's states would only repeat the session's.
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=len(head))
    reader.receive_data(head)
    try:
        event = reader.next_event()
    except h11.RemoteProtocolError as error:
        raise BadRequest(error.error_status_hint, f"{error}.") from None
    assert isinstance(event, h11.Request)
    if event.http_version[:1] != b"1":
        raise BadRequest(505, "This is HTTP/1.1.")
    headers = _headers(event)
    has_body = _has_body(head, event.http_version, headers)
    target, host = _target(event.target.decode("ascii"))
    host = host or headers.get("host")
    if host is None and event.http_version != b"1.0":
        raise BadRequest(400, "There is no Host.")
    if host is not None:
        if not _AUTHORITY.match(host):
            raise BadRequest(400, "The host is none.")
        headers["host"] = host
    web = WebRequest(event.method.decode("ascii"), target, headers, visit.local, visit.peer)
    return Parsed(web, head, event.http_version, has_body)


def _headers(event: h11.Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _has_body(head: bytes, http_version: bytes, headers: dict[str, str]) -> bool:
    length = headers.get("content-length")
    if "transfer-encoding" in headers:
        if length is not None or http_version == b"1.0":
            raise BadRequest(400, "It is not certain how long the body is.")
        return True
    if length is None:
        return False
    # The library takes equal lengths for one.
    if len(_LENGTH.findall(head)) > 1 or not _is_only_length(head, length):
        raise BadRequest(400, "It is not certain how long the body is.")
    return bool(length.strip("0"))


def _is_only_length(head: bytes, length: str) -> bool:
    pattern = rb"^content-length:[ \t]*" + length.encode() + rb"[ \t]*\r$"
    return re.search(pattern, head, re.IGNORECASE | re.MULTILINE) is not None


def _target(target: str) -> tuple[str, str | None]:
    """The path without the query, and the host if the target names one (RFC 9112, section 3.2)."""
    if "#" in target:
        raise BadRequest(400, "A target has no fragment.")
    host = None
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        host, target = absolute[1], target[absolute.end() :] or "/"
        if not host:  # RFC 9110, section 4.2.1
            raise BadRequest(400, "The target's host is empty.")
        target = target if target.startswith("/") else "/" + target
    return target.partition("?")[0], host
