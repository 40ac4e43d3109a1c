"""The options of a server that is one of several."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer

from chatroom.cli.clustering import ClusterOptions, cluster_options
from tests.cli.running import clean_environment
from tests.order.conftest import RedisServer, redis

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["redis"]

URL = "redis://127.0.0.1:6379/0"


def chosen(
    url: str | None = URL,
    name: str | None = "a",
    *advertised: str,
    listens: tuple[str, int] = ("127.0.0.1", 9009),
) -> ClusterOptions | None:
    return cluster_options(url, name, advertised, None, listens=listens, power=False)


@pytest.mark.parametrize("name", [None, "", "two words", "x" * 33, "../a"])
def test_each_server_has_a_name(name: str | None) -> None:
    with pytest.raises(typer.BadParameter, match="name of its own"):
        chosen(name=name)


def test_what_is_of_several_servers_wants_a_cluster() -> None:
    assert chosen(None, None) is None
    for name, advertised in (("a", ()), (None, ("h:1",))):
        with pytest.raises(typer.BadParameter, match="give --cluster too"):
            chosen(None, name, *advertised)


@pytest.mark.parametrize(
    ("listens", "addresses"),
    [
        (("127.0.0.1", 9009), ("127.0.0.1:9009",)),
        (("::1", 9009), ("[::1]:9009",)),
        (("0.0.0.0", 9009), ()),  # nobody can be told to go there
        (("127.0.0.1", 0), ()),
    ],
)
def test_where_clients_find_it(listens: tuple[str, int], addresses: tuple[str, ...]) -> None:
    options = chosen(listens=listens)
    assert options is not None
    assert options.addresses == addresses


@pytest.mark.parametrize("address", ["host", "host:", ":9009", "host:0", "host:65536", "host:x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(typer.BadParameter, match="HOST:PORT"):
        chosen(URL, "a", address)


async def test_servers_that_share_a_directory_have_a_journal_each(
    redis: RedisServer, tmp_path: Path
) -> None:
    await redis.start()
    command = [sys.executable, "-m", "chatroom", "serve", "--port", "0", "--no-multicast"]
    for name in "ab":
        server = subprocess.Popen(
            [*command, "--cluster", redis.url, "--name", name],
            stderr=subprocess.PIPE,
            env=clean_environment(),
            cwd=tmp_path,
        )
        with server:
            assert server.stderr is not None
            assert any(b" ready " in line for line in server.stderr)
            server.terminate()
            server.stderr.read()
        assert server.returncode == 0
    assert {"chatroom-a.db", "chatroom-b.db"} <= {path.name for path in tmp_path.iterdir()}
