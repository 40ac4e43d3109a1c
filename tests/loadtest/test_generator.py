"""The generator's own part of a comparison."""

from __future__ import annotations

import pytest

from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import Dialect
from loadtest.generator import Assignment, perform


@pytest.mark.parametrize("name", ["plain", "json", "ws", "redis"])
def test_no_bot_of_a_comparison_says_goodbye(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken: list[Dialect] = []

    def run(_run_alone: object, _settings: SwarmSettings, dialect: Dialect) -> None:
        spoken.append(dialect)

    monkeypatch.setattr("trio.run", run)
    perform(Assignment(SwarmSettings(dialect=name)))
    assert [(dialect.name, dialect.goodbye) for dialect in spoken] == [(name, b"")]
