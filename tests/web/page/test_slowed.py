"""A page whose room takes what it says more slowly: it says so, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.cli.running import ServerProcess
from tests.web.page.conftest import Open


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A room for people who type slowly."""
    with ServerProcess("--talk-rate", "4", "--talk-burst", "5") as server:
        yield server


def test_it_is_told_quietly_and_every_line_arrives(open_page: Open, server: ServerProcess) -> None:
    page = open_page("/#nick=hasty")
    with server.enter("reader") as reader:
        page.say("\n".join(f"line {number}" for number in range(6)))  # all at once: one has to wait
        told = page.log.get_by_text("you are slowed down to 4 messages a second; nothing is lost")
        expect(told.first).to_be_visible()
        heard = [reader.line() for _ in range(6)]
    assert heard == [f"hasty: line {number}" for number in range(6)]
    page.hears("line 5")
    assert page.phase.inner_text() == "live"
