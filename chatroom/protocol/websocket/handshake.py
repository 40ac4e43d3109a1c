"""The opening handshake of a WebSocket (RFC 6455, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chatroom.protocol.irc.websocket import BINARY_PROTOCOL, TEXT_PROTOCOL
from chatroom.protocol.websocket.messages import log
from chatroom.web.contract import UPGRADE_HEADERS, WebResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The protocols that are spoken: the room's own, and IRC. Whoever offers others only is served the
#: first one all the same.
SUBPROTOCOL = Subprotocol("chatroom.v1")
_SPOKEN = (SUBPROTOCOL, *map(Subprotocol, (TEXT_PROTOCOL, BINARY_PROTOCOL)))
#: The version of the WebSocket protocol that RFC 6455 is.
_VERSION = "13"


def shake_hands(head: bytes, headers: Mapping[str, str]) -> WebResponse:
    """The answer to a GET that wants a WebSocket: 101, or why not. `head` is the request, up to its
    empty line, `headers` are its headers. Extensions are passed over: deflate would have to be done
    for each client, where one byte string serves everybody.
    """
    if headers.get("sec-websocket-version", _VERSION) != _VERSION:
        return _refusal(426, f"This is version {_VERSION} of the WebSocket protocol.\n")
    protocol = ServerProtocol(subprotocols=_SPOKEN, select_subprotocol=_select, logger=log)
    protocol.receive_data(head)
    requests = protocol.events_received()
    if not requests or not isinstance(requests[0], Request):
        return _refusal(400, "This cannot be read as the handshake of a WebSocket.\n")
    response = protocol.accept(requests[0])
    if response.status_code != 101:
        return _refusal(response.status_code, bytes(response.body or b"").decode())
    kept = {name: value for name, value in response.headers.raw_items() if name != "Date"}
    return WebResponse(101, headers=kept)


def _select(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((name for name in _SPOKEN if name in offered), None)


def _refusal(status: int, text: str) -> WebResponse:
    headers = {"Sec-WebSocket-Version": _VERSION}
    if status == 426:
        headers |= UPGRADE_HEADERS
    return WebResponse(status, text.encode(), headers=headers)
