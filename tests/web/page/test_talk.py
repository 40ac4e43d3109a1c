"""Talking: with other pages, with `nc` and with the terminal client, and by keyboard alone."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import ExitStack

from playwright.sync_api import Browser, expect

from tests.cli.running import Caller, ServerProcess, clean_environment
from tests.web.page.conftest import Open
from tests.web.page.screen import PATIENCE_MILLISECONDS, Screen, new_screen
from tests.web.page.wire import Wire


def hear(caller: Caller, line: str) -> None:
    """Read until a line has come; the patience of its socket has an end."""
    while (heard := caller.line()) != line:
        assert heard, f"the connection has ended before {line}"


def test_two_pages_talk(open_page: Open) -> None:
    anna, ben = open_page("/#nick=anna"), open_page("/#nick=ben")
    anna.say("hello ben")
    ben.hears("hello ben")
    ben.say("/me waves")
    anna.hears("waves")
    # One's own words stand there once, and the room has them.
    anna.hears("hello ben")
    state = anna.rows.filter(has_text="hello ben").locator(".state")
    expect(state).to_have_attribute("data-state", "stored")
    expect(anna.page.locator("#pending .row")).to_have_count(0)


def test_a_page_talks_with_plain_text(open_page: Open, server: ServerProcess) -> None:
    page = open_page("/#nick=paula")
    with server.enter("nora") as nora:
        nora.say("from a shell")
        page.hears("from a shell")
        page.say("//etc is a folder")
        hear(nora, "paula: /etc is a folder")
        page.say("/me nods")
        hear(nora, "* paula nods")
        page.say("/nick pauline")
        hear(nora, "-- paula is now pauline")


def test_a_page_talks_with_the_terminal_client(open_page: Open, server: ServerProcess) -> None:
    page = open_page("/#nick=quentin")
    command = [sys.executable, "-m", "chatroom", "client", "--port", str(server.port)]
    client = subprocess.Popen(
        [*command, "--nick", "tara", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    )
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("from a terminal\n")
        client.stdin.flush()
        page.hears("from a terminal")
        page.say("from a browser")
        assert any("from a browser" in line for line in iter(client.stdout.readline, ""))
        client.kill()


def test_opens_as_a_guest_and_takes_a_name_by_clicking(open_page: Open) -> None:
    page = open_page()
    assert re.fullmatch(r"guest\d+", page.nick())
    page.page.locator("#nick").click()
    page.page.keyboard.type("guest")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#nick-problem")).to_contain_text("not to be chosen")
    page.page.get_by_label("Your name", exact=True).fill("gloria")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#own-nick")).to_have_text("gloria")
    expect(page.input).to_be_focused()
    page.page.reload()
    page.wait_live()
    expect(page.page.locator("#own-nick")).to_have_text("gloria")


def test_a_taken_name_makes_a_guest(open_page: Open) -> None:
    open_page("/#nick=theo")
    second = open_page("/#nick=theo")
    assert second.nick().startswith("guest")
    expect(second.log).to_contain_text("theo is taken: you are guest")


def test_completes_the_latest_speaker_first(mia: Screen, server: ServerProcess) -> None:
    with server.enter("silvia") as silvia, server.enter("silas") as silas:
        silas.say("first word of silas")
        mia.hears("first word of silas")
        silvia.say("last word of silvia")
        mia.hears("last word of silvia")
        mia.input.press_sequentially("si")
        mia.input.press("Tab")
        expect(mia.input).to_have_value("silvia: ")
        mia.input.press("Tab")
        expect(mia.input).to_have_value("silas: ")
        mia.input.press_sequentially("and SIL")
        mia.input.press("Tab")
        expect(mia.input).to_have_value("silas: and silvia ")
        mia.input.fill("")
        mia.input.press("Tab")  # nothing to complete: the focus goes on
        expect(mia.input).not_to_be_focused()


def test_brings_back_what_was_said(mia: Screen) -> None:
    mia.say("older words")
    mia.say("newer words")
    mia.input.press_sequentially("begun")
    for key, value in [
        ("ArrowUp", "newer words"),
        ("ArrowUp", "older words"),
        ("ArrowUp", "older words"),
        ("ArrowDown", "newer words"),
        ("ArrowDown", "begun"),
    ]:
        mia.input.press(key)
        expect(mia.input).to_have_value(value)


def test_shows_many_lines_before_they_are_sent(mia: Screen) -> None:
    mia.input.fill("pasted one\n\npasted two")
    expect(mia.hint).to_contain_text("2 lines")
    box = mia.input.bounding_box()
    assert box is not None
    assert box["height"] > 55  # all of it is seen
    mia.input.press("Enter")
    mia.hears("pasted one")
    mia.hears("pasted two")
    mia.input.fill("pasted three\n/unknown")
    mia.input.press("Enter")
    expect(mia.hint).to_contain_text("Line 2: unknown command /unknown")
    expect(mia.input).to_have_value("pasted three\n/unknown")
    expect(mia.texts("pasted three")).to_have_count(0)


def test_a_long_text_is_refused_before_it_is_sent(mia: Screen) -> None:
    mia.say("ä" * 513)
    expect(mia.hint).to_have_text("Too long by 2 bytes: a message has at most 1,024.")
    expect(mia.input).to_have_value("ä" * 513)
    expect(mia.page.locator("#pending .row")).to_have_count(0)


def test_a_refusal_stands_beside_its_message(mia: Screen) -> None:
    text = '"' * 900  # within the limit, but not once it is escaped for the feed
    mia.say(text)
    refused = mia.page.locator(".refused")
    expect(refused).to_contain_text("not said: the text takes")
    refused.get_by_role("button", name="Edit and say again").click()
    expect(mia.input).to_have_value(text)
    expect(mia.input).to_be_focused()
    expect(refused).to_have_count(0)


def test_commands_are_answered(open_page: Open) -> None:
    page = open_page("/#nick=zeno")
    page.say("/help")
    expect(page.log).to_contain_text("/me ACTION")
    page.say("/who")
    expect(page.log).to_contain_text(re.compile(r"\d+ here: .*zeno"))
    page.say("/ping")
    expect(page.log).to_contain_text(re.compile(r"answers within [\d.,]+ ms"))
    page.say("/dance")
    expect(page.hint).to_have_text("unknown command /dance, /help lists them")
    page.say("/quit")
    expect(page.phase).to_have_text("not connected")
    page.page.get_by_role("button", name="Come back").click()
    page.wait_live()
    assert page.nick() == "zeno"


def test_what_the_room_is_about(mia: Screen, server: ServerProcess) -> None:
    topic = mia.page.locator("#topic")
    with server.enter("tom") as tom:
        tom.say("/topic all about cats")
        expect(topic).to_have_text("all about cats")
        expect(mia.rows.last).to_contain_text("tom says what the room is about: all about cats")
        mia.say("/topic -")
        expect(topic).to_have_text("")
        expect(mia.rows.last).to_contain_text("mia says that the room has no topic any more")


def test_what_was_removed_is_hidden(browser: Browser, server: ServerProcess) -> None:
    with new_screen(browser) as page:
        wire = Wire(page)
        page.open(server.port, "/#nick=pia")
        with server.enter("rude") as rude:
            rude.say("something rude", "something kind")
            page.hears("something kind")
            row = page.rows.filter(has_text="something rude")
            seq = int(row.get_attribute("data-seq") or "")
            time = "2026-11-25T10:00:00.000000Z"
            redaction = {"time": time, "kind": "redaction", "nick": "olga", "of": seq}
            wire.tell({"seq": seq + 2, **redaction})
            expect(row).to_have_count(0)
            expect(page.rows.filter(has_text="rude removed")).to_have_count(1)
            expect(page.rows.last).to_contain_text("olga removed a message")
            # As history has it from then on.
            wire.tell({"seq": seq + 3, "time": time, "kind": "message", "nick": "rude"})
            expect(page.rows.filter(has_text="rude removed")).to_have_count(2)
            kick = {"kind": "leave", "nick": "rude", "reason": "kicked", "by": "olga"}
            wire.tell({"seq": seq + 4, "time": time, **kick, "text": "be nice"})
            expect(page.rows.last).to_contain_text("rude left (kicked by olga: be nice)")


def test_who_comes_and_goes(mia: Screen, server: ServerProcess) -> None:
    names = mia.page.locator("#names")
    with server.enter("brief"):
        expect(names.get_by_role("button", name="brief")).to_be_visible()
        expect(mia.rows.last).to_contain_text("brief joined")
        names.get_by_role("button", name="brief").click()
        expect(mia.input).to_have_value("brief: ")
    expect(names.get_by_role("button", name="brief")).to_have_count(0)
    expect(mia.rows.last).to_contain_text("brief left")


def test_by_keyboard_alone(open_page: Open) -> None:
    page = open_page("/#nick=kim")
    expect(page.input).to_be_focused()
    page.page.keyboard.type("by keyboard")
    page.page.keyboard.press("Enter")
    page.hears("by keyboard")
    reached = set()
    for _ in range(40):
        page.page.keyboard.press("Shift+Tab")
        reached.add(page.evaluate("() => document.activeElement.id"))
    assert {"nick", "log", "bell", "show-search", "show-people"} <= reached
    page.page.locator("#show-search").focus()
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_label("Words to find")).to_be_focused()
    page.page.keyboard.press("Escape")
    expect(page.page.locator("#search")).to_be_hidden()
    expect(page.input).to_be_focused()


def test_listens_only(open_page: Open, server: ServerProcess) -> None:
    wall = open_page("/#listen")
    expect(wall.page.locator("#composer")).to_be_hidden()
    expect(wall.page.locator("#listening")).to_be_visible()
    with server.enter("lena") as lena:
        lena.say("for the wall")
        wall.hears("for the wall")


def test_names_in_a_long_room_come_in_pages(browser: Browser) -> None:
    with ServerProcess("--presence-limit", "5") as crowd, ExitStack() as callers:
        for number in range(230):
            callers.enter_context(crowd.enter(f"member{number:03}"))
        page = callers.enter_context(new_screen(browser))
        page.open(crowd.port, "/#nick=late")
        expect(page.page.locator("#count")).to_have_text("231")
        names = page.page.locator("#names li")
        expect(names).to_have_count(200)
        expect(page.page.locator("#unannounced")).to_be_visible()
        page.page.get_by_role("button", name="Show more (31)").click()
        expect(names).to_have_count(231)


def test_the_state_shows_the_round_trip(mia: Screen) -> None:
    detail = mia.page.locator("#detail")
    expect(detail).to_have_text(re.compile(r"^[\d.,]+ ms$"), timeout=PATIENCE_MILLISECONDS)
