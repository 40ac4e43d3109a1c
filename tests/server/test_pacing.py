"""The paced intake: whatever the limits are and however lines come, all go through, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.protocol.answers import Slowed
from chatroom.protocol.requests import Answered, Draft, Request
from chatroom.room.commands import Join
from chatroom.room.role import Role
from chatroom.room.room import Room
from chatroom.server.connection import Connection
from chatroom.server.counters import Counters
from chatroom.server.serving.pacing import Exempt, PacedIntake, Tolls
from chatroom.settings import RateSettings
from chatroom.transport.outbox import Congestion
from tests.server.paper import PaperReader


class Order:
    """The one order, as far as the intake knows it, and whom it has ended."""

    def __init__(self) -> None:
        self.said: list[tuple[int, Draft]] = []
        self.at: list[float] = []
        self.pieces: list[int] = []
        self.ended: list[tuple[int, CloseReason]] = []

    async def submit(
        self, connection: Connection, drafts: Sequence[Draft], *, wait: bool = False
    ) -> None:
        self.said += [(connection.id, draft) for draft in drafts]
        self.at += [trio.current_time()] * len(drafts)
        self.pieces.append(len(drafts))
        await trio.lowlevel.checkpoint()

    async def answer(self, connection: Connection, query: Draft) -> None: ...

    def soon(self, connection: Connection, reason: CloseReason, text: str) -> None:
        self.ended.append((connection.id, reason))

    def texts(self, who: int) -> list[str]:
        return [d.text for w, d in self.said if w == who and type(d) is Request]

    def told(self, who: int) -> list[Slowed]:
        answers = [d.answer for w, d in self.said if w == who and type(d) is Answered]
        return [answer for answer in answers if isinstance(answer, Slowed)]


class Edge:
    """A paced intake in front of an order."""

    def __init__(self, exempt: tuple[str, ...] = (), **rates: Any) -> None:
        self.order, self.counters = Order(), Counters()
        self.room = Room("lobby", max_members=10, presence_limit=10)
        settings = RateSettings(**rates, exempt=exempt)
        endings = cast("Any", self.order)
        tolls = Tolls(settings, Exempt(self.room, exempt), endings, self.counters)
        order = cast("Any", self.order)
        self.intake = PacedIntake(order, order, order, Congestion(), order, tolls, self.counters)

    def connect(self, number: int, has_more: Callable[[], bool] = lambda: False) -> Connection:
        connection = Connection(number, "paper")
        connection.reader = PaperReader(has_more)
        return connection

    def enter(self, connection: Connection, nick: str, *, role: Role = Role.MEMBER) -> None:
        account = nick if role is Role.OPERATOR else ""
        outcome = self.room.apply(
            Join(connection.id, "", nick, f"token{connection.id}", None, account, role, "")
        )
        assert outcome.refused is None
        connection.inside = True


def _say(*numbers: int) -> list[Draft]:
    return [Request("message", str(number)) for number in numbers]


DRAFTS = st.sampled_from(
    [Request("message", "m"), Request("rename", "r"), Request("ping", "p"), Request("quit", "q")]
)
GROUPS = st.lists(st.lists(DRAFTS, min_size=1, max_size=30), max_size=8)


@given(
    groups=st.lists(GROUPS, min_size=1, max_size=4),
    talk=st.floats(0.5, 500),
    burst=st.integers(1, 40),
    room=st.one_of(st.just(0.0), st.floats(0.5, 500)),
    more=st.booleans(),
)
def test_whatever_the_rates_are_nothing_is_lost_and_the_order_is_kept(
    groups: list[list[list[Draft]]], talk: float, burst: int, room: float, more: bool
) -> None:
    async def run() -> Edge:
        edge = Edge(
            talk_per_second=talk, talk_burst=burst, room_per_second=room, patience_seconds=1e9
        )
        async with trio.open_nursery() as nursery:
            for number, one in enumerate(groups):
                nursery.start_soon(_converse, edge, edge.connect(number), one, more)
        return edge

    edge = trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    for number, one in enumerate(groups):
        said = [d for who, d in edge.order.said if who == number and type(d) is Request]
        assert said == [draft for group in one for draft in group]
    assert edge.counters.held_back == 0
    assert not edge.order.ended


async def _converse(
    edge: Edge, connection: Connection, groups: list[list[Draft]], more: bool
) -> None:
    for group in groups:
        await edge.intake.take(connection, group, more=more)


@given(after=st.floats(0, 12), let_go=st.booleans())
def test_who_is_made_to_end_in_the_middle_has_said_it_all_at_once(
    after: float, let_go: bool
) -> None:
    async def run() -> None:
        edge = Edge(talk_per_second=2.0, talk_burst=3)
        connection = edge.connect(1)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_converse, edge, connection, [_say(*range(20))], False)
                await trio.sleep(after)
                await trio.testing.wait_all_tasks_blocked()
                if let_go:
                    edge.intake.let_go(connection)
                else:
                    scope.cancel()
        assert trio.current_time() - began == pytest.approx(after, abs=0.01)
        assert edge.order.texts(1) == [str(number) for number in range(20)]
        assert edge.counters.held_back == 0
        if let_go:  # and what it may still say is not held back
            await edge.intake.take(connection, _say(*range(100)))
            assert trio.current_time() - began == pytest.approx(after, abs=0.01)

    began = 0.0
    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_who_is_made_to_end_while_it_is_told_does_not_wait_either(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = Edge(talk_per_second=0.01, talk_burst=1)
    connection = edge.connect(1)
    submit = edge.order.submit

    async def submit_and_end(
        who: Connection, drafts: Sequence[Draft], *, wait: bool = False
    ) -> None:
        await submit(who, drafts, wait=wait)
        if type(drafts[0]) is Answered:
            edge.intake.let_go(connection)

    monkeypatch.setattr(edge.order, "submit", submit_and_end)
    await edge.intake.take(connection, _say(0, 1, 2))
    assert trio.current_time() == 0
    assert edge.order.texts(1) == ["0", "1", "2"]


async def test_it_is_told_once_until_its_bucket_was_full(
    autojump_clock: trio.testing.MockClock,
) -> None:
    edge = Edge(talk_per_second=10.0, talk_burst=5)
    connection = edge.connect(1)
    for _ in range(4):
        await edge.intake.take(connection, _say(*range(10)))
        await trio.sleep(0.3)
    assert edge.order.told(1) == [Slowed(10)]
    await trio.sleep(0.3)
    await edge.intake.take(connection, _say(*range(6)))
    assert edge.order.told(1) == [Slowed(10)] * 2
    await edge.intake.take(connection, [Request("rename")] * 6)
    assert edge.order.told(1)[2:] == [Slowed(0.1, "renames")]
    assert edge.counters.slowed == {"messages": 2, "queries": 0, "renames": 1, "room": 0}


async def test_who_pushes_without_a_break_is_ended_and_who_waits_is_not(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    edge = Edge(talk_per_second=10.0, talk_burst=1, patience_seconds=5.0)
    groups = [_say(*range(10))] * 8
    pushing, waiting = edge.connect(1, lambda: True), edge.connect(2, lambda: False)
    nursery.start_soon(_converse, edge, pushing, groups, False)
    nursery.start_soon(_converse, edge, waiting, groups, False)  # 1 s each, and nothing is there
    await trio.sleep(4.9)
    assert edge.order.ended == []
    await trio.sleep(0.4)
    assert set(edge.order.ended) == {(1, CloseReason.FLOOD)}


async def test_a_break_is_when_all_that_was_read_is_through_and_the_socket_empty(
    autojump_clock: trio.testing.MockClock,
) -> None:
    edge, empty = Edge(talk_per_second=10.0, talk_burst=1, patience_seconds=5.0), [False]
    connection = edge.connect(1, lambda: not empty[0])
    for number in range(12):
        await edge.intake.take(connection, _say(*range(4)), more=False)
        # Before the lines of one read are through nobody looks.
        empty[0] = True
        await edge.intake.take(connection, _say(*range(4)), more=True)
        empty[0] = number % 4 == 3
    assert edge.order.ended == []


async def test_the_room_s_ceiling_is_nobody_s_flood_but_is_told_when_it_lasts(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    edge = Edge(talk_per_second=50.0, room_per_second=10.0, patience_seconds=2.0)
    for number in range(3):
        groups = [_say(*range(30))]
        nursery.start_soon(_converse, edge, edge.connect(number), groups, True)
    person = edge.connect(9)
    for _ in range(5):
        await trio.sleep(0.9)
        before = trio.current_time()
        await edge.intake.take(person, _say(0))
        assert trio.current_time() - before <= 0.5
    assert edge.order.ended == []
    assert edge.order.told(0) == [Slowed(10, "room")]
    assert edge.order.told(9) == []


async def test_only_talk_waits_for_the_room_s_ceiling(
    autojump_clock: trio.testing.MockClock,
) -> None:
    edge = Edge(talk_per_second=1000.0, room_per_second=1.0)
    talker, asker = edge.connect(1), edge.connect(2)
    await edge.intake.take(asker, [Request("who")] * 5)
    await edge.intake.take(talker, _say(0))
    await edge.intake.take(asker, [Request("who")] * 5)
    assert trio.current_time() == 0
    await edge.intake.take(talker, _say(1))
    assert trio.current_time() == pytest.approx(1, abs=0.01)
    assert not edge.intake._waiting  # nothing is kept of who has waited


async def test_operators_and_named_bots_are_exempt_from_the_ceiling(
    autojump_clock: trio.testing.MockClock,
) -> None:
    edge = Edge(talk_per_second=1000.0, room_per_second=1.0, exempt=("Logs", "ops"))
    seconds = {}
    for number, (nick, local, role) in enumerate(
        [
            ("logs", True, Role.MEMBER),
            ("ops", False, Role.MEMBER),  # anybody may call himself so
            ("olga", False, Role.OPERATOR),
            ("mia", True, Role.MEMBER),
        ]
    ):
        connection = edge.connect(number)
        connection.local = local
        edge.enter(connection, nick, role=role)
        before = trio.current_time()
        await edge.intake.take(connection, _say(*range(100)))
        seconds[nick] = trio.current_time() - before
    assert seconds["logs"] == seconds["olga"] == 0
    assert seconds["ops"] == pytest.approx(99, abs=2)
    assert seconds["mia"] == pytest.approx(100, abs=2)


async def test_what_is_within_the_rate_goes_as_one_piece(
    autojump_clock: trio.testing.MockClock,
) -> None:
    edge = Edge()
    await edge.intake.take(edge.connect(1), _say(*range(200)))
    assert edge.order.pieces == [200]
    assert trio.current_time() == 0
