"""The log in a real Redis, with what happens to one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from chatroom.order import replica
from chatroom.order.contract import ORIGIN, Position
from chatroom.order.replica import NUMBERS_SKIPPED
from chatroom.order.store import NO_VERSION, AwayError, UnfitError, UnusableError
from tests.order.servers import Ear, leaves, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatroom.order.store import Link
    from tests.order.conftest import RedisServer


@asynccontextmanager
async def _reached(redis: RedisServer, *, power: bool = False) -> AsyncIterator[Link]:
    async with redis.store(power=power).reach() as link:
        yield link


async def _open(nursery: trio.Nursery, redis: RedisServer, *names: str) -> list[Ear]:
    ears = [Ear(redis.store(), name) for name in names]
    for ear in ears:
        await nursery.start(ear.run)
    return ears


async def _joined(ear: Ear, nick: str) -> int:
    who = ear.join(nick)
    assert who is not None
    await settle(lambda: nick in ear.replica.room.nicks(0, 99))
    return who


def _same(*ears: Ear) -> bool:
    return len({ear.replica.snapshot() for ear in ears}) == 1


async def test_what_is_appended_is_read_in_its_order(redis: RedisServer) -> None:
    await redis.start()
    async with _reached(redis) as link:
        sent = [b"%d" % number for number in range(150)]
        for data in sent:
            link.append(data, begins=True)
        rows = list(await link.read(ORIGIN, wait=True))
        while len(rows) < 150:
            rows += await link.read(rows[-1].position, wait=True)
        assert [row.data for row in rows] == sent
        assert not await link.read(rows[-1].position, wait=False)
        assert await link.holds(rows[7].position)
        assert not await link.holds(Position(7, 7))
        assert [await link.next_epoch() for _ in range(3)] == [1, 2, 3]


async def test_what_a_redis_is_slow_to_take_comes_in_its_order(redis: RedisServer) -> None:
    await redis.start()
    async with _reached(redis) as link:
        redis.stop()
        sent = [b"%d " % number + b"x" * 10_000 for number in range(200)]
        for data in sent[:150]:  # more than the socket takes
            link.append(data, begins=True)
        await trio.testing.wait_all_tasks_blocked()
        for data in sent[150:]:
            link.append(data, begins=True)
        redis.go_on()
        rows = list(await link.read(ORIGIN, wait=True))
        while len(rows) < 200:
            rows += await link.read(rows[-1].position, wait=True)
        assert [row.data for row in rows] == sent


async def test_who_reads_hears_of_a_redis_that_dies(
    redis: RedisServer, nursery: trio.Nursery
) -> None:
    async def die() -> None:
        await trio.testing.wait_all_tasks_blocked()
        redis.kill()

    await redis.start()
    async with _reached(redis) as link:
        nursery.start_soon(die)
        with pytest.raises(AwayError, match="connection lost"):
            await link.read(ORIGIN, wait=True)


async def test_a_snapshot_is_never_replaced_by_an_older_one_and_the_log_is_trimmed(
    redis: RedisServer,
) -> None:
    await redis.start()
    async with _reached(redis) as link:
        assert await link.snapshots() == []
        for _ in range(3):
            link.append(b"entry", begins=True)
            await link.next_epoch()
        first, second, third = [row.position for row in await link.read(ORIGIN, wait=True)]
        await link.keep(second, b"second")
        await link.keep(first, b"first")
        assert await link.snapshots() == [b"second"]
        await link.keep(third, b"third")
        await link.keep(second, b"late")
        assert await link.snapshots() == [b"second", b"third"]
        assert [row.position for row in await link.read(ORIGIN, wait=False)] == [second, third]


async def test_rooms_of_one_redis_do_not_meet(redis: RedisServer) -> None:
    await redis.start()
    async with redis.store("lobby").reach() as lobby, redis.store("cellar").reach() as cellar:
        lobby.append(b"up here", begins=True)
        assert len(await lobby.read(ORIGIN, wait=True)) == 1
        assert not await cellar.read(ORIGIN, wait=False)


@pytest.mark.parametrize(
    ("options", "survives", "proven"),
    [
        (["--appendonly", "no"], "nothing", False),
        (["--appendonly", "yes", "--appendfsync", "everysec"], "process", False),
        (["--appendonly", "yes", "--appendfsync", "always"], "power", True),
    ],
)
async def test_what_it_promises_is_what_it_is_set_to(
    redis: RedisServer, options: list[str], survives: str, proven: bool
) -> None:
    await redis.start(*options)
    async with _reached(redis) as link:
        assert link.keeping.survives == survives
        assert link.keeping.proven is proven
        assert len(link.keeping.run) == 40


@pytest.mark.parametrize(
    ("options", "power", "error", "says"),
    [
        (["--maxmemory-policy", "allkeys-lru"], False, UnusableError, "set it to noeviction"),
        (["--appendonly", "yes"], True, UnusableError, "appendonly yes, appendfsync everysec"),
        (["--appendonly", "no"], True, UnusableError, "this one has appendonly no"),
        (["--requirepass", "secret"], False, UnfitError, "wants a password: --cluster-password-f"),
    ],
)
async def test_a_redis_that_must_not_have_the_log_is_refused(
    redis: RedisServer, options: list[str], power: bool, error: type[Exception], says: str
) -> None:
    await redis.start(*options)
    with pytest.RaisesGroup(pytest.RaisesExc(error, match=says)):
        async with _reached(redis, power=power):
            pass


async def test_a_replica_is_waited_on_to_be_more(redis: RedisServer) -> None:
    await redis.start("--replicaof", "127.0.0.1", "1")
    with pytest.RaisesGroup(AwayError):
        async with _reached(redis):
            pass


async def test_a_killed_redis_that_comes_back_has_lost_nothing_that_was_read(
    nursery: trio.Nursery, redis: RedisServer
) -> None:
    await redis.start("--appendonly", "yes", "--appendfsync", "always")
    a, b = await _open(nursery, redis, "a", "b")
    alice, bob = await _joined(a, "alice"), await _joined(b, "bob")
    session = a.replica.session
    for number in range(300):
        a.say(alice, f"from a {number}")
        b.say(bob, f"from b {number}")
        if number % 50 == 0:
            await trio.sleep(0.005)
    redis.kill()
    a.say(alice, "while it was down")
    await trio.sleep(0.2)
    await redis.start()
    await settle(lambda: len(a.events) == 603 and _same(a, b))
    assert a.events == b.events
    assert a.contradictions == b.contradictions == []
    assert {seq for _, seq in a.events} == set(range(1, 604))
    assert {name for name, _ in a.events} == {session}
    assert len(set(a.lines)) == 603


async def test_a_redis_killed_in_a_burst_and_down_for_three_seconds_doubles_nothing(
    nursery: trio.Nursery, redis: RedisServer
) -> None:
    await redis.start("--appendonly", "yes", "--appendfsync", "everysec")
    a, b = await _open(nursery, redis, "a", "b")
    alice, bob = await _joined(a, "alice"), await _joined(b, "bob")
    session = a.replica.session
    for number in range(100):
        a.say(alice, f"from a {number}")
        b.say(bob, f"from b {number}")
    await trio.sleep(0.005)  # some of it has come back, some has not
    redis.kill()
    for number in range(20):
        a.say(alice, f"while it was down {number}")
    await trio.sleep(3)
    await redis.start()
    await settle(lambda: _same(a, b) and not (_waits(a) or _waits(b)))
    await settle(lambda: len(a.outcomes) == 121)
    assert leaves(a) == leaves(b) == []
    assert a.contradictions == b.contradictions == []
    # What it has lost nobody knows, so this is another session, with other numbers.
    assert a.replica.session != session
    assert sum("while it was down" in line for line in b.lines) == 20
    numbers = [seq for _, seq in a.events]
    assert len(numbers) == len(set(numbers))
    acked = [outcome.event for ear in (a, b) for outcome in ear.outcomes.values()]
    assert len({event.seq for event in acked if event is not None}) == len(acked)


def _waits(ear: Ear) -> bool:
    return ear.log.statistics().in_flight > 0


async def test_a_redis_that_is_not_there_is_said_to_be_so(redis: RedisServer) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(AwayError, match=r"cannot connect to .*socket: .*No ")
    ):
        async with _reached(redis):
            pass


async def test_a_redis_that_lost_its_tail_is_a_new_session_above_all_numbers(
    nursery: trio.Nursery, redis: RedisServer
) -> None:
    await redis.start()
    a, b = await _open(nursery, redis, "a", "b")
    alice = await _joined(a, "alice")
    session, kept = a.replica.session, redis.log_file.stat().st_size
    for number in range(20):
        a.say(alice, f"number {number}")
    await settle(lambda: len(a.events) == len(b.events) == 21)
    redis.kill()
    with redis.log_file.open("r+b") as file:
        file.truncate(kept)
    await redis.start()
    await settle(lambda: a.replica.session == b.replica.session != session and _same(a, b))
    await settle(lambda: a.told[-1] == b.told[-1] == "back")
    assert a.replica.room.seq >= 21 + NUMBERS_SKIPPED
    bob = await _joined(b, "bob")
    b.say(bob, "on we go")
    await settle(lambda: any("on we go" in line for line in a.lines))
    assert a.contradictions == b.contradictions == []


async def test_a_redis_that_lost_everything_is_a_new_room_and_no_members_number_comes_again(
    nursery: trio.Nursery, redis: RedisServer
) -> None:
    await redis.start()
    a, b = await _open(nursery, redis, "a", "b")
    before = {await _joined(a, "alice"), await _joined(b, "bob")}
    redis.kill()
    redis.forget()
    await redis.start()
    await settle(lambda: a.told.count("back") == b.told.count("back") == 2)
    after = {await _joined(a, "alice"), await _joined(b, "bob")}
    await settle(lambda: _same(a, b))
    assert not before & after
    assert a.replica.room.nicks(0, 9) == ["alice", "bob"]
    assert a.contradictions == b.contradictions == []


async def test_a_redis_that_is_emptied_is_a_new_room_with_whoever_comes_next(
    nursery: trio.Nursery, redis: RedisServer
) -> None:
    await redis.start()
    a, b = await _open(nursery, redis, "a", "b")
    await _joined(a, "alice")
    await settle(lambda: _same(a, b))
    session = a.replica.session
    assert await redis.command("FLUSHALL") == b"+OK\r\n"
    (c,) = await _open(nursery, redis, "c")
    await settle(lambda: len(c.replica.servers) == 3 and _same(a, b, c))
    await _joined(c, "alice")
    await settle(lambda: _same(a, b, c))
    events = [
        {key: line for key, line in ear.events.items() if key[0] != session} for ear in (a, b)
    ]
    assert all(own.items() <= c.events.items() for own in events)


async def test_how_far_a_log_reaches(redis: RedisServer) -> None:
    await redis.start()
    async with _reached(redis) as link:
        assert await link.extent() == (0, 0, ORIGIN)
        for _ in range(3):
            link.append(b"entry", begins=True)
            await link.next_epoch()
        rows = await link.read(ORIGIN, wait=True)
        await redis.command("XTRIM chatroom:lobby:log MAXLEN 1")
        assert await link.extent() == (3, 1, rows[-1].position)


async def test_what_others_put_there_is_no_entry_and_no_epoch(redis: RedisServer) -> None:
    await redis.start()
    async with _reached(redis) as link:
        for field in ("foo", "9" * 5000, "00", "7"):
            await redis.command(f"XADD chatroom:lobby:log * {field} bar")
        rows = await link.read(ORIGIN, wait=True)
        assert [row.version for row in rows] == [NO_VERSION, NO_VERSION, NO_VERSION, 7]
        await redis.command(f"SET chatroom:lobby:epoch {2**31}")
        assert await link.next_epoch() == 0


@pytest.mark.parametrize("key", ["log", "snapshot", "epoch"])
async def test_a_key_of_another_type_is_named_at_once(redis: RedisServer, key: str) -> None:
    await redis.start()
    await redis.command(f"SADD chatroom:lobby:{key} x")
    with trio.fail_after(3), pytest.raises(UnusableError, match=f"chatroom:lobby:{key}"):
        await Ear(redis.store(), "a").run()


async def test_a_snapshot_that_is_none_is_said_to_be(redis: RedisServer) -> None:
    await redis.start()
    await redis.command("HSET chatroom:lobby:snapshot state garbage position 1-1")
    with pytest.raises(UnusableError, match="the snapshot of the room's log is none"):
        await Ear(redis.store(), "a").run()


async def test_a_room_goes_on_though_no_snapshot_can_be_kept(
    nursery: trio.Nursery,
    redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 10)
    await redis.start()
    (a,) = await _open(nursery, redis, "a")
    alice = await _joined(a, "alice")
    await redis.command("SADD chatroom:lobby:snapshot x")
    for number in range(20):
        a.say(alice, f"number {number}")
        await settle(lambda: a.log.statistics().in_flight == 0)
    await settle(lambda: "no snapshot can be kept" in caplog.text)
    assert "away" not in a.told


async def test_what_does_not_begin_a_log_is_not_put_into_one_that_is_gone(
    redis: RedisServer,
) -> None:
    await redis.start()
    async with _reached(redis) as link:
        link.append(b"entry")
        with pytest.raises(AwayError, match="has the room's log no more"):
            await link.wait_broken()
        assert await redis.command("EXISTS chatroom:lobby:log") == b":0\r\n"


async def test_a_redis_that_does_nothing_for_a_while_costs_nobody_anything(
    nursery: trio.Nursery, redis: RedisServer
) -> None:
    await redis.start()
    a, b = await _open(nursery, redis, "a", "b")
    alice = await _joined(a, "alice")
    redis.stop()
    a.say(alice, "are you there?")
    await trio.sleep(2.5)
    assert a.log.statistics().behind_seconds > 2
    redis.go_on()
    await settle(lambda: len(b.events) == 2)
    assert leaves(b) == []
    assert "out" not in a.told + b.told


async def test_the_next_server_begins_at_a_snapshot_in_redis(
    nursery: trio.Nursery, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "SNAPSHOT_ENTRIES", 10)
    await redis.start()
    (a,) = await _open(nursery, redis, "a")
    alice = await _joined(a, "alice")
    for number in range(40):
        a.say(alice, f"number {number}")
        await settle(lambda: a.log.statistics().in_flight == 0)
    (b,) = await _open(nursery, redis, "b")
    await settle(lambda: _same(a, b))
    assert b.replica.room.nicks(0, 9) == ["alice"]
    assert 10 < len(b.applied) < 40
