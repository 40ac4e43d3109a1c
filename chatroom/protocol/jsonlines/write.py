"""Lines of JSON from what a client asks for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_encode = msgspec.json.Encoder().encode


def hello_line(hello: Mapping[str, object]) -> bytes:
    """The first line of a client: from here on JSON Lines are spoken."""
    return b"/json " + _encode(hello) + b"\n"


def request_line(kind: str, fields: Mapping[str, str | int], identity: str) -> bytes:
    """The line of one request. Raises `UnicodeEncodeError` for text that is not `utf8_safe`."""
    return _encode({"kind": kind, **fields, "id": identity}) + b"\n"


def utf8_safe(text: str) -> str:
    """`text` as it arrives: a lone surrogate (from undecodable input) has no UTF-8, and becomes a
    question mark.
    """
    return text.encode("utf-8", "replace").decode()
