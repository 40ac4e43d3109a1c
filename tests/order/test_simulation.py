"""Several servers, a log that does all a log can do to them, and what must hold whatever happens.

No Redis, no sockets, no time: Hypothesis says what happens in which order.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from chatroom.event import CloseReason, decode_event
from chatroom.order import following, replica
from chatroom.order import store as stores
from chatroom.order.contract import EPOCH_SHIFT, Batch, Origin
from chatroom.order.replica import Replica
from chatroom.order.store import UnusableError
from chatroom.room.commands import Command, Leave, Rename, Say
from chatroom.room.room import Room
from tests.order.replaying import AnotherProcess, History, key
from tests.order.servers import Ear
from tests.shared_log import MemoryStore

NAMES = "abc"
NICKS = ["alice", "bob", "carol", "dave"]

_servers = st.sampled_from(NAMES)
_something = st.integers(0, 99)

#: What can happen, and to whom.
_steps = st.one_of(
    st.tuples(st.just("join"), _servers, st.sampled_from([*NICKS, None])),
    st.tuples(st.just("say"), _servers, _something),
    st.tuples(st.just("say"), _servers, _something),
    st.tuples(st.just("rename"), _servers, _something, st.sampled_from(NICKS)),
    st.tuples(st.just("leave"), _servers, _something),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.5, 3.0, 8.0])),
    st.tuples(st.just("pause"), _servers),
    st.tuples(st.just("go_on"), _servers),
    st.tuples(st.just("cut"), _servers),
    st.tuples(st.just("kill"), _servers),
    st.tuples(st.just("quit"), _servers),
    st.tuples(st.just("open"), _servers),
    st.tuples(st.just("copy"), st.integers(1, 8)),
    st.tuples(st.just("down")),
    st.tuples(st.just("up"), st.integers(0, 12)),
)


class House:
    """The servers that there are and that there were, and what happened to the log."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.store = MemoryStore()
        self.up: dict[str, Ear] = {}
        self.all: list[Ear] = []
        self._says = 0

    def do(self, step: Sequence[Any]) -> None:
        getattr(self, f"_{step[0]}")(*step[1:])

    # People

    def _join(self, name: str, nick: str | None) -> None:
        if name in self.up:
            self.up[name].join(nick)

    def _say(self, name: str, which: int) -> None:
        self._says += 1
        text = f"{name} {self._says}"
        self._ask(name, which, lambda who: Say(who, "", "message", text))

    def _rename(self, name: str, which: int, nick: str) -> None:
        self._ask(name, which, lambda who: Rename(who, "", nick))

    def _leave(self, name: str, which: int) -> None:
        self._ask(name, which, lambda who: Leave(who, "", CloseReason.QUIT))

    def _ask(self, name: str, which: int, command: Callable[[int], Command]) -> None:
        """Somebody on that server does, who may have gone already, or may not have come in yet."""
        ear = self.up.get(name)
        if ear is not None and ear.log.origin is not None:
            # One in eight is nobody, or somebody of another server.
            number = 1 + which % 8
            epoch = ear.log.origin.epoch + (which == 99)
            ear.ask(command(epoch << EPOCH_SHIFT | number))

    # Servers

    def _open(self, name: str) -> None:
        if name not in self.up:
            heard = max((ear.replica.room.seq for ear in self.all if ear.name == name), default=0)
            self.up[name] = ear = Ear(self.store, name, heard)
            self.all.append(ear)
            self._nursery.start_soon(self._live, ear)

    async def _live(self, ear: Ear) -> None:
        try:
            await ear.run()
        except UnusableError:  # the log was away when it began
            del self.up[ear.name]

    def _kill(self, name: str) -> None:
        if name in self.up:
            self.up.pop(name).kill()

    def _quit(self, name: str) -> None:
        if name in self.up:
            self._nursery.start_soon(_quits, self.up.pop(name))

    def _pause(self, name: str) -> None:
        if name in self.up:
            self.up[name].line.pause()

    def _go_on(self, name: str) -> None:
        if name in self.up:
            self.up[name].line.go_on()

    def _cut(self, name: str) -> None:
        if name in self.up:
            self.up[name].line.cut()

    # The log

    def _copy(self, count: int) -> None:
        for row in self.store.rows[-count:]:
            self.store.put(row.data)

    def _down(self) -> None:
        self.store.go_down()

    def _up(self, lost: int) -> None:
        if self.store.is_down:
            self.store.come_back(lost=lost)

    # The end

    async def heal(self) -> None:
        """Everything works again, and everybody has read everything."""
        self._up(0)
        for ear in self.up.values():
            ear.line.go_on()
        await trio.sleep(30)
        for name in NAMES:
            self._open(name)
        await trio.sleep(30)


async def _quits(ear: Ear) -> None:
    with trio.move_on_after(5):
        await ear.log.leave()
    ear.kill()


async def _live(steps: Sequence[Sequence[Any]], seen: list[House]) -> None:
    async with trio.open_nursery() as nursery:
        house = House(nursery)
        seen.append(house)
        for name in NAMES:
            house.do(("open", name))
        await trio.sleep(0.1)
        for name in NAMES * 3:
            house.do(("join", name, None))
        for step in steps:
            if step[0] == "wait":
                await trio.sleep(step[1])
            else:
                house.do(step)
        await house.heal()
        nursery.cancel_scope.cancel()


