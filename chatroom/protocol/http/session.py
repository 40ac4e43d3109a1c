"""One HTTP connection: requests answered one after the other, and perhaps a WebSocket."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.event import CloseReason
from chatroom.protocol.http.head import BadRequest, HeadBuffer
from chatroom.protocol.http.request import Parsed, parse_request
from chatroom.protocol.http.response import render
from chatroom.protocol.requests import Draft, Ending, Reply, Speaks
from chatroom.protocol.session import Session, Visit, Wait
from chatroom.protocol.silent import Silent
from chatroom.settings import KEEP_ALIVE_SECONDS, REQUEST_SECONDS
from chatroom.web.contract import SOCKET_PATH, WebResponse

#: How it is spoken to: in responses only.
HTTP = Silent("http")

_NOT_FOUND = WebResponse(404, b"There is nothing here.\n")
_NEEDS_TLS = WebResponse(403, b"This room is entered over TLS only: https://\n")
_NOT_ALLOWED = WebResponse(405, b"Only GET and HEAD.\n", headers={"Allow": "GET, HEAD"})
_NO_BODY = WebResponse(413, b"A request has no body here.\n")
_TOO_LATE = WebResponse(408, b"The request has not come to its end in time.\n")


class HttpSession:
    """See `chatroom.protocol.session.Session`. It is told nothing of the room; each call of
    `drafts` gives one response, so that a pipeline goes as fast as its client reads.
    """

    __slots__ = ("_ended", "_heads", "_next", "_visit", "successor", "wait")

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._heads = HeadBuffer()
        self._next: list[Draft] = [Speaks(HTTP)]
        self._ended = False
        self.successor: Session | None = None
        self.wait: Wait | None = Wait(REQUEST_SECONDS)

    @property
    def pending(self) -> bool:
        return bool(self._next) or self.successor is not None

    def feed(self, chunk: bytes) -> None:
        if self._ended:
            return
        idle = not self._heads and not self._next
        self._heads.feed(chunk)
        self._go_on()
        if idle and self._heads and not self._next:
            self.wait = Wait(REQUEST_SECONDS)

    def expire(self) -> None:
        if self._heads:
            self._refuse(_TOO_LATE)
        else:
            self._end(CloseReason.QUIT)

    def drafts(self) -> Sequence[Draft]:
        drafts, self._next = self._next, []
        self._go_on()
        return drafts

    def _go_on(self) -> None:
        """Answer the next request, unless there is something to be taken before it."""
        if self._next or self._ended:
            return
        head = None
        try:
            head = self._heads.take()
            if head is not None:
                self._answer(parse_request(head, self._visit))
        except BadRequest as error:
            refusal = WebResponse(error.status, f"{error.text}\n".encode())
            asked = self._heads.rest() if head is None else head
            self._refuse(refusal, head_only=asked.startswith(b"HEAD "))

    def _answer(self, request: Parsed) -> None:
        response = _NEEDS_TLS if self._visit.needs_tls else self._respond(request)
        if response.status == 101:
            self._next.append(Reply(render(response)))
            self._hand_over(response.headers.get("Sec-WebSocket-Protocol", ""))
            return
        head_only, last = request.web.method == "HEAD", not request.keeps_alive
        self._next.append(Reply(render(response, head_only=head_only, last=last)))
        if last:
            self._end(CloseReason.QUIT)
        else:
            self.wait = Wait(REQUEST_SECONDS if self._heads else KEEP_ALIVE_SECONDS)

    def _respond(self, request: Parsed) -> WebResponse:
        web, site = request.web, self._visit.site
        if web.method not in ("GET", "HEAD"):
            misdirected = None if site is None else site.refuse_name(web)
            return misdirected or _NOT_ALLOWED
        if request.has_body:
            return _NO_BODY
        if site is None:
            return _NOT_FOUND
        if web.path != SOCKET_PATH or web.method == "HEAD" or not request.wants_socket:
            return site.respond(web)
        refused = site.refuse_socket(web)
        if refused is not None:
            return refused
        from chatroom.protocol.websocket.handshake import shake_hands  # noqa: PLC0415 - heavy

        return shake_hands(request.head, web.headers)

    def _refuse(self, refusal: WebResponse, *, head_only: bool = False) -> None:
        self._next.append(Reply(render(refusal, head_only=head_only, last=True)))
        self._end(CloseReason.PROTOCOL_ERROR, f"HTTP {refusal.status}")

    def _end(self, reason: CloseReason, text: str = "") -> None:
        self._ended = True
        self._heads.rest()
        self._next.append(Ending(reason, text))

    def _hand_over(self, protocol: str) -> None:
        # Imported here: heavy.
        from chatroom.protocol.irc.websocket import IrcSocketSession  # noqa: PLC0415
        from chatroom.protocol.websocket.session import WebSocketSession  # noqa: PLC0415

        self._ended = True
        self.wait = None
        successor: Session
        if protocol.endswith(".ircv3.net"):
            successor = IrcSocketSession(self._visit, protocol)
        else:
            speaks, successor = WebSocketSession.open(self._visit)
            self._next.append(speaks)
        successor.feed(self._heads.rest())
        self.successor = successor
