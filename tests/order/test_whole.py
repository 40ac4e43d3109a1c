"""A log of which something is missing is noticed: nobody goes on alone in a room of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from chatroom.order import following, replica, store
from chatroom.order.contract import Enter, decode_entry
from chatroom.order.store import UnusableError
from tests.order.servers import Ear, settle
from tests.shared_log import MemoryLink, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatroom.order.contract import Position
    from chatroom.order.store import Row


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 20)
    monkeypatch.setattr(following, "PAGE", 5)
    monkeypatch.setattr(store, "PAGE", 5)


async def _open(nursery: trio.Nursery, log: MemoryStore, *names: str) -> list[Ear]:
    ears = [Ear(log, name) for name in names]
    for ear in ears:
        await nursery.start(ear.run)
    return ears


async def _become_one(*ears: Ear) -> None:
    """Until all have the same room, and are in it."""
    await trio.testing.wait_all_tasks_blocked()
    await settle(lambda: len({ear.replica.snapshot() for ear in ears}) == 1)
    assert all(ear.log.origin in [s.origin for s in ear.replica.servers.values()] for ear in ears)


async def _talk(ear: Ear, who: int, count: int) -> None:
    for number in range(count):
        assert ear.say(who, f"number {number}")
        await trio.testing.wait_all_tasks_blocked()


async def test_a_log_that_is_emptied_under_its_servers_is_a_new_room_at_once(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    assert a.join("alice") is not None
    session = a.replica.session
    await _become_one(a, b)
    log.lose_everything()
    await settle(lambda: [ear.told.count("back") for ear in (a, b)] == [2, 2], seconds=3)
    await _become_one(a, b)
    assert len(a.replica.room) == 0
    assert a.replica.session != session
    assert a.contradictions == b.contradictions == []


async def test_another_log_in_the_place_of_the_one_that_was_read_is_noticed(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _talk(a, alice, 3)
    await _become_one(a, b)
    session = a.replica.session
    log.lose_everything()
    (c,) = await _open(nursery, log, "c")  # begins another, before the others have written
    carol = c.join("carol")
    assert carol is not None
    await _talk(a, alice, 15)  # more than the old one had
    await settle(lambda: [ear.told.count("back") for ear in (a, b)] == [2, 2], seconds=4)
    await _become_one(a, b, c)
    assert c.replica.room.nicks(0, 9) == ["carol"]
    assert c.told == ["begin", "entered 1", "back"]
    for ear in (a, b):  # what it has told of the other one is as it stands there
        assert all(c.events.get(key) == ear.events[key] for key in ear.events if key[0] != session)


async def test_a_server_that_was_stopped_while_the_log_was_cut_tells_nothing_from_behind_the_hole(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    alice, bob = a.join("alice"), b.join("bob")
    assert alice is not None
    assert bob is not None
    await _become_one(a, b)
    b.line.pause()
    await _talk(a, alice, 70)
    assert log.rows[0].position > b.replica.position
    b.line.go_on()
    await _become_one(a, b)
    assert a.contradictions == b.contradictions == []
    await trio.sleep(20)  # and it says that it is there
    assert b.told == ["begin", "entered 2", "back", "away", "begin", "out", "entered 3", "back"]
    assert {session for session, _ in b.events} == {a.replica.session}
    assert all(a.events[key] == line for key, line in b.events.items())


@pytest.mark.parametrize("before", [5, 50], ids=["its beginning", "its snapshot"])
async def test_a_log_that_is_cut_between_what_one_begins_at_and_the_first_read_is_read_again(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    log = MemoryStore()
    (a,) = await _open(nursery, log, "a")
    alice = a.join("alice")
    assert alice is not None
    await _talk(a, alice, before)
    b = Ear(log, "b")
    read = _reads_late(b, lambda: _talk(a, alice, 50))
    monkeypatch.setattr("tests.shared_log.MemoryLink.read", read)
    await nursery.start(b.run)
    await _become_one(a, b)
    assert b.told.count("begin") == 2
    assert all(a.events[key] == line for key, line in b.events.items())


def _reads_late(ear: Ear, meanwhile: object) -> object:
    """Before its first read something happens."""
    from tests.shared_log import MemoryLink  # noqa: PLC0415

    original, waits = MemoryLink.read, [meanwhile]

    async def read(self: MemoryLink, after: Position, *, wait: bool) -> Sequence[Row]:
        if self._line is ear.line and waits:
            await waits.pop()()  # type: ignore[operator]
        return await original(self, after, wait=wait)

    return read


async def test_a_log_without_its_beginning_is_waited_for_and_not_guessed_at(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    (a,) = await _open(nursery, log, "a")
    alice = a.join("alice")
    assert alice is not None
    await _talk(a, alice, 40)  # the next snapshot is not due within the time that is waited
    log.snapshots.clear()  # by somebody else
    b = Ear(log, "b")
    with (
        trio.fail_after(30),
        pytest.raises(
            UnusableError, match="entries are missing in the room's log, or its snapshot is"
        ),
    ):
        await b.run()
    await _talk(a, alice, 50)
    (c,) = await _open(nursery, log, "c")
    await _become_one(a, c)


async def test_an_entry_that_is_taken_out_in_front_of_a_server_is_missed(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _become_one(a, b)
    b.line.pause()
    await _talk(a, alice, 3)
    del log.rows[-2]
    b.line.go_on()
    await settle(lambda: b.told[-1] == "away", seconds=3)
    assert "away" not in a.told


async def test_a_server_that_is_always_behind_counts_and_keeps_its_snapshot(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryStore()
    (a,) = await _open(nursery, log, "a")
    alice = a.join("alice")
    assert alice is not None
    await trio.testing.wait_all_tasks_blocked()
    read = MemoryLink.read

    async def read_slowly(link: MemoryLink, after: Position, *, wait: bool) -> Sequence[Row]:
        await trio.sleep(0.25)
        return await read(link, after, wait=wait)

    monkeypatch.setattr(MemoryLink, "read", read_slowly)
    for _ in range(60):
        a.say(alice, "all at once")
    for _ in range(200):  # as many as it reads: three seconds it is behind
        assert a.replica.entries < log.added - 40
        a.say(alice, "one by one")
        await trio.sleep(0.05)
        if log.snapshots:
            break
    assert log.snapshots
    assert "away" not in a.told


async def test_who_finds_an_entry_taken_out_does_not_come_in(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    (a,) = await _open(nursery, log, "a")
    assert a.join("alice") is not None
    await trio.testing.wait_all_tasks_blocked()
    del log.rows[1]
    with trio.fail_after(30), pytest.raises(UnusableError, match="entries are missing"):
        await Ear(log, "b").run()
    assert "away" not in a.told


async def test_a_drain_goes_on_though_the_log_comes_back_without_its_server(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    alice = a.join("alice")
    assert alice is not None
    await _become_one(a, b)
    log.go_down()
    await trio.sleep(1)
    assert a.say(alice, "never heard")
    nursery.start_soon(a.log.leave)
    await trio.sleep(1)
    log.lose_everything()
    log.come_back()
    with trio.fail_after(3):
        await a.log.leave()
    assert a.told[-2:] == ["begin", "out"]
    assert [command.text for command in a.unavailable] == ["never heard"]  # type: ignore[union-attr]


async def test_who_is_to_leave_when_it_reads_that_it_is_gone_does_not_come_in_again(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    await _become_one(a, b)
    monkeypatch.setattr(a, "out", lambda: nursery.start_soon(a.log.leave))
    a.line.pause()
    await settle(lambda: list(b.replica.servers) == ["b"])
    a.line.go_on()
    await trio.sleep(20)
    assert a.told == ["begin", "entered 1", "back"]
    assert list(b.replica.servers) == ["b"]


async def test_who_leaves_while_it_is_given_a_number_to_enter_with_does_not_come_in_again(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    assert a.join("alice") is not None
    await _become_one(a, b)
    next_epoch = MemoryLink.next_epoch

    async def give_slowly(link: MemoryLink) -> int:
        await trio.sleep(0.5)
        return await next_epoch(link)

    monkeypatch.setattr(MemoryLink, "next_epoch", give_slowly)
    log.go_down()
    log.come_back(lost=1)
    await settle(lambda: a.told.count("begin") == 2)
    await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(1):
        await a.log.leave()
    await settle(lambda: list(b.replica.servers) == ["b"])  # held for gone
    assert a.told == ["begin", "entered 1", "back", "away", "begin", "out"]


async def test_who_leaves_while_its_entering_is_under_way_leaves_its_name_to_the_next(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    log = MemoryStore()
    a, b = await _open(nursery, log, "a", "b")
    await _become_one(a, b)
    a.line.pause()
    await settle(lambda: list(b.replica.servers) == ["b"])
    a.line.go_on()
    while a.told[-1] != "out" or not isinstance(decode_entry(log.rows[-1].data), Enter):
        await trio.sleep(0)
    await a.log.leave()
    with trio.fail_after(1):
        await nursery.start(Ear(log, "a").run)
    assert a.told == ["begin", "entered 1", "back", "out"]
