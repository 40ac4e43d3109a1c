"""What an operator sees of a cluster: figures and health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.conftest import ClusterHouse

if TYPE_CHECKING:
    from tests.cluster.conftest import OpenServer
    from tests.shared_log import MemoryStore


async def _get(house: ClusterHouse, path: str) -> list[str]:
    visitor = await house.knock()
    await visitor.send(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    return await visitor.rest()


async def test_the_figures_have_the_log(open_server: OpenServer) -> None:
    a, _ = await open_server("a"), await open_server("b")
    alice = await a.enter_json("alice")
    await alice.say({"kind": "message", "text": "hello", "id": "1"})
    await alice.object()
    await a.until(lambda: set(a.cluster.statistics.silent_seconds) == {"a", "b"})
    lines = await _get(a, "/metrics")
    assert "chatroom_cluster_reached 1.0" in lines
    assert any(line.startswith('chatroom_cluster_silent_seconds{server="b"} ') for line in lines)
    (count,) = (line for line in lines if "round_trip_seconds_count" in line)
    assert float(count.split()[-1]) >= 2


async def test_a_server_that_is_cut_off_is_not_healthy(
    open_server: OpenServer, store: MemoryStore
) -> None:
    a = await open_server("a")
    assert (await _get(a, "/healthz"))[0].strip() == "HTTP/1.1 200 OK"
    store.go_down()
    await a.until(lambda: not a.cluster.statistics.reached)
    lines = await _get(a, "/healthz")
    assert " 503 " in lines[0]
    assert "cut_off" in lines[-1]