def simulate(steps: Sequence[Sequence[Any]], another: AnotherProcess) -> None:
    """Let that happen. Raises `AssertionError` if something came of it that must not."""
    seen: list[House] = []
    trio.run(_live, steps, seen, clock=trio.testing.MockClock(autojump_threshold=0))
    (house,) = seen
    history = another.replay([(*row.position, row.data) for row in house.store.history])
    assert sorted(house.up) == [*NAMES]
    assert {ear.replica.snapshot() for ear in house.up.values()} == {history.snapshot}
    _check_numbers(history)
    _check_events(house, history)
    _check_nicks(house.up["a"].replica)
    _check_those_gone(house)
    _check_answers(house, history)


def _check_numbers(history: History) -> None:
    """Without a hole within a session, and none twice, in whatever session; time goes on."""
    events = [decode_event(line) for line in history.events.values()]
    before = 0
    for event in events:
        assert event.seq == before + 1 or (before + 1, event.seq - 1) in history.gaps
        before = event.seq
    times = [event.time for event in events]
    assert times == sorted(times)


def _check_events(house: House, history: History) -> None:
    """Each server has told the same; and what the log has lost is in a gap that is said."""
    told: dict[str, bytes] = {}
    numbers: dict[int, str] = {}
    for ear in house.all:
        assert not ear.contradictions
        for (session, seq), line in ear.events.items():
            assert told.setdefault(key(session, seq), line) == line
            assert numbers.setdefault(seq, session) == session
    for name, line in told.items():
        if name in history.events:
            assert history.events[name] == line
        else:
            assert _is_in_a_gap(decode_event(line).seq, history)


def _is_in_a_gap(seq: int, history: History) -> bool:
    return any(first <= seq <= last for first, last in history.gaps)


def _check_nicks(replica: Replica) -> None:
    room = replica.room
    nicks = room.nicks(0, 99)
    assert len(nicks) == len(set(nicks)) == len(room)
    epochs = [server.origin.epoch for server in replica.servers.values()]
    assert all(who >> EPOCH_SHIFT in epochs for who in room.everybody())


def _check_those_gone(house: House) -> None:
    """After its end nothing of a server counts."""
    for ear in house.all:
        gone: set[Origin] = set()
        for number, applied in enumerate(ear.applied):
            if number in ear.applied_before:
                gone.clear()
            assert not (applied.valid and applied.entry.origin in gone)
            gone.update(applied.gone)


def _check_answers(house: House, history: History) -> None:
    """What was acked is in one event, or in a gap; what was refused is in none."""
    said = Counter(decode_event(line).text for line in history.events.values())
    for ear in house.all:
        for command, outcome in ear.outcomes.items():
            if not isinstance(command, Say):
                continue
            event = outcome.event
            if event is None:
                assert not said[command.text]
            elif not said[command.text]:
                assert _is_in_a_gap(event.seq, history)
            else:
                assert said[command.text] == 1
        for command in ear.unavailable:
            assert not (isinstance(command, Say) and said[command.text])


# The tests


@pytest.fixture(scope="module", autouse=True)
def short_log() -> Iterator[None]:
    """It is cut often, and read in many pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica, "SNAPSHOT_ENTRIES", 20)
        for module in (following, stores):
            patch.setattr(module, "PAGE", 5)
        yield


@pytest.fixture(scope="module")
def another() -> Iterator[AnotherProcess]:
    process = AnotherProcess()
    yield process
    process.close()


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(_steps, max_size=60))
def test_one_room_whatever_happens(another: AnotherProcess, steps: list[Any]) -> None:
    simulate(steps, another)


def _fails(another: AnotherProcess) -> bool:
    """Whether the simulation finds that something is wrong."""

    def is_wrong(steps: list[Any]) -> bool:
        try:
            simulate(steps, another)
        except AssertionError:
            return True
        return False

    try:
        find(
            st.lists(_steps, min_size=5, max_size=60),
            is_wrong,
            settings=settings(max_examples=1000, phases=[Phase.generate], database=None),
        )
    except NoSuchExample:
        return False
    return True


def _local_time(replica: Replica) -> str:
    return f"{time.perf_counter_ns():020}"


def _unordered(room: Room) -> list[int]:
    names = {member.nick: member.who for member in room.members(0, 99)}
    return [names[nick] for nick in frozenset(names)]


def _random_guest(room: Room) -> tuple[str, str]:
    name = f"guest{random.SystemRandom().randrange(10**9)}"
    return name, name


def _copies_count(replica: Replica, entry: Any) -> bool:
    server = replica.servers.get(entry.origin.server)
    if server is not None and isinstance(entry, Batch):
        server.counter = entry.counter - 1
    return _counts(replica, entry)


_counts = Replica._counts


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (Replica, "time", property(_local_time)),
        (Room, "everybody", _unordered),
        (Room, "_guest", _random_guest),
        (Replica, "_counts", _copies_count),
    ],
    ids=["a local clock", "a set's order", "chance", "copies count"],
)
def test_a_fault_in_the_state_machine_is_found(
    another: AnotherProcess, monkeypatch: pytest.MonkeyPatch, where: type, name: str, fault: Any
) -> None:
    monkeypatch.setattr(where, name, fault)
    assert _fails(another)
