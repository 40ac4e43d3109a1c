"""Which format a connection speaks: its first bytes decide, and nothing after them."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.event import CloseReason
from chatroom.protocol.lines import EMPTY_AS_ONE
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.plain.session import PlainSession
from chatroom.protocol.requests import NOTHING, Draft, Ending, Hello, Speaks
from chatroom.protocol.session import Session, Visit, Wait, WayIn
from chatroom.settings import ENTER_SECONDS, FIRST_LINE_SECONDS, MAX_LINE_BYTES, RESERVE_SECONDS


class Opening:
    """The session of a connection that has not said its first line; see
    `chatroom.protocol.session.Session`.

    It keeps the first bytes until one of the ways in claims them; what none claims is plain text.
    Who says nothing at all is soon let in as a plain guest, and hears the room; its first line
    still decides, but only for a format that can be gone over to. Anything else that comes late
    (a browser's request, say) is turned away without a word in the room.
    """

    __slots__ = (
        "_drafts",
        "_entered",
        "_head",
        "_passed_over",
        "_reserved",
        "_visit",
        "_ways",
        "successor",
        "wait",
    )

    def __init__(self, visit: Visit, ways: Sequence[WayIn]) -> None:
        self._visit = visit
        self._ways = ways
        self._head = b""
        self._passed_over = 0  # bytes of empty lines that have not been counted
        self._entered = False
        self._reserved = False  # it may be a connection that a browser has opened in reserve
        self._drafts: list[Draft] = []
        self.wait: Wait | None = Wait(ENTER_SECONDS)
        self.successor: Session | None = None

    @property
    def pending(self) -> bool:
        due = self._drafts or self._passed_over >= EMPTY_AS_ONE
        return bool(due) or self.successor is not None

    def feed(self, chunk: bytes) -> None:
        # Empty lines before the first one are passed over, as they are everywhere.
        said = self._head + chunk
        head = said.lstrip(b"\r\n")
        self._passed_over += len(said) - len(head)
        if not head:
            return
        if not self._head and not self._entered:
            self.wait = Wait(FIRST_LINE_SECONDS)
        self._head = head
        way, undecided = claimant(head, self._ways)
        if way is not None:
            self._decide(way)
        elif not undecided or len(head) > MAX_LINE_BYTES:
            self._go_on(PlainSession(self._visit, entered=self._entered))

    def expire(self) -> None:
        if not self._reserved and self._may_be_reserve():
            self._reserved = True
            self.wait = Wait(RESERVE_SECONDS)
            return
        self.wait = None
        self._entered = True
        self._drafts += (Speaks(PLAIN), Hello(strict=False))

    def drafts(self) -> Sequence[Draft]:
        times, self._passed_over = divmod(self._passed_over, EMPTY_AS_ONE)
        drafts, self._drafts = [NOTHING] * times + self._drafts, []
        return drafts

    def _may_be_reserve(self) -> bool:
        site = self._visit.site
        return not self._head and site is not None and site.is_loading(self._visit.peer)

    def _decide(self, way: WayIn) -> None:
        if self._entered and not way.late:
            text = "this connection is in the room with plain text; open another one"
            self._drafts.append(Ending(CloseReason.PROTOCOL_ERROR, text))
            self._head = b""
        else:
            self._go_on(way.open(self._visit, entered=self._entered))

    def _go_on(self, session: Session) -> None:
        head, self._head = self._head, b""
        self.wait = None
        session.feed(head)
        self.successor = session


def claimant(head: bytes, ways: Sequence[WayIn]) -> tuple[WayIn | None, bool]:
    """Whose a connection is that begins with `head`; if nobody's, whether that cannot be said yet.
    `head` has a byte at least.
    """
    undecided = False
    for way in ways:
        claimed = way.claims(head)
        if claimed:
            return way, False
        undecided = undecided or claimed is None
    return None, undecided
