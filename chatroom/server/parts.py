"""What a room's server is made of, put together: each part knows only those made before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chatroom.access.guard import Guard
from chatroom.server.counters import Counters
from chatroom.server.fanout.announcer import Announcer
from chatroom.server.fanout.fanout import Fanout
from chatroom.server.fanout.farewell import Farewell
from chatroom.server.fanout.presence import Presence
from chatroom.server.fanout.senders import NO_SENDERS, Senders
from chatroom.server.fanout.telling import Teller
from chatroom.server.serving.conversation import Entry, Intake
from chatroom.server.serving.pacing import Exempt, PacedIntake, Tolls
from chatroom.server.turn.admission import Admission
from chatroom.server.turn.answering import Answering
from chatroom.server.turn.broadcaster import Broadcaster
from chatroom.server.turn.comings import Comings
from chatroom.server.turn.dispatcher import Dispatcher
from chatroom.server.turn.endings import Endings
from chatroom.server.turn.gate import Gate
from chatroom.server.turn.hall import Hall
from chatroom.server.turn.inlet import Inlet
from chatroom.server.turn.keeping import Keeper
from chatroom.server.turn.marks import Marks
from chatroom.server.turn.operators import Operators
from chatroom.server.turn.ordering import LocalOrder, Order
from chatroom.server.turn.queries import Queries
from chatroom.server.turn.replay import Replay
from chatroom.server.turn.talk import LocalTalk, Talk
from chatroom.settings import UNLIMITED, Access, RateSettings, ServerSettings
from chatroom.transport.outbox import Congestion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatroom.access.file import AccessFile
    from chatroom.journal import Journal
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.fanout import Feed
    from chatroom.server.turn.offer import Offer


class Way(Protocol):
    """How what clients ask for comes to the room: what differs between one server and several."""

    def order(self, room: Room, teller: Teller, announcer: Announcer) -> Order:
        """Called first, and once, as the others."""

    def talk(self, hall: Hall) -> Talk:
        """What members say."""

    def entry(self, broadcaster: Broadcaster) -> Entry:
        """Where conversations hand over what was said."""

    def others(self) -> Sequence[str]:
        """The addresses of the room's other servers."""

    @property
    def server_of(self) -> Callable[[int], str] | None:
        """Tells the name of a member's server, where there are several."""


class Alone:
    """One server: whatever changes the room changes it in the same turn."""

    order, talk = LocalOrder, LocalTalk

    def entry(self, broadcaster: Broadcaster) -> Broadcaster:
        return broadcaster

    def others(self) -> Sequence[str]:
        return ()

    server_of = None


ALONE = Alone()
_NOBODY_ASKS = Guard(Access.OPEN)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that others work with."""

    order: Order
    teller: Teller
    announcer: Announcer
    endings: Endings
    dispatcher: Dispatcher
    broadcaster: Broadcaster
    intake: Intake
    gate: Gate
    keeper: Keeper
    congestion: Congestion
    counters: Counters
    connections: set[Connection]  #: those that are open
    presence: Presence
    comings: Comings


def assemble(  # noqa: PLR0913 - each is a part that comes from outside
    room: Room,
    journal: Journal,
    feed: Feed | None,
    offer: Offer,
    *,
    answer_limit_bytes: int,
    guard: Guard = _NOBODY_ASKS,
    file: AccessFile | None = None,
    rates: RateSettings = UNLIMITED,
    way: Way = ALONE,
    senders: Senders = NO_SENDERS,
    grace_seconds: float = ServerSettings.grace_seconds,
) -> Parts:
    """Put a room's parts together. `answer_limit_bytes`: no answer to one client is longer.
    `file`: where what outlives the room is kept. `way`: how commands come to the room. `senders`
    are run by the caller. `grace_seconds`: how long a drain may take.
    """
    inlet = Inlet()
    counters = Counters()
    fanout = Fanout(feed, counters, journal.give_out, senders, keeps_json=journal.durable)
    farewell = Farewell(fanout, way.others, grace_seconds)
    announcer = Announcer(fanout, journal, farewell)
    presence = Presence(room, fanout, announcer)
    keeper = Keeper(file, room.charter)
    teller = Teller(room, announcer, presence, farewell, keeper.note)
    order = way.order(room, teller, announcer)
    endings = Endings(order, announcer, farewell, inlet.wake)
    hall = Hall(room, order, journal, fanout, announcer, presence, endings, counters)
    answering = Answering(answer_limit_bytes)
    replay = Replay(hall, answering)
    queries = Queries(hall, replay, answering, way.server_of)
    gate = Gate(guard, endings)
    comings = Comings(presence.is_here)
    admission = Admission(hall, replay, offer, gate, comings)
    operators = Operators(hall, answering)
    dispatcher = Dispatcher(hall, way.talk(hall), admission, queries, operators, marks=Marks(hall))
    broadcaster = Broadcaster(inlet, dispatcher.turn)
    congestion = Congestion()
    entry = way.entry(broadcaster)
    intake = Intake(entry, queries, gate, congestion, farewell)
    if rates.talk_per_second or rates.ceiling_per_second:
        tolls = Tolls(rates, Exempt(room, rates.exempt), endings, counters)
        intake = PacedIntake(entry, queries, gate, congestion, farewell, tolls, counters)
    return Parts(
        order,
        teller,
        announcer,
        endings,
        dispatcher,
        broadcaster,
        intake,
        gate,
        keeper,
        congestion,
        counters,
        set(),
        presence,
        comings,
    )
