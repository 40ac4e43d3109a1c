"""A room that is not open to everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.cli.running import ServerProcess
from tests.web.page.screen import Screen, new_screen
from tests.web.page.wire import Wire


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A room with a secret."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("open sesame\n")
    with ServerProcess("--access", "secret", "--secret-file", str(secret)) as server:
        yield server


@pytest.fixture
def ali(browser: Browser) -> Iterator[Screen]:
    with new_screen(browser) as screen:
        yield screen


def test_asks_who_comes_in(server: ServerProcess, ali: Screen) -> None:
    wire = Wire(ali)
    ali.page.goto(f"http://127.0.0.1:{server.port}/#nick=ali")
    why = ali.page.locator("#login-why")
    expect(why).to_have_text("This room asks who comes in.")
    assert ali.violations() == []
    password = ali.page.get_by_label("Secret or password")
    password.fill("open says me")
    password.press("Enter")
    expect(why).to_have_text("That was not right. Try again?")
    expect(password).to_be_focused()
    password.fill("open sesame")
    password.press("Enter")
    ali.wait_live()
    expect(ali.page.locator("#login")).to_be_hidden()
    assert ali.nick() == "ali"
    # It is not asked for again when the connection breaks.
    wire.cut()
    expect(ali.phase).to_have_text("offline")
    ali.evaluate("() => dispatchEvent(new Event('online'))")  # if it has not tried yet
    ali.wait_live()
    expect(ali.page.locator("#login")).to_be_hidden()
    # And nothing of it is left in the browser.
    kept = ali.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert "sesame" not in kept
    assert password.input_value() == ""
