"""The ways to a Redis: a user of its own, TLS, and by asking Sentinels."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from chatroom.order.contract import ORIGIN
from chatroom.order.opening import open_store
from chatroom.order.store import AwayError, UnfitError, UnusableError
from tests.order.servers import Ear, settle
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatroom.order.store import Store
    from tests.order.conftest import RedisServer

#: What a user needs, as CLUSTER.md says it.
_RIGHTS = (
    "resetchannels ~chatroom:* +xadd +xread +xrange +xtrim +incr +hget +hset +hmget +eval +info "
    "+config|get +hello +select +xinfo|stream"
)


async def _works(store: Store) -> None:
    async with store.reach() as link:
        link.append(b"hello", begins=True)
        (row,) = await link.read(ORIGIN, wait=True)
        assert row.data == b"hello"
        assert await link.extent() == (1, 1, row.position)
        assert await link.holds(row.position)
        await link.next_epoch()
        await link.keep(row.position, b"snapshot")
        await link.keep(row.position._replace(number=row.position.number + 1), b"another")
        assert await link.snapshots() == [b"snapshot", b"another"]


async def test_a_user_that_may_do_no_more_than_it_must(redis: RedisServer, tmp_path: Path) -> None:
    await redis.start("--user", "room", "on", ">secret", *_RIGHTS.split())
    file = tmp_path / "password"
    file.write_text("secret\n")
    url = redis.url.replace("unix://", "unix://room@")
    await _works(open_store(url, "lobby", password_file=file))
    file.write_text("wrong\n")
    with pytest.RaisesGroup(pytest.RaisesExc(UnfitError, match="Redis refuses this server")):
        await _works(open_store(url, "lobby", password_file=file))


async def test_a_user_that_may_not_is_told(redis: RedisServer) -> None:
    await redis.start("--user", *["room", "on", ">secret", "~chatroom:*", "+info", "+ping"])
    url = redis.url.replace("unix://", "unix://room:secret@")
    with pytest.RaisesGroup(pytest.RaisesExc(UnfitError, match="Redis refuses this server")):
        await _works(open_store(url, "lobby"))


async def test_a_right_that_is_needed_late_is_missed_at_once(redis: RedisServer) -> None:
    rights = [right for right in _RIGHTS.split() if right != "+eval"]
    await redis.start("--user", "room", "on", ">secret", *rights)
    url = redis.url.replace("unix://", "unix://room:secret@")
    with pytest.RaisesGroup(pytest.RaisesExc(UnfitError, match="eval")):
        async with open_store(url, "lobby").reach():
            pass


@pytest.mark.parametrize(
    ("taken", "given"),
    [("-xadd", "+xadd"), ("-xinfo", "+xinfo|stream"), ("resetpass >other", ">secret")],
)
async def test_who_is_in_the_room_waits_for_what_was_taken_from_it(
    redis: RedisServer, nursery: trio.Nursery, taken: str, given: str
) -> None:
    await redis.start("--user", "room", "on", ">secret", *_RIGHTS.split())
    url = redis.url.replace("unix://", "unix://room:secret@")
    a = Ear(open_store(url, "lobby"), "a")
    await nursery.start(a.run)
    assert a.join("alice") is not None
    await settle(lambda: a.replica.room.nicks(0, 9) == ["alice"])
    assert await redis.command(f"ACL SETUSER room {taken}") == b"+OK\r\n"
    await redis.command("CLIENT KILL USER room")
    await settle(lambda: "away" in a.told)
    await trio.sleep(1)  # it tries again and again
    with trio.fail_after(5), pytest.raises(UnusableError, match="Redis refuses this server"):
        await Ear(open_store(url, "lobby"), "b").run()
    assert await redis.command(f"ACL SETUSER room {given}") == b"+OK\r\n"
    await settle(lambda: a.told[-1] == "back" and a.log.statistics().in_flight == 0)
    assert "out" not in a.told
    assert a.replica.room.nicks(0, 9) == ["alice"]


async def _wait_listening(port: int) -> None:
    with trio.fail_after(30):
        while True:
            try:
                await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
            except OSError:
                await trio.sleep(0.02)
            else:
                return


async def test_over_tls_to_whom_one_trusts_only(redis: RedisServer, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    port = free_port()
    where = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    await redis.start(*where, "--tls-cert-file", certificate, "--tls-key-file", key)
    await _wait_listening(port)
    await _works(open_store(f"rediss://127.0.0.1:{port}?ca={certificate}", "lobby"))
    with pytest.RaisesGroup(AwayError):
        await _works(open_store(f"rediss://127.0.0.1:{port}", "lobby"))


@contextmanager
def _sentinel(directory: Path, master: int, port: int) -> Iterator[None]:
    file = directory / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
        f"sentinel monitor main 127.0.0.1 {master} 1\n"
    )
    command = ["redis-server", str(file), "--sentinel"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_sentinels_say_where_it_is(redis: RedisServer, tmp_path: Path) -> None:
    master, sentinel = free_port(), free_port()
    await redis.start_at(master, "--appendonly", "yes", "--appendfsync", "always")
    with _sentinel(tmp_path, master, sentinel):
        await _wait_listening(sentinel)
        # The first is none.
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}"
        await _works(open_store(f"{url}/main", "lobby"))
        async with open_store(f"{url}/main", "lobby").reach() as link:
            # Another one may take its place, which has not got everything.
            assert link.keeping.proven is False
        known = f"redis+sentinel://127.0.0.1:{sentinel}"
        with pytest.RaisesGroup(pytest.RaisesExc(AwayError, match="no Sentinel knows where other")):
            await _works(open_store(f"{known}/other", "lobby"))


async def test_a_sentinel_that_does_nothing_is_passed_over_and_asked_last(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.order.redis.SENTINEL_SECONDS", 0.3)
    master, sentinel = free_port(), free_port()
    await redis.start_at(master)
    with socket.create_server(("127.0.0.1", 0)) as deaf, _sentinel(tmp_path, master, sentinel):
        await _wait_listening(sentinel)
        hosts = f"127.0.0.1:{deaf.getsockname()[1]},127.0.0.1:{sentinel}"
        store = open_store(f"redis+sentinel://{hosts}/main", "lobby")
        await _works(store)
        deaf.setblocking(False)
        deaf.accept()[0].close()
        async with store.reach():
            pass
        with pytest.raises(BlockingIOError):
            deaf.accept()
        with pytest.RaisesGroup(pytest.RaisesExc(AwayError, match="Sentinel 127.0.0.1")):
            await _works(open_store(f"redis+sentinel://127.0.0.1:{deaf.getsockname()[1]}/main", ""))


def _certificate(directory: Path) -> tuple[str, str]:
    certificate, key = directory / "cert.pem", directory / "key.pem"
    how = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    whose = ["-addext", "subjectAltName=IP:127.0.0.1"]
    where = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", *how.split(), *whose, *where]
    subprocess.run(command, check=True, capture_output=True)
    return str(certificate), str(key)
