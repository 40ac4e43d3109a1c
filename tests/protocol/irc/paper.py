"""IRC on paper: a client's lines in, what it asks of the room and what it is answered out."""

from __future__ import annotations

from chatroom.protocol import answers
from chatroom.protocol.format import Speaker
from chatroom.protocol.opening import Opening
from chatroom.protocol.requests import (
    Answered,
    Draft,
    Ending,
    Enter,
    Hello,
    Introduce,
    Outside,
    Part,
    Request,
    Speaks,
    is_query,
)
from chatroom.protocol.session import Session, Venue, Visit
from chatroom.protocol.ways import WAYS
from tests.protocol.test_sessions import RULES

SESSION = "ABCDEFGHIJ"


class PaperClient:
    """A connection to a room that grants everything, and in which nobody is."""

    def __init__(self) -> None:
        self.venue = Venue(
            session_of=lambda _: SESSION, replay=2, knows=lambda session: session == SESSION
        )
        self.session: Session = Opening(Visit(RULES, venue=self.venue), WAYS)
        self.drafts: list[Draft] = []
        self.records = b""
        self._speaker: Speaker | None = None
        self._nick = ""

    @property
    def has_ended(self) -> bool:
        return any(type(draft) is Ending for draft in self.drafts)

    @property
    def asked(self) -> list[Draft]:
        """Without the format, which is not a value where it has a speaker."""
        return [draft for draft in self.drafts if type(draft) is not Speaks]

    def feed(self, *chunks: bytes) -> PaperClient:
        for chunk in chunks:
            self.session.feed(chunk)
            while self.session.pending and not self.has_ended:
                group = list(self.session.drafts())
                assert not any(is_query(draft) for draft in group[:-1])
                for draft in group:
                    self.drafts.append(draft)
                    self._deal_with(draft)
                if not group and self.session.successor is not None:
                    self.session = self.session.successor
        return self

    def _deal_with(self, draft: Draft) -> None:
        match draft:
            case Speaks():
                self._speaker = draft.speaker
            case Hello(outside=Outside(card=card, id=number)):
                self._nick = draft.nick or "guest1"
                self.venue.people.put(self._nick, card)
                self._tell(answers.Registered(self._nick, 1, id=number))
            case Introduce():
                self.venue.people.put(self._nick, draft.card)
            case Enter():
                welcome = answers.Welcome(
                    protocol=1,
                    room="lobby",
                    session=SESSION,
                    nick=self._nick,
                    token="",
                    seq=1,
                    members=[],
                    member_count=1,
                    limits=answers.Limits(1024),
                    multicast=None,
                    id=draft.id,
                )
                self._tell(welcome)
            case Part():
                self._tell(answers.Parted(draft.text, draft.id))
            case Answered():
                self._tell(draft.answer)
            case Request():
                self._answer(draft)

    def _answer(self, request: Request) -> None:
        match request.kind:
            case "people":
                self._tell(answers.Found([], 0, 1, False, request.id))
            case "history":
                self._tell(answers.History([], False, request.id))
            case "rename":
                self._nick = request.to
                self._tell(answers.Renamed(request.to, request.id))

    def _tell(self, answer: answers.AnyAnswer) -> None:
        assert self._speaker is not None
        self.records += self._speaker.answer(answer)
