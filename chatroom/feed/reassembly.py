"""From datagrams to messages in order: what is delivered, and what is asked for.

Sans I/O: datagrams and the time go in; outcomes and questions come out. Times are seconds of any
clock that never goes back.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import NamedTuple

from chatroom.feed.ends import Ends
from chatroom.feed.seal import Keyring
from chatroom.feed.sessions import Beginning, Introduction, Left, OpenSessions, SealedSessions
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Delivered, Lost, Stream
from chatroom.protocol import moldudp64 as mold


class SessionBegan(NamedTuple):
    """A session is followed from now on; `sequence` is the first number that will be delivered."""

    session: str
    sequence: int


class SessionEnded(NamedTuple):
    """The server says that the session is over, and everything of it was delivered or lost."""

    session: str
    sequence: int  #: the number that will never come


Outcome = Delivered | Lost | SessionBegan | SessionEnded


class Request(NamedTuple):
    """A packet to send to a server that is asked."""

    packet: bytes
    tries: int  #: how often this was asked since the last answer, this time included


class Reassembly:
    """A listener without its sockets.

    Args:
        start: the first number wanted, of the first session that is heard; None for what comes
            from now on.
        random: where jitter comes from; a seeded one makes everything repeatable.
        keyring: opens a sealed feed. Then only sealed messages are believed: a packet without any
            says where to ask, and no more; a session begins by `introduce` alone, and ends by a
            message of it.
    """

    def __init__(
        self,
        start: int | None = None,
        random: Random | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self.statistics = ListenerStatistics()
        self._sessions: OpenSessions | SealedSessions = (
            OpenSessions() if keyring is None else SealedSessions(keyring, self.statistics)
        )
        self._sealed = keyring is not None
        self._start = start
        self._random = random or Random()
        self._stream: Stream | None = None
        self._ends = Ends(self._sessions.sources)
        self._tentative = False  # only heartbeats said where this session stands
        self._outcomes: list[Outcome] = []

    @property
    def puzzled(self) -> bool:
        """Something was heard that a log-in would explain: another session, or an end."""
        return self._sessions.puzzled

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
        sessions, ends = self._sessions, self._ends
        packet = sessions.read(datagram, now)
        if packet is None or not self._belongs(packet, now, source, line):
            self.statistics.ignored += 1
            return False
        stream = self._stream
        assert stream is not None
        if packet.end_of_session or ends.said:
            ends.hear(packet, (line, source), stream.expected, now)
        if self._tentative:
            stream = self._settle(stream, packet)
        duplicates = self.statistics.duplicates
        stream.take_group(packet.sequence, packet.messages, now, line)
        new = self.statistics.duplicates - duplicates < len(packet.messages)
        sessions.hear(source, now, line, new=new)
        if ends.at is not None:
            self._collect()
        if source != sessions.sources[line].address:
            ends.overhear(packet, (line, source), now)
            return False
        return True

    def _belongs(self, packet: mold.Packet, now: float, source: object, line: int) -> bool:
        """Whether the packet is to be taken: of the session followed, by its source."""
        sessions = self._sessions
        if packet.session == sessions.session:
            if sessions.believes(source, now, line):
                return True
            self._ends.overhear(packet, (line, source), now)
            return False
        if (left := sessions.return_by(packet, source, line)) is not None:
            self._return(left)
            return True
        begun = sessions.begun_by(packet, now, is_over=self._ends.is_told)
        if begun is not None:
            self._follow(begun, now)
        return begun is not None

    def introduce(self, introduction: Introduction, now: float, server: int = 0) -> None:
        """Which session there is, from a server itself, the one of that number: what came before it
        has ended. For a sealed feed only.
        """
        sessions = self._sessions
        assert isinstance(sessions, SealedSessions)
        begun = sessions.introduce(introduction, server, now)
        if begun is not None:
            self._follow(begun, now)
        elif introduction.session.encode("ascii") == sessions.session and self._stream is not None:
            self._stream.expect(introduction.seq + 1, now)

    def receive_answer(self, datagram: bytes, now: float) -> None:
        """Take a datagram that came to this listener's own socket. Never raises."""
        self.statistics.datagrams += 1
        packet = self._sessions.read(datagram, now)
        if packet is None or self._stream is None or packet.session != self._sessions.session:
            self.statistics.ignored += 1
            return
        self._stream.take_answer(packet.sequence, packet.messages, now)

    def poll(self, now: float) -> list[Request]:
        """The requests that are due, for the caller to send."""
        if self._stream is None:
            return []
        if self._ends.deadline <= now:
            self._ends.weigh(now)
        return [
            Request(mold.request(self._sessions.session, first, wanted), tries)
            for first, wanted, tries in self._stream.poll(now)
        ]

    @property
    def deadline(self) -> float:
        """When to call `poll` next if nothing comes before; infinity if nothing is missing."""
        return inf if self._stream is None else min(self._stream.deadline, self._ends.deadline)

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

    def _collect(self) -> None:
        stream, ends = self._stream, self._ends
        if stream is None:
            return
        self._outcomes += stream.outcomes
        stream.outcomes.clear()
        end = ends.at
        if end is not None and end != ends.told and stream.expected == stream.end == end:
            self._outcomes.append(SessionEnded(self._sessions.session.decode("ascii"), end))
            ends.told = end

    def _settle(self, stream: Stream, packet: mold.Packet) -> Stream:
        """Nothing was delivered yet, so the lowest number heard is where to begin."""
        if packet.sequence < stream.expected:
            stream = self._stream = self._new_stream(packet.sequence)
        self._tentative = not packet.messages
        return stream

    def _return(self, left: Left) -> None:
        """A session goes on whose end was forged."""
        self.finish()
        self._sessions.session, self._stream = left.session, left.stream
        self._ends.clear()
        self._outcomes.append(SessionBegan(left.session.decode("ascii"), left.stream.expected))

    def _follow(self, begun: Beginning, now: float) -> None:
        self.finish()
        if self._stream is not None and self._ends.told is not None:
            self._sessions.leave(self._ends.told, self._stream)
        self._tentative = self._stream is None and self._start is None and not self._sealed
        first = self._first_wanted(begun)
        self._sessions.session = begun.session
        self._ends.clear()
        self._stream = self._new_stream(first)
        self._stream.expect(begun.sequence, now)
        self._outcomes.append(SessionBegan(begun.session.decode("ascii"), first))

    def _new_stream(self, first: int) -> Stream:
        return Stream(first, self.statistics, self._random, sealed=self._sealed)

    def _first_wanted(self, begun: Beginning) -> int:
        """Where to begin in a session."""
        if self._stream is None:
            return begun.sequence if self._start is None else self._start
        if begun.first is not None:
            return begun.first
        # A server that keeps its history in memory begins again at 1, and of a session that this
        # listener was there for nothing may be missing. One that keeps it on disk goes on above
        # the old numbers, and leaves out those that it may have given out before it died.
        return 1 if begun.sequence < self._stream.expected else begun.sequence
