"""Several servers over one log, and what happens to them when it or they go away."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
import trio
import trio.testing

from chatroom.order import following, pending, replica
from chatroom.order.contract import MAX_EPOCH, VERSION, Enter, Origin, Position, encode_entry
from chatroom.order.part import UnavailableError
from chatroom.order.replica import NUMBERS_SKIPPED
from chatroom.order.store import NO_VERSION, Keeping, UnusableError
from chatroom.room.charter import Charter
from tests.order.servers import RULES, Ear, leaves, settle
from tests.shared_log import MemoryLink, MemoryStore


async def _open(nursery: trio.Nursery, store: MemoryStore, *names: str) -> list[Ear]:
    ears = []
    for name in names:
        ear = Ear(store, name)
        await nursery.start(ear.run)
        ears.append(ear)
    return ears


async def _hear_all(*ears: Ear) -> None:
    """Until each has applied everything."""
    await trio.testing.wait_all_tasks_blocked()
    await settle(lambda: len({ear.replica.position for ear in ears}) == 1)


async def test_two_servers_are_one_room(autojump_clock: object, nursery: trio.Nursery) -> None:
    a, b = await _open(nursery, MemoryStore(), "a", "b")
    alice, bob = a.join("alice"), b.join("bob")
    assert alice is not None
    assert bob is not None
    a.say(alice, "hello")
    b.say(bob, "hello to you")
    await _hear_all(a, b)
    assert list(a.events.items()) == list(b.events.items())
    assert a.replica.room.nicks(0, 9) == ["alice", "bob"]
    assert [seq for _, seq in a.events] == [1, 2, 3, 4]
    assert a.replica.snapshot() == b.replica.snapshot()


async def test_a_nick_is_held_by_one_member_whatever_server_it_is_on(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    a, b = await _open(nursery, MemoryStore(), "a", "b")
    a.join("alice")
    b.join("Alice")
    await _hear_all(a, b)
    (outcome,) = b.outcomes.values()
    assert outcome.refused is not None
    assert outcome.refused.code == "nick_taken"


async def test_a_killed_servers_members_leave_once_within_seven_seconds(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    a, b = await _open(nursery, MemoryStore(), "a", "b")
    a.join("alice")
    await _hear_all(a, b)
    a.kill()
    killed_at = trio.current_time()
    await settle(lambda: "alice" not in b.replica.room.nicks(0, 9))
    assert trio.current_time() - killed_at <= 7
    await trio.sleep(20)
    assert leaves(b) == [("alice", "lost")]
    assert list(b.replica.servers) == ["b"]


async def test_a_paused_server_reads_that_it_is_gone_and_enters_again(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    a, b = await _open(nursery, MemoryStore(), "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _hear_all(a, b)
    a.line.pause()
    await settle(lambda: leaves(b) == [("alice", "lost")])
    assert a.say(alice, "is anybody there?")
    a.line.go_on()
    await settle(lambda: a.told[-2:] == ["entered 3", "back"])
    assert a.told[-3:] == ["out", "entered 3", "back"]
    assert [command.text for command in a.unavailable] == ["is anybody there?"]  # type: ignore[union-attr]
    assert a.join("alice") is not None
    await _hear_all(a, b)
    assert a.replica.room.nicks(0, 9) == ["alice"]
    assert not any("is anybody there?" in line for line in b.lines)


async def test_what_is_said_while_the_log_is_away_comes_when_it_is_back(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore(proven=True)
    a, b = await _open(nursery, store, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _hear_all(a, b)
    session = a.replica.session
    store.go_down()
    await trio.sleep(60)
    assert a.say(alice, "late")
    assert a.log.statistics().reached is False
    store.come_back()
    await settle(lambda: any("late" in line for line in b.lines))
    assert leaves(b) == []
    assert a.told == ["begin", "entered 1", "back", "away", "back"]
    assert a.replica.session == session


async def test_what_has_waited_for_long_is_not_held_against_the_next_link(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(proven=True)
    a, b = await _open(nursery, store, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _hear_all(a, b)
    store.go_down()
    await trio.sleep(1)
    assert a.say(alice, "early")
    await trio.sleep(30)

    def back(keeping: Keeping) -> None:
        a.told.append("back")
        a.line.pause()

    monkeypatch.setattr(a, "back", back)
    store.come_back()
    await settle(lambda: a.told[-1] == "back")
    await trio.sleep(0.5)  # so long it takes to come back
    a.line.go_on()
    await settle(lambda: any("early" in line for line in b.lines))
    await trio.sleep(5)
    assert a.told == ["begin", "entered 1", "back", "away", "back"]


async def test_too_much_is_refused_and_not_kept(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "PENDING_LIMIT_BYTES", 1000)
    store = MemoryStore()
    (a,) = await _open(nursery, store, "a")
    alice = a.join("alice")
    assert alice is not None
    await _hear_all(a)
    store.go_down()
    await trio.sleep(1)
    while a.say(alice, "x" * 100):
        pass
    assert a.log.statistics().in_flight_bytes < 1300
    with pytest.raises(UnavailableError, match="too much"):
        a.log.append([])
    store.come_back()
    await settle(lambda: a.log.statistics().in_flight == 0)
    assert a.say(alice, "again")


async def test_a_log_that_has_lost_its_tail_begins_a_session_above_all_numbers(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    alice, bob = a.join("alice"), b.join("bob")
    assert alice is not None
    assert bob is not None
    await _hear_all(a, b)
    session, kept = a.replica.session, len(store.rows)
    a.say(alice, "lost")
    b.say(bob, "lost too")
    await settle(lambda: len(a.events) == len(b.events) == 4)
    store.go_down()
    store.come_back(lost=len(store.rows) - kept)
    await settle(lambda: [ear.told.count("back") for ear in (a, b)] == [2, 2])
    await _hear_all(a, b)
    assert a.told[3:] == ["away", "begin", "out", a.told[-2], "back"]
    assert a.replica.session == b.replica.session != session
    assert a.replica.room.seq >= 4 + NUMBERS_SKIPPED
    assert a.replica.snapshot() == b.replica.snapshot()
    assert a.contradictions == b.contradictions == []


async def test_another_life_of_the_log_is_another_session_unless_it_cannot_forget(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    a.join("alice")
    await _hear_all(a, b)
    session = a.replica.session
    store.go_down()
    store.come_back()
    await settle(lambda: a.replica.session == b.replica.session != session)
    assert a.replica.room.nicks(0, 9) == ["alice"]
    assert a.replica.room.seq == 1 + NUMBERS_SKIPPED
    assert "out" not in a.told + b.told


async def test_an_emptied_log_is_a_new_room_with_numbers_above(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    a.join("alice")
    await _hear_all(a, b)
    store.go_down()
    store.lose_everything()
    store.come_back()
    await settle(lambda: [ear.told.count("back") for ear in (a, b)] == [2, 2])
    await _hear_all(a, b)
    assert len(a.replica.room) == 0
    # No member's number is given out again.
    assert all(server.origin.epoch > 2 for server in a.replica.servers.values())
    assert a.replica.room.seq > NUMBERS_SKIPPED
    assert a.replica.snapshot() == b.replica.snapshot()


async def test_a_reply_that_is_lost_doubles_nothing(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    a.say(alice, "once")
    store.cut()  # it stands in the log, and nobody has said so
    await settle(lambda: any("once" in line for line in a.lines))
    await _hear_all(a, b)
    assert sum("once" in line for line in b.lines) == 1
    copies = [row.data for row in store.rows]
    for copy in copies:  # as if each had been written again
        store.put(copy)
    await _hear_all(a, b)
    assert len(b.lines) == 2
    assert not any(applied.valid for applied in b.applied[-len(copies) :])


async def test_who_leaves_in_good_order_has_said_everything_before(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    a, b = await _open(nursery, MemoryStore(), "a", "b")
    alice = a.join("alice")
    assert alice is not None
    a.say(alice, "bye")
    await a.log.leave()
    a.kill()
    await _hear_all(b)
    assert leaves(b) == [("alice", "shutdown")]
    assert '"bye"' in b.lines[1]
    with pytest.raises(UnavailableError):
        a.log.append([])


async def test_who_has_left_hears_no_more(autojump_clock: object, nursery: trio.Nursery) -> None:
    a, b = await _open(nursery, MemoryStore(), "a", "b")
    await a.log.leave()
    heard = len(a.applied)
    assert b.join("bob") is not None
    await _hear_all(b)
    assert any("bob" in line for line in b.lines)
    assert len(a.applied) == heard
    assert "away" not in a.told


async def test_a_name_is_one_process_until_that_is_gone(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    (a,) = await _open(nursery, store, "a")
    other = Ear(store, "a")
    with pytest.raises(UnusableError, match="another server of this room is called a"):
        await other.log.run(task_status=trio.TASK_STATUS_IGNORED)
    a.kill()
    next_one = Ear(store, "a")
    await nursery.start(next_one.run)
    assert [server.origin for server in next_one.replica.servers.values()] == [next_one.log.origin]


async def test_a_log_that_is_not_there_is_waited_for_and_then_given_up(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    store.go_down()
    a = Ear(store, "a")
    with pytest.raises(UnusableError, match="the log cannot be reached: it is down"):
        await a.run()
    assert trio.current_time() >= 10


async def test_entries_of_another_version_are_not_guessed_at(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    store.put(b"?", VERSION + 1)
    with pytest.raises(UnusableError, match="entries of version 3, this server knows version 2"):
        await Ear(store, "a").run()


async def test_a_snapshot_of_another_version_is_not_guessed_at(
    autojump_clock: object,
) -> None:
    store = MemoryStore()
    first = {"version": 1, "position": [7, 0], "entries": 1}  # and other fields than today's
    store.snapshots.append((Position(7, 0), msgspec.msgpack.encode(first)))
    with pytest.raises(UnusableError, match="a snapshot of version 1, this server knows version 2"):
        await Ear(store, "a").run()


async def test_what_is_no_entry_is_passed_over_by_all(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    store.put(b"\xc1 no entry")
    store.put(b"bar", NO_VERSION)
    store.put(_nested())
    store.put(encode_entry(_enter(2**40)))
    a.join("alice")
    await _hear_all(a, b)
    assert a.replica.snapshot() == b.replica.snapshot()
    assert a.replica.room.nicks(0, 9) == ["alice"]
    assert list(a.replica.servers) == ["a", "b"]


async def test_a_room_that_has_no_more_epochs_is_said_to_have_none(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    store = MemoryStore()
    await _open(nursery, store, "a")
    store.put(encode_entry(_enter(MAX_EPOCH)))
    with pytest.raises(UnusableError, match=r"no more epochs: .* delete its three keys"):
        await Ear(store, "b").run()
    assert store.added < 5


async def test_who_is_refused_for_a_newer_epoch_takes_its_time_to_ask_again(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_at: list[float] = []

    def overtake(entry: Enter) -> bytes:
        if entry.origin.server == "b" and len(asked_at) < 5:
            asked_at.append(trio.current_time())
            store.put(encode_entry(_enter(entry.origin.epoch + 1)))
        return encode_entry(entry)

    store = MemoryStore()
    await _open(nursery, store, "a")
    monkeypatch.setattr(following, "encode_entry", overtake)
    await nursery.start(Ear(store, "b").run)
    assert len(asked_at) == 5
    assert all(late - early >= 0.5 for early, late in pairwise(asked_at))


def _nested() -> bytes:
    """An entry that has arrays in arrays where nobody looks."""
    heartbeat = {"type": "batch", "origin": {"server": "z", "epoch": 1}, "counter": 1, "more": []}
    return msgspec.msgpack.encode(heartbeat)[:-1] + b"\x91" * 100_000 + b"\xc0"


def _enter(epoch: int) -> Enter:
    origin = Origin("z", epoch)
    return Enter(origin, "i", (), RULES, "run 1", False, 0, "", "S", Charter())


async def test_a_new_server_reads_on_from_a_snapshot(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 10)
    store = MemoryStore()
    (a,) = await _open(nursery, store, "a")
    alice = a.join("alice")
    assert alice is not None
    for number in range(30):
        a.say(alice, f"number {number}")
        await _hear_all(a)
    await trio.testing.wait_all_tasks_blocked()
    assert len(store.snapshots) == 2
    assert store.rows[0].position == store.snapshots[0][0]
    (b,) = await _open(nursery, store, "b")
    await _hear_all(a, b)
    assert a.replica.snapshot() == b.replica.snapshot()
    assert a.lines[-10:] == b.lines[-10:]
    assert len(b.applied) < 25


async def test_a_log_is_bounded_by_its_bytes_as_well(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_BYTES", 2000)
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    for _ in range(100):
        a.say(alice, "x" * 200)
        await _hear_all(a, b)
    assert 2000 < sum(len(row.data) for row in store.rows) < 5000
    (c,) = await _open(nursery, store, "c")
    await _hear_all(a, b, c)
    assert a.replica.snapshot() == c.replica.snapshot()


async def test_a_snapshot_that_is_due_with_what_is_no_entry_is_kept_with_the_next_that_is(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 10)
    store = MemoryStore()
    (a,) = await _open(nursery, store, "a")
    alice = a.join("alice")
    assert alice is not None
    for number in range(60):
        if store.added % 10 == 9:
            store.put(b"\xc1 no entry")
        a.say(alice, f"number {number}")
        await _hear_all(a)
    assert len(store.rows) <= 22


async def test_a_snapshot_that_a_broken_link_has_lost_is_kept_over_the_next(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 10)
    keep, breaks = MemoryLink.keep, [True]

    async def breaks_once(link: MemoryLink, position: Position, snapshot: bytes) -> None:
        if breaks:
            link.is_broken = breaks.pop()
        await keep(link, position, snapshot)

    monkeypatch.setattr(MemoryLink, "keep", breaks_once)
    store = MemoryStore()
    (a,) = await _open(nursery, store, "a")
    await settle(lambda: len(store.snapshots) == 1)
    assert store.added < 15
    assert a.told == ["begin", "entered 1", "back", "away", "back"]


async def test_who_is_too_far_behind_begins_at_the_snapshot_in_the_same_session(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 10)
    store = MemoryStore()
    a, b = await _open(nursery, store, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _hear_all(a, b)
    session = a.replica.session
    b.line.pause()
    for number in range(40):
        a.say(alice, f"number {number}")
        await trio.testing.wait_all_tasks_blocked()
    b.line.cut()
    b.line.go_on()
    await settle(lambda: b.told.count("back") == 2)
    await _hear_all(a, b)
    assert a.replica.session == b.replica.session == session
    assert a.replica.snapshot() == b.replica.snapshot()
    assert b.told.count("begin") == 2


async def test_a_first_server_goes_on_with_its_own_numbers(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    a = Ear(MemoryStore(), "a", heard=42)
    await nursery.start(a.run)
    a.join("alice")
    await _hear_all(a)
    assert [seq for _, seq in a.events] == [43]


async def test_nothing_coming_back_is_a_link_to_give_up(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    (a,) = await _open(nursery, MemoryStore(), "a")
    alice = a.join("alice")
    assert alice is not None
    await _hear_all(a)
    a.line.pause()
    a.say(alice, "hello?")
    await trio.sleep(5)
    assert a.log.statistics().behind_seconds >= 5
    await settle(lambda: a.told[-1] == "away")
    a.line.go_on()
    await settle(lambda: a.log.statistics().in_flight == 0)
    assert a.came_back_seconds[-1] < 30
