"""Which session is followed: of an open feed the one that speaks, of a sealed one what its servers
say. Sans I/O; times are seconds of any clock that never goes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from chatroom.feed.seal import Keyring
from chatroom.feed.source import Source
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Stream
from chatroom.protocol import moldudp64 as mold


class Introduction(NamedTuple):
    """What a server itself says of its session."""

    session: str
    first: int  #: its first number
    seq: int  #: the last one so far


@dataclass(slots=True)
class Beginning:
    """A session that is to be followed."""

    session: bytes
    sequence: int  #: all below was sent before; of an open feed the lowest number heard
    first: int | None = None  #: its first number, where a server has said it


@dataclass(slots=True)
class Left:
    """The session that was followed before, and was said to have ended."""

    session: bytes
    sources: dict[int, object]  #: by line
    end: int  #: the number that would never come
    stream: Stream


class Sessions(ABC):
    """The session that is followed, and where it comes from."""

    def __init__(self) -> None:
        self.session = b""  #: the one that is followed; empty: none yet
        self.sources: defaultdict[int, Source] = defaultdict(Source)  #: by line
        #: Something was heard that a log-in would explain: another session, or an end.
        self.puzzled = False

    @abstractmethod
    def read(self, datagram: bytes, now: float) -> mold.Packet | None:
        """The packet, with its messages as the room has them; None if it is none to be read."""

    @abstractmethod
    def believes(self, source: object, now: float, line: int) -> bool:
        """Whether what comes from there in the session's name is to be taken."""

    @abstractmethod
    def hear(self, source: object, now: float, line: int, *, new: bool) -> None:
        """A packet of the session was taken from there; `new`: with a message not heard before."""

    @abstractmethod
    def begun_by(self, packet: mold.Packet, now: float, *, is_over: bool) -> Beginning | None:
        """Whether a packet of another session has that one followed. `is_over`: the present one
        has ended.
        """

    def leave(self, end: int, stream: Stream) -> None:  # noqa: B027 - an end may be for good
        """Another one will be followed than the present, which was said to have ended."""

    def return_by(self, packet: mold.Packet, source: object, line: int) -> Left | None:
        """The session that was left, if this packet has it followed again."""
        return None


class OpenSessions(Sessions):
    """Anybody can send anything: who speaks in a session is believed until it falls silent, and
    then who speaks next, in whatever session.
    """

    def __init__(self) -> None:
        super().__init__()
        self._newcomer: Beginning | None = None  # another one, heard while the present one speaks
        self._left: Left | None = None

    def read(self, datagram: bytes, now: float) -> mold.Packet | None:
        try:
            return mold.decode_packet(datagram)
        except mold.MalformedPacket:
            return None

    def believes(self, source: object, now: float, line: int) -> bool:
        return not self.sources[line].is_another(source, now)

    def hear(self, source: object, now: float, line: int, *, new: bool) -> None:
        self._newcomer = None
        self.sources[line].hear(source, now)

    def begun_by(self, packet: mold.Packet, now: float, *, is_over: bool) -> Beginning | None:
        if packet.end_of_session or packet.sequence == 0 or not _is_session(packet.session):
            return None
        newcomer = self._newcomer
        if newcomer is None or newcomer.session != packet.session:
            self._newcomer = newcomer = Beginning(packet.session, packet.sequence)
        newcomer.sequence = min(newcomer.sequence, packet.sequence)
        if not is_over and any(source.is_heard(now) for source in self.sources.values()):
            return None
        return newcomer

    def leave(self, end: int, stream: Stream) -> None:
        sources = {line: source.address for line, source in self.sources.items()}
        self._left = Left(self.session, sources, end, stream)

    def return_by(self, packet: mold.Packet, source: object, line: int) -> Left | None:
        """Its source sends what is beyond the end: then the end was forged, and so, it may be, was
        what came after it.
        """
        left = self._left
        if left is None or packet.session != left.session:
            return None
        if line not in left.sources or source != left.sources[line]:
            return None
        if packet.end_of_session or packet.sequence + len(packet.messages) <= left.end:
            return None
        self._left = None
        return left


#: While another session puzzles a listener it asks each server again within some ten seconds: who
#: has not named the present one for so long, and does not speak in it, is gone.
_UNNAMED_SECONDS = 30.0


class SealedSessions(Sessions):
    """Only sealed messages are believed, and only servers, over TCP, say which session there is:
    what was once sealed in another one may be sent again by anybody.

    A packet without messages says where to ask, and no more.
    """

    def __init__(self, keyring: Keyring, statistics: ListenerStatistics) -> None:
        super().__init__()
        self._keyring = keyring
        self._statistics = statistics
        self._words: dict[int, bytes] = {}  # which session each server has named last
        self._first = 0  # the first number of the one that is followed
        self._named_at = 0.0  # when a server has named that one last

    def introduce(self, introduction: Introduction, server: int, now: float) -> Beginning | None:
        """A server names its session: whether that one is to be followed instead of the present.

        It is, if the server has named the present one before. Of several servers one may be behind:
        where they differ, that one is followed which begins above the other; or, when the present
        one has been neither named nor heard for long, the one that still is.
        """
        self.puzzled = False
        session = introduction.session.encode("ascii")
        before, self._words[server] = self._words.get(server), session
        is_later = before == self.session or introduction.first > self._first
        if session != self.session and not is_later and not self._is_forsaken(now):
            return None
        self._named_at = now
        if session == self.session:
            return None
        self._first = introduction.first
        return Beginning(session, introduction.seq + 1, introduction.first)

    def _is_forsaken(self, now: float) -> bool:
        """Whoever was in the present session is gone."""
        is_heard = any(source.is_heard(now) for source in self.sources.values())
        return not is_heard and now - self._named_at >= _UNNAMED_SECONDS

    def read(self, datagram: bytes, now: float) -> mold.Packet | None:
        try:
            packet = mold.decode_packet(datagram)
        except mold.MalformedPacket:
            return None
        self.puzzled |= packet.end_of_session or packet.session != self.session
        opened = self._keyring.unseal(packet, now)
        self._statistics.unopened = self._keyring.unopened
        return opened

    def believes(self, source: object, now: float, line: int) -> bool:
        return True

    def hear(self, source: object, now: float, line: int, *, new: bool) -> None:
        self.sources[line].hear_sealed(source, now, new=new)

    def begun_by(self, packet: mold.Packet, now: float, *, is_over: bool) -> Beginning | None:
        return None


def _is_session(session: bytes) -> bool:
    """Letters and digits; the standard pads with spaces on the right."""
    name = session.rstrip(b" ")
    return bool(name) and name.isascii() and name.isalnum()
