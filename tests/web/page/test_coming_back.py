"""The server goes away and comes back: nothing is lost, nothing is said twice."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.cli.running import ServerProcess
from tests.ports import free_port
from tests.web.page.screen import Screen, new_screen
from tests.web.page.wire import Wire


@pytest.fixture
def port() -> int:
    """A free port, for servers that follow each other on it."""
    return free_port()


@pytest.fixture
def anna(browser: Browser) -> Iterator[Screen]:
    with new_screen(browser) as screen:
        yield screen


@contextmanager
def room(port: int, journal: Path | str) -> Iterator[ServerProcess]:
    with ServerProcess("--port", str(port), "--journal", str(journal)) as server:
        yield server


def said(server: ServerProcess) -> list[str]:
    """All that was said, as the room remembers it."""
    with server.knock() as caller:
        caller.say("/json {}", '{"kind":"history","limit":1000}')
        while (answer := json.loads(caller.line()))["kind"] != "history":
            pass
    return [event["text"] for event in answer["events"] if event["kind"] == "message"]


def come_back(screen: Screen) -> None:
    """Not to wait for the next try."""
    screen.evaluate("() => dispatchEvent(new Event('online'))")
    screen.wait_live()


def test_a_server_in_good_order(port: int, anna: Screen, browser: Browser, tmp_path: Path) -> None:
    with room(port, tmp_path / "room.db") as server, new_screen(browser) as ben:
        anna.open(port, "/#nick=anna")
        ben.open(port, "/#nick=ben")
        anna.say("before")
        ben.hears("before")
        anna.hears("before")  # the room has it
        server.signal(signal.SIGTERM)
        server.wait()
        expect(anna.phase).to_have_text("offline")
        expect(anna.page.locator("#detail")).to_have_text(re.compile("next try in [0-9]+ s"))
        anna.say("while away")
        waiting = anna.page.locator("#pending .state")
        expect(waiting).to_have_attribute("data-state", "waiting")
        with room(port, tmp_path / "room.db") as again:
            with again.enter("carl") as carl:
                carl.say("meanwhile", "/ping")
                while carl.line() != "-- pong":  # then the room has it
                    pass
                assert said(again) == ["before", "meanwhile"]
                come_back(anna)
                come_back(ben)
                for screen in (anna, ben):
                    for text in ("before", "meanwhile", "while away"):
                        screen.hears(text)
            assert anna.nick() == "anna"
            assert said(again) == ["before", "meanwhile", "while away"]
            expect(anna.page.locator(".divider")).to_have_count(0)


def test_a_killed_server_with_its_journal(port: int, anna: Screen, tmp_path: Path) -> None:
    with room(port, tmp_path / "room.db") as server:
        anna.open(port, "/#nick=anna")
        anna.say("stored")
        expect(anna.rows.last.locator(".state")).to_have_attribute("data-state", "stored")
        server.signal(signal.SIGSTOP)
        anna.say("never read")
        expect(anna.page.locator("#pending .state")).to_have_attribute("data-state", "sent")
        server.signal(signal.SIGKILL)
        server.wait()
        expect(anna.phase).to_have_text("offline")
        anna.say("while away")
    with room(port, tmp_path / "room.db") as again:
        come_back(anna)
        anna.hears("stored")
        anna.hears("while away")
        # No number is missing, so what is not there was not said: it is said again by itself.
        expect(anna.page.locator(".divider.session")).to_have_text("The room was started again")
        expect(anna.page.locator(".divider.gap")).to_have_count(0)
        anna.hears("never read")
        expect(anna.page.locator(".refused")).to_have_count(0)
        assert said(again) == ["stored", "never read", "while away"]


def test_a_killed_server_whose_mark_is_lost(port: int, anna: Screen, tmp_path: Path) -> None:
    journal = tmp_path / "room.db"
    with room(port, journal) as server:
        anna.open(port, "/#nick=anna")
        anna.say("stored")
        expect(anna.rows.last.locator(".state")).to_have_attribute("data-state", "stored")
        server.signal(signal.SIGSTOP)
        anna.say("never read")
        expect(anna.page.locator("#pending .state")).to_have_attribute("data-state", "sent")
        server.signal(signal.SIGKILL)
        server.wait()
        expect(anna.phase).to_have_text("offline")
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("UPDATE state SET run = ''")
    with room(port, journal) as again:
        come_back(anna)
        anna.hears("stored")
        # Nobody can say what was lost: the page says so, and leaves it to the person.
        gap = anna.page.locator(".divider.gap")
        expect(gap).to_have_text("What was said last may be missing here")
        doubtful = anna.page.locator(".refused")
        expect(doubtful).to_contain_text("not known whether this was said")
        assert said(again) == ["stored"]
        doubtful.get_by_role("button", name="Edit and say again").click()
        anna.input.press("Enter")
        anna.hears("never read")
        expect(doubtful).to_have_count(0)
        assert said(again) == ["stored", "never read"]


def test_a_room_without_a_disk_begins_anew(port: int, anna: Screen) -> None:
    with room(port, ":memory:") as server:
        anna.open(port, "/#nick=anna")
        anna.say("in the old log")
        anna.hears("in the old log")
        server.signal(signal.SIGKILL)
        server.wait()
        expect(anna.phase).to_have_text("offline")
    with room(port, ":memory:") as again, again.enter("carl") as carl:
        carl.say("in the new log")
        come_back(anna)
        anna.hears("in the old log")
        anna.hears("in the new log")
        expect(anna.page.locator(".divider.session")).to_contain_text("began anew")


def test_what_lost_its_ack_is_found_in_the_replay(port: int, anna: Screen, tmp_path: Path) -> None:
    wire = Wire(anna)
    with room(port, tmp_path / "room.db") as server, server.enter("carl") as carl:
        anna.open(port, "/#nick=anna")
        anna.say("twice the same")
        anna.hears("twice the same")
        wire.withheld = '"kind":"ack"'
        anna.say("twice the same")
        anna.say("and another")
        while carl.line() != "anna: and another":
            pass
        carl.say("seen behind it")
        anna.hears("seen behind it")
        wire.cut()
        come_back(anna)
        anna.hears("and another")
        anna.hears("twice the same", times=2)
        anna.hears("seen behind it")
        expect(anna.page.locator("#pending .row")).to_have_count(0)
        assert said(server) == ["twice the same"] * 2 + ["and another", "seen behind it"]
        # The room had not noticed: the name was taken back from one's own dead connection.
        assert anna.nick() == "anna"
        while not (line := carl.line()).startswith("-- anna left"):
            assert line
        assert line == "-- anna left (replaced)"


def test_a_rename_that_lost_its_ack_is_found_and_so_is_what_was_said_behind_it(
    port: int, anna: Screen, tmp_path: Path
) -> None:
    wire = Wire(anna)
    with room(port, tmp_path / "room.db") as server, server.enter("carl") as carl:
        anna.open(port, "/#nick=anna")
        wire.withheld = '"kind":"ack"'
        anna.say("/nick hanna")
        anna.say("said once")
        while carl.line() != "hanna: said once":
            pass
        wire.cut()
        come_back(anna)
        anna.hears("said once")
        expect(anna.page.locator("#own-nick")).to_have_text("hanna")
        anna.say("goes on")
        anna.hears("goes on")
        while (line := carl.line()) != "hanna: goes on":
            assert "is now" not in line
            assert "said once" not in line
        expect(anna.page.locator("#pending .row")).to_have_count(0)
        assert said(server) == ["said once", "goes on"]


def test_a_name_that_is_not_stored_is_ones_own_all_the_same(port: int, anna: Screen) -> None:
    wire = Wire(anna)
    with room(port, ":memory:") as server, server.enter("carl") as carl:
        anna.open(port, "/#nick=anna")
        wire.withheld = '"kind":"ack"'
        anna.say("/nick hanna")
        while carl.line() != "-- anna is now hanna":
            pass
        wire.tell({"kind": "error", "code": "not_stored", "text": "the disk is full", "id": "s1"})
        expect(anna.log).to_contain_text("the disk is full")
        expect(anna.page.locator("#names li")).to_have_text(["carl", "hanna"])
        expect(anna.page.locator("#own-nick")).to_have_text("hanna")


def test_a_rename_that_was_not_heard_is_asked_for_again(
    port: int, anna: Screen, tmp_path: Path
) -> None:
    wire = Wire(anna)
    with room(port, tmp_path / "room.db") as server, server.enter("carl") as carl:
        anna.open(port, "/#nick=anna")
        lost: list[str] = []
        wire.up = lambda frame: lost.append(frame) or ""  # type: ignore[func-returns-value]
        anna.say("/nick hanna")
        anna.say("said once")
        while not any("said once" in frame for frame in lost):
            anna.evaluate("() => 0")  # what the page sends comes by here meanwhile
        wire.up = lambda frame: frame
        wire.cut()
        come_back(anna)
        anna.hears("said once")
        expect(anna.page.locator("#own-nick")).to_have_text("hanna")
        while (line := carl.line()) != "-- anna is now hanna":
            assert line
        assert carl.line() == "hanna: said once"
        assert said(server) == ["said once"]


def test_nobody_waits_for_a_name_who_is_shown_out(port: int, anna: Screen, tmp_path: Path) -> None:
    wire = Wire(anna)
    with room(port, tmp_path / "room.db"):
        anna.open(port, "/#nick=anna")
        wire.up = lambda frame: "" if "rename" in frame else frame
        anna.say("/nick hanna")
        wire.tell({"kind": "bye", "reason": "kicked", "text": "you were shown out"})
        wire.cut()
        expect(anna.log).to_contain_text("not connected to the room")
        expect(anna.page.locator("#own-nick")).to_have_text("anna")


def test_who_finds_the_new_name_taken_is_told_and_keeps_the_old_one(
    port: int, anna: Screen, tmp_path: Path
) -> None:
    wire = Wire(anna)
    with room(port, tmp_path / "room.db") as server, server.enter("carl") as carl:
        anna.open(port, "/#nick=anna")
        wire.withheld = '"kind":"ack"'
        anna.say("/nick hanna")
        while carl.line() != "-- anna is now hanna":
            pass
        # As if somebody else had it: the token, by which it is taken back, does not arrive.
        wire.up = lambda frame: frame.replace('"hanna","token"', '"hanna","was"')
        wire.cut()
        come_back(anna)
        expect(anna.log).to_contain_text("hanna is taken")
        expect(anna.page.locator("#own-nick")).to_have_text("anna")
        assert said(server) == []


@pytest.mark.parametrize(
    "deed",
    [
        "dispatchEvent(new Event('online'))",
        "document.dispatchEvent(new Event('visibilitychange'))",
        "document.querySelector('#retry').click()",
    ],
)
def test_comes_back_at_once(port: int, anna: Screen, deed: str) -> None:
    wire = Wire(anna)
    with room(port, ":memory:"):
        anna.open(port)
        # Waiting alone would never bring it back.
        anna.evaluate("() => { window.setTimeout = () => 0; }")
        wire.cut()
        expect(anna.phase).to_have_text("offline")
        anna.evaluate(f"() => {{ {deed} }}")
        anna.wait_live()


def test_missed_events_are_counted(port: int, anna: Screen) -> None:
    wire = Wire(anna)
    options = ("--keep-events", "1000", "--port", str(port))
    with ServerProcess(*options) as server, server.enter("carl") as carl:
        anna.open(port, "/#nick=anna")
        wire.withheld = '"seq"'
        carl.say(*(f"number {number}" for number in range(1200)), "/ping")
        while carl.line() != "-- pong":
            pass
        carl.say("the last")
        wire.cut()
        come_back(anna)
        anna.hears("the last")
        missed = anna.page.locator(".divider.gap")
        anna.press_until("Home", missed.is_visible)
        expect(missed).to_have_text(re.compile("^2[0-9][0-9] events missing here$"))
