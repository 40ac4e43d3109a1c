"""Whether the session that is followed is over. Sans I/O; times are seconds of any clock that never
goes back."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TypeVar

from chatroom.feed.source import SESSION_SILENCE_SECONDS, Source
from chatroom.protocol import moldudp64 as mold

Speaker = tuple[int, object]
"""On which line, and from where there."""

_What = TypeVar("_What")

#: So many are remembered of those who say the end, or speak on: the rest is somebody's forgery.
_SPEAKERS = 16


class Ends:
    """Who has said that the session is over, and who speaks on.

    A server says the end when it stops, and of several that have the same feed one may stop alone:
    so an end counts when everybody else who speaks in this session has said it too, or is silent.

    Args:
        sources: whom the listener follows on each line.
    """

    def __init__(self, sources: Mapping[int, Source]) -> None:
        self._sources = sources
        self._others: dict[Speaker, float] = {}  # when they were heard, beside the sources
        self.said: dict[Speaker, int] = {}  #: by whom, and the number that will never come
        self.at: int | None = None  #: the same, when nobody speaks on
        self.told: int | None = None  #: the same, when that was reported
        self.deadline = inf  #: when to `weigh`, whatever comes until then

    @property
    def is_told(self) -> bool:
        """Whether the end was reported, and nothing has come from beyond it since."""
        return self.at is not None and self.at == self.told

    def hear(self, packet: mold.Packet, speaker: Speaker, expected: int, now: float) -> None:
        """A packet that is believed; the listener has all below `expected`. What was overtaken by
        the end, or came twice, says nothing: only numbers beyond the end show that it was none.
        """
        following = packet.sequence + len(packet.messages)
        if packet.end_of_session and following >= expected:
            _note(self.said, speaker, following)
        elif following > self.said.get(speaker, following):
            del self.said[speaker]
            self.weigh(now)
            return
        self._weigh_if_due(packet, now)

    def overhear(self, packet: mold.Packet, speaker: Speaker, now: float) -> None:
        """A packet in the session's name from somebody beside the source that is followed."""
        if packet.end_of_session:
            self._others.pop(speaker, None)
        else:
            _note(self._others, speaker, now)
        if self.said:
            self._weigh_if_due(packet, now)

    def _weigh_if_due(self, packet: mold.Packet, now: float) -> None:
        """Who speaks on only moves the deadline: it is looked at when that comes, not before."""
        if packet.end_of_session or self.at is not None or now >= self.deadline:
            self.weigh(now)

    def weigh(self, now: float) -> None:
        """Decide whether the end counts."""
        heard = [
            heard_at
            for speaker, heard_at in self._speakers()
            if speaker not in self.said and now - heard_at < SESSION_SILENCE_SECONDS
        ]
        holds = bool(self.said) and not heard
        self.at = max(self.said.values()) if holds else None
        self.deadline = max(heard) + SESSION_SILENCE_SECONDS if self.said and heard else inf

    def _speakers(self) -> list[tuple[Speaker, float]]:
        sources = self._sources.items()
        followed: list[tuple[Speaker, float]] = [
            ((line, source.address), source.heard_at) for line, source in sources
        ]
        return [*followed, *self._others.items()]

    def clear(self) -> None:
        """Another session is followed."""
        self.said.clear()
        self._others.clear()
        self.at = self.told = None
        self.deadline = inf


def _note(speakers: dict[Speaker, _What], speaker: Speaker, what: _What) -> None:
    speakers.pop(speaker, None)
    speakers[speaker] = what
    if len(speakers) > _SPEAKERS:
        del speakers[next(iter(speakers))]
