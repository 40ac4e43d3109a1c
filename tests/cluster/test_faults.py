"""A Redis that comes back without what it had, and a server that is cut off from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import trio

from loadtest.namespaces import Cable, cable, cut, mend
from tests.cli.running import ServerProcess
from tests.cluster.following import Follower
from tests.cluster.test_processes import PATIENCE_SECONDS, StartServer, come_in, start, until
from tests.order.conftest import RedisServer, redis

__all__ = ["redis", "start"]

BURST = 40


async def talk_on(talker: Follower, enough: trio.Event) -> None:
    """In bursts."""
    number = 0
    while not enough.is_set():
        for _ in range(BURST):
            await talker.say(f"{talker.nick}{number}", f"{talker.nick} {number}")
            number += 1
        await trio.sleep(0.02)


def has_heard(reader: Follower, seq: int) -> bool:
    return max(reader.heard, default=0) >= seq


def has_acked(talker: Follower, seq: int) -> bool:
    return max(talker.acked.values(), default=0) >= seq


@pytest.mark.parametrize("lost_bytes", [1, 20_000])
async def test_a_redis_that_lost_its_tail_in_a_burst_gives_no_number_twice(
    redis: RedisServer, start: StartServer, nursery: trio.Nursery, lost_bytes: int
) -> None:
    await redis.start("--appendonly", "yes", "--appendfsync", "everysec")
    a = await trio.to_thread.run_sync(start, "a")
    b = await trio.to_thread.run_sync(start, "b")
    talkers = [Follower("one", [a.port]), Follower("two", [b.port])]
    readers = [Follower("reader1", [a.port]), Follower("reader2", [b.port])]
    for follower in (*talkers, *readers):
        await come_in(nursery, follower)
    enough = trio.Event()
    async with trio.open_nursery() as talking:
        for talker in talkers:
            talking.start_soon(talk_on, talker, enough)
        await until(talkers[0], lambda: len(talkers[0].acked) > 10 * BURST)
        before = max(seq for talker in talkers for seq in talker.acked.values())
        redis.kill()
        size = redis.log_file.stat().st_size
        os.truncate(redis.log_file, max(0, size - lost_bytes))
        await redis.start("--appendonly", "yes", "--appendfsync", "everysec")
        # Those whose room was read again leave and come in again: what they say then is after it.
        for talker in talkers:
            await until(talker, partial(has_acked, talker, before + 1_000_000))
        enough.set()
    for talker in talkers:
        with trio.fail_after(PATIENCE_SECONDS):
            await talker.wait_until_acked()
        assert set(talker.refused.values()) <= {"unavailable"}
    last = max(seq for talker in talkers for seq in talker.acked.values())
    for reader in readers:
        await until(reader, partial(has_heard, reader, last))
    one, two = readers
    assert all(one.heard[seq] == two.heard[seq] for seq in one.heard.keys() & two.heard.keys())
    for reader in readers:
        for talker in talkers:
            for id_, seq in talker.acked.items():
                said = f"{talker.nick} {id_.removeprefix(talker.nick)}"
                heard = reader.heard.get(seq)
                missed = any(gap["from"] <= seq <= gap["to"] for gap in reader.gaps)
                assert missed or (heard is not None and heard["text"] == said), (seq, reader.gaps)


@pytest.fixture
def cabled() -> Iterator[Cable]:
    with cable(loss_percent=0) as made:
        yield made


async def test_a_server_whose_link_is_cut_is_gone_for_the_others_and_comes_back(
    redis: RedisServer, cabled: Cable, nursery: trio.Nursery, tmp_path: Path
) -> None:
    near, far = cabled.near, cabled.far
    redis.prefix, redis.host = far.command([]), far.address
    await redis.start_at(6379, "--protected-mode", "no")  # the namespace is its own
    with ExitStack() as running:

        async def start(name: str, prefix: list[str], url: str) -> Path:
            socket = tmp_path / name
            options = ["--cluster", url, "--name", name, "--unix", str(socket)]
            begin = partial(ServerProcess, *options, prefix=prefix)
            running.enter_context(await trio.to_thread.run_sync(begin))
            return socket

        a = await start("a", far.command([]), redis.url)
        b = await start("b", near.command([]), f"redis://{far.address}:6379/0")
        stays, away = Follower("stays", [a]), Follower("away", [b])
        for follower in (stays, away):
            await come_in(nursery, follower)

        def last_of_away() -> str:
            events = [stays.heard[seq] for seq in sorted(stays.heard)]
            return str(["", *(one["kind"] for one in events if one["nick"] == "away")][-1])

        await until(stays, lambda: last_of_away() == "join")
        cut(near)
        await until(stays, lambda: last_of_away() == "leave")
        left = next(one for one in stays.heard.values() if one["kind"] == "leave")
        assert (left["nick"], left["reason"]) == ("away", "lost")
        mend(near)
        await until(stays, lambda: last_of_away() == "join")
        await away.say("1", "here again")
        await until(stays, lambda: "here again" in stays.texts)
        assert len(away.welcomes) == 1  # nobody was thrown out
