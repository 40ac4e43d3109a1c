"""What a server's process may have."""

from __future__ import annotations

import resource

import pytest

from chatroom.server.process import raise_descriptor_limit

#: Beside the clients: the lobby's, those who are turned away, and the server's own.
OTHERS = 128 + 128 + 64


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What `ulimit -n` says, soft and hard; the last is what holds."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    return limits


def test_it_takes_what_it_may_have(limits: list[tuple[int, int]]) -> None:
    raise_descriptor_limit(10)
    assert limits[-1] == (4096, 4096)


@pytest.mark.parametrize(
    ("clients", "hard", "warns"),
    [
        (4096 - OTHERS, 4096, False),
        (4097 - OTHERS, 4096, True),
        (100_000, resource.RLIM_INFINITY, False),
    ],
)
def test_it_says_if_the_clients_do_not_fit(
    limits: list[tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
    clients: int,
    hard: int,
    warns: bool,
) -> None:
    limits[-1] = (1024, hard)
    raise_descriptor_limit(clients)
    assert [f"--max-clients {clients} " in message for message in caplog.messages] == [True] * warns
