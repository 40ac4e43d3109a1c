"""From datagrams to messages in order: which session is followed, and its stream.

Sans I/O: datagrams and the time go in; outcomes and questions come out. Times are seconds of any
clock that never goes back.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from math import inf
from random import Random
from typing import NamedTuple

from chatroom.feed.seal import Keyring
from chatroom.feed.source import SESSION_SILENCE_SECONDS, Source
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Delivered, Lost, Stream
from chatroom.protocol import moldudp64 as mold

_LEFT_KEPT = 16


class SessionBegan(NamedTuple):
    """A session is followed from now on; `sequence` is the first number that will be delivered."""

    session: str
    sequence: int


class Introduction(NamedTuple):
    """What the server itself says of its session."""

    session: str
    first: int  #: its first number
    seq: int  #: the last one so far


class SessionEnded(NamedTuple):
    """The server says that the session is over, and everything of it was delivered or lost."""

    session: str
    sequence: int  #: the number that will never come


Outcome = Delivered | Lost | SessionBegan | SessionEnded


class Request(NamedTuple):
    """A packet to send to a server that is asked."""

    packet: bytes
    tries: int  #: how often this was asked since the last answer, this time included


@dataclass(slots=True)
class _Newcomer:
    """Another session that was heard while one is followed."""

    session: bytes
    sequence: int  # the lowest number heard


@dataclass(slots=True)
class _Ended:
    """The session that was followed before, and was said to have ended."""

    session: bytes
    sources: dict[int, object]  # by line
    end: int  # the number that would never come
    stream: Stream


class Reassembly:
    """A listener without its sockets.

    Args:
        start: the first number wanted, of the first session that is heard; None for what comes
            from now on.
        random: where jitter comes from; a seeded one makes everything repeatable.
        keyring: opens a sealed feed. Then only sealed messages are believed: a packet without any
            says where to ask, and no more; a session begins, and ends, only by a message of it
            or by `introduce`.
    """

    def __init__(
        self,
        start: int | None = None,
        random: Random | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._keyring = keyring
        self._introduced: Introduction | None = None
        #: What was sealed in a session that is over may be sent again by anybody.
        self._left: deque[bytes] = deque(maxlen=_LEFT_KEPT)
        #: Something was heard that a log-in would explain: another session, or an end.
        self.puzzled = False
        self.statistics = ListenerStatistics()
        self._start = start
        self._random = random or Random()
        self._session = b""
        self._stream: Stream | None = None
        self._heard_at = -inf
        self._end_at: int | None = None  # the number that the end of the session named
        self._ended_at: int | None = None  # the one last reported, when all before it was settled
        self._tentative = False  # only heartbeats said where this session stands
        self._newcomer: _Newcomer | None = None
        self._sources: defaultdict[int, Source] = defaultdict(Source)
        self._ends: dict[int, int] = {}  # what each line has said of the end of the session
        self._ended: _Ended | None = None
        self._outcomes: list[Outcome] = []

    def receive(self, datagram: bytes, now: float, source: object = None, line: int = 0) -> bool:
        """Take a datagram of a group. Returns whether it was taken, and its source is the one to
        ask.

        `source` is where it came from, `line` on which group, where the feed comes on several: what
        comes first is delivered. On each line a session comes from one source, which is another
        only after the first has been silent for `SESSION_SILENCE_SECONDS`: what anybody else sends
        under its name is not believed. What is sealed is believed wherever it comes from. Never
        raises, whatever the bytes.
        """
        self.statistics.datagrams += 1
        packet = self._read(datagram, now)
        if packet is None or not self._belongs(packet, now, source, line):
            self.statistics.ignored += 1
            return False
        assert self._stream is not None
        self._newcomer = None
        self._note_end(packet, now, line)
        if not self._has_ended:
            self._heard_at = now
        if self._tentative:
            self._settle(packet)
        duplicates = self.statistics.duplicates
        self._stream.take_group(packet.sequence, packet.messages, now, line)
        if self._keyring is not None:
            new = self.statistics.duplicates - duplicates < len(packet.messages)
            self._sources[line].hear_sealed(source, now, new=new)
        if self._end_at is not None:
            self._collect()
        return source == self._sources[line].address

    def _belongs(self, packet: mold.Packet, now: float, source: object, line: int) -> bool:
        """Whether the packet is to be taken: of the session followed, by its source."""
        if packet.session != self._session:
            if not self._comes_back(packet, source, line) and not self._changes_session(
                packet, now
            ):
                return False
        elif self._keyring is None and self._sources[line].is_another(source, now):
            return False
        if self._keyring is None:
            self._sources[line].hear(source, now)
        return True

    def _comes_back(self, packet: mold.Packet, source: object, line: int) -> bool:
        """Whether a session goes on that was said to have ended: its source sends what is beyond
        that end. Then the end was forged, and so, it may be, was what came after it.
        """
        ended = self._ended
        if ended is None or packet.session != ended.session:
            return False
        if line not in ended.sources or source != ended.sources[line]:
            return False
        if packet.end_of_session or packet.sequence + len(packet.messages) <= ended.end:
            return False
        self.finish()
        self._ended = None
        self._session, self._stream = ended.session, ended.stream
        self._forget_end()
        expected = self._stream.expected
        self._outcomes.append(SessionBegan(self._session.decode("ascii"), expected))
        return True

    def _read(self, datagram: bytes, now: float) -> mold.Packet | None:
        try:
            packet = mold.decode_packet(datagram)
        except mold.MalformedPacket:
            return None
        if self._keyring is None:
            return packet
        self.puzzled |= packet.end_of_session or packet.session != self._session
        opened = self._keyring.unseal(packet, now)
        self.statistics.unopened = self._keyring.unopened
        return opened

    def introduce(self, introduction: Introduction, now: float) -> None:
        """Which session there is, from somebody who is believed: what came before it has ended."""
        self._introduced = introduction
        self.puzzled = False
        session = introduction.session.encode("ascii")
        if session != self._session:
            if session in self._left:
                return  # of several servers this one is behind
            self._follow(_Newcomer(session, introduction.seq + 1), now)
        elif self._stream is not None:
            self._stream.expect(introduction.seq + 1, now)

    def receive_answer(self, datagram: bytes, now: float) -> None:
        """Take a datagram that came to this listener's own socket. Never raises."""
        self.statistics.datagrams += 1
        packet = self._read(datagram, now)
        if packet is None or self._stream is None or packet.session != self._session:
            self.statistics.ignored += 1
            return
        self._stream.take_answer(packet.sequence, packet.messages, now)

    def poll(self, now: float) -> list[Request]:
        """The requests that are due, for the caller to send."""
        if self._stream is None:
            return []
        return [
            Request(mold.request(self._session, first, wanted), tries)
            for first, wanted, tries in self._stream.poll(now)
        ]

    @property
    def deadline(self) -> float:
        """When to call `poll` next if nothing comes before; infinity if nothing is missing."""
        return inf if self._stream is None else self._stream.deadline

    def take_outcomes(self) -> list[Outcome]:
        """What was decided since the last call, in order."""
        self._collect()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def finish(self) -> None:
        """Listening ends: what waits is delivered, and what is missing below it is lost."""
        if self._stream is not None:
            self._stream.finish()
            self._collect()

    def _note_end(self, packet: mold.Packet, now: float, line: int) -> None:
        """What the packet says about the end of its session. What was overtaken by the end, or came
        twice, says nothing: only numbers beyond the end show that it was none.

        Of several lines one may end alone, as its server does: the others have to say it too, or be
        silent.
        """
        assert self._stream is not None
        following = packet.sequence + len(packet.messages)
        if packet.end_of_session and following >= self._stream.expected:
            self._ends[line] = following
        elif following > self._ends.get(line, following):
            del self._ends[line]
        if not self._ends:
            self._end_at = None
            return
        goes_on = any(
            other not in self._ends and source.is_heard(now)
            for other, source in self._sources.items()
        )
        self._end_at = None if goes_on else max(self._ends.values())

    def _forget_end(self) -> None:
        self._ends.clear()
        self._end_at, self._ended_at = None, None

    @property
    def _has_ended(self) -> bool:
        """Whether the end was reported, and nothing has come from beyond it since."""
        return self._end_at is not None and self._end_at == self._ended_at

    def _collect(self) -> None:
        stream = self._stream
        if stream is None:
            return
        self._outcomes += stream.outcomes
        stream.outcomes.clear()
        end = self._end_at
        if end is not None and end != self._ended_at and stream.expected == stream.end == end:
            self._outcomes.append(SessionEnded(self._session.decode("ascii"), end))
            self._ended_at = end
            self._heard_at = -inf  # whoever speaks next is followed at once

    def _settle(self, packet: mold.Packet) -> None:
        """Nothing was delivered yet, so the lowest number heard is where to begin."""
        if self._stream is not None and packet.sequence < self._stream.expected:
            self._stream = self._new_stream(packet.sequence)
        self._tentative = not packet.messages

    def _changes_session(self, packet: mold.Packet, now: float) -> bool:
        """Whether the packet, of another session than the present one, begins a new one."""
        if packet.end_of_session or packet.sequence == 0 or not _is_session(packet.session):
            return False
        if self._keyring is not None:
            if not packet.messages or packet.session in self._left:
                return False
            self._follow(_Newcomer(packet.session, packet.sequence), now)
            return True
        newcomer = self._newcomer
        if newcomer is None or newcomer.session != packet.session:
            self._newcomer = newcomer = _Newcomer(packet.session, packet.sequence)
        newcomer.sequence = min(newcomer.sequence, packet.sequence)
        if now - self._heard_at < SESSION_SILENCE_SECONDS:
            return False
        self._follow(newcomer, now)
        return True

    def _follow(self, newcomer: _Newcomer, now: float) -> None:
        self.finish()
        # A sealed end is the server's word, and not taken back.
        if self._stream is not None and self._ended_at is not None and self._keyring is None:
            sources = {line: source.address for line, source in self._sources.items()}
            self._ended = _Ended(self._session, sources, self._ended_at, self._stream)
        unsure = self._stream is None and self._start is None
        self._tentative = unsure and self._keyring is None
        self._left.append(self._session)
        first = self._first_wanted(newcomer)
        self._session = newcomer.session
        self._forget_end()
        self._stream = self._new_stream(first)
        self._stream.expect(newcomer.sequence, now)
        self._outcomes.append(SessionBegan(self._session.decode("ascii"), first))

    def _new_stream(self, first: int) -> Stream:
        return Stream(first, self.statistics, self._random, sealed=self._keyring is not None)

    def _first_wanted(self, newcomer: _Newcomer) -> int:
        """Where to begin in a session."""
        heard = newcomer.sequence
        if self._stream is None:
            return heard if self._start is None else self._start
        introduced = self._introduced
        if introduced is not None and introduced.session.encode("ascii") == newcomer.session:
            return introduced.first
        # A server that keeps its history in memory begins again at 1, and of a session that this
        # listener was there for nothing may be missing. One that keeps it on disk goes on above
        # the old numbers, and leaves out those that it may have given out before it died.
        return 1 if heard < self._stream.expected else heard


def _is_session(session: bytes) -> bool:
    """Letters and digits; the standard pads with spaces on the right."""
    name = session.rstrip(b" ")
    return bool(name) and name.isascii() and name.isalnum()
