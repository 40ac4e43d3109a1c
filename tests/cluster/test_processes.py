"""Servers as processes of their own, and a real Redis: killed, stopped, restarted."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from tests.cli.running import ServerProcess
from tests.cluster.following import Follower
from tests.order.conftest import RedisServer, redis

__all__ = ["redis"]

PATIENCE_SECONDS = 60

StartServer = Callable[[str], ServerProcess]


@pytest.fixture
def start(redis: RedisServer, tmp_path: Path) -> Iterator[StartServer]:
    """Start a server by its name, with a journal that it finds again."""
    with ExitStack() as running:

        def start_one(name: str) -> ServerProcess:
            journal = str(tmp_path / f"{name}.db")
            options = ["--cluster", redis.url, "--name", name, "--journal", journal]
            server = ServerProcess(*options, "--durability", "process")
            running.enter_context(server)
            return server

        yield start_one


async def until(follower: Follower, condition: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        while not condition():
            await follower.news.wait()


async def two_servers(
    redis: RedisServer,
    start: StartServer,
    *options: str,
) -> tuple[ServerProcess, ServerProcess]:
    await redis.start(*options)
    a = await trio.to_thread.run_sync(start, "a")
    b = await trio.to_thread.run_sync(start, "b")
    return a, b


async def come_in(nursery: trio.Nursery, follower: Follower) -> None:
    nursery.start_soon(follower.run)
    with trio.fail_after(PATIENCE_SECONDS):
        await follower.wait_welcomed()


async def talk(talker: Follower, count: int, pause_seconds: float = 0.005) -> None:
    for number in range(len(talker.acked), len(talker.acked) + count):
        await talker.say(f"{talker.nick}{number}", f"{talker.nick} {number}")
        await trio.sleep(pause_seconds)
    with trio.fail_after(PATIENCE_SECONDS):
        await talker.wait_until_acked()


async def heard_all(reader: Follower, talkers: list[Follower]) -> None:
    """The reader has heard what was acked: each text once, at the number of its ack."""
    acked = {seq: id_ for talker in talkers for id_, seq in talker.acked.items()}
    await until(reader, lambda: acked.keys() <= reader.heard.keys())
    for talker in talkers:
        texts = [text for text in reader.texts if text.startswith(f"{talker.nick} ")]
        assert texts == [f"{talker.nick} {number}" for number in range(len(talker.acked))]


async def test_all_servers_are_restarted_under_talk_and_nothing_is_lost_or_doubled(
    redis: RedisServer,
    start: StartServer,
    nursery: trio.Nursery,
) -> None:
    a, b = await two_servers(redis, start)
    ports = [a.port, b.port]
    talkers = [Follower("one", ports), Follower("two", ports[::-1])]
    reader = Follower("reader", ports)
    for follower in (*talkers, reader):
        follower.ports = ports  # the same list for all, so that new servers are found
        await come_in(nursery, follower)
    async with trio.open_nursery() as talking:
        for talker in talkers:
            talking.start_soon(talk, talker, 300)
        for old, name in ((a, "a"), (b, "b")):
            await trio.sleep(0.3)
            old.signal(signal.SIGTERM)
            assert await trio.to_thread.run_sync(old.wait) == 0
            ports.remove(old.port)
            new = await trio.to_thread.run_sync(start, name)
            ports.append(new.port)
    await heard_all(reader, talkers)
    assert not reader.gaps
    assert len(reader.welcomes) >= 2
    assert {welcome["session"] for welcome in reader.welcomes} == {reader.welcomes[0]["session"]}


async def test_who_was_on_a_killed_server_goes_on_on_the_other(
    redis: RedisServer,
    start: StartServer,
    nursery: trio.Nursery,
) -> None:
    a, b = await two_servers(redis, start)
    talker, reader = Follower("talker", [a.port, b.port]), Follower("reader", [b.port])
    stays = Follower("stays", [a.port])
    for follower in (talker, reader, stays):
        await come_in(nursery, follower)
    await talk(talker, 20)
    a.signal(signal.SIGKILL)
    await talk(talker, 20)
    assert not any(one.get("reason") == "lost" for one in reader.heard.values())  # long before it
    await heard_all(reader, [talker])
    await until(reader, lambda: any(one["kind"] == "leave" for one in reader.heard.values()))
    left = [one for one in reader.heard.values() if one["kind"] == "leave"]
    assert {(one["nick"], one["reason"]) for one in left} <= {
        ("talker", "replaced"),
        ("stays", "lost"),
    }


async def test_a_stopped_server_is_gone_and_comes_back(
    redis: RedisServer,
    start: StartServer,
    nursery: trio.Nursery,
) -> None:
    a, b = await two_servers(redis, start)
    paused, reader = Follower("paused", [a.port]), Follower("reader", [b.port])
    for follower in (paused, reader):
        await come_in(nursery, follower)
    a.signal(signal.SIGSTOP)

    def kinds() -> list[str]:
        events = (reader.heard[seq] for seq in sorted(reader.heard))
        return [one["kind"] for one in events if one["nick"] == "paused"]

    await until(reader, lambda: kinds()[-1:] == ["leave"])
    a.signal(signal.SIGCONT)
    await until(reader, lambda: kinds()[-1:] == ["join"])
    await talk(paused, 3)
    await heard_all(reader, [paused])
    assert len(paused.welcomes) == 1


async def test_a_redis_that_is_killed_and_back_after_a_while(
    redis: RedisServer,
    start: StartServer,
    nursery: trio.Nursery,
) -> None:
    a, b = await two_servers(redis, start, "--appendonly", "yes", "--appendfsync", "always")
    talker, reader = Follower("talker", [a.port]), Follower("reader", [b.port])
    for follower in (talker, reader):
        await come_in(nursery, follower)
    async with trio.open_nursery() as talking:
        talking.start_soon(talk, talker, 100, 0.02)
        await trio.sleep(0.5)
        redis.kill()
        await trio.sleep(3)
        await redis.start("--appendonly", "yes", "--appendfsync", "always")
    await heard_all(reader, [talker])
    assert not reader.gaps
    assert len(talker.welcomes) == len(reader.welcomes) == 1
