"""What a terminal is given to show, and what typed lines mean; no terminal, no connection."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.client.errors import NotStored, RoomError, TextTooLong, Unconfirmed
from chatroom.client.items import Connected
from chatroom.client.terminal.colours import Colours
from chatroom.client.terminal.commands import COMMANDS, help_lines, read, size_bytes
from chatroom.client.terminal.completion import Completion, candidates
from chatroom.client.terminal.inputs import TypedLines
from chatroom.client.terminal.people import People
from chatroom.client.terminal.pipe import what_became
from chatroom.client.terminal.render import BELL, Renderer, plain
from chatroom.client.terminal.unread import AWAY_SECONDS, Unread
from chatroom.event import Event, Gap, encode_event
from chatroom.protocol.answers import Limits, Presence, Welcome
from chatroom.room.visible import MARKS, json_safe, visible

TIME = "2026-11-22T13:17:42.123456Z"


def message(nick: str, text: str, seq: int = 1, kind: str = "message") -> Event:
    return Event(seq, TIME, kind, nick, text)


def connected(*nicks: str, count: int | None = None, seq: int = 0) -> Connected:
    count = len(nicks) if count is None else count
    welcome = Welcome(1, "lobby", "S", nicks[0], "t", seq, nicks, count, Limits(1024), None)
    return Connected(welcome, again=False, missed=0, behind=0, new_log=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, näh, 日本語, 👍🏽", "plain text, näh, 日本語, 👍🏽"),
        ("\x1b[2J\x1b]0;title\x07", "�[2J�]0;title�"),
        ("\x9b2J\x85\x7f", "�2J��"),
        ("a\u202eb\u2066c\u200fd\u061ce", "a�b�c�d�e"),
        ("one\u2028two\u2029three\r\nfour", "one�two�three��four"),
        ("a\u200bb\ufeffc\u2060d\u00ade", "a�b�c�d�e"),
        ("tab\there", "tab    here"),
        ("👨\u200d👩\u200d👧 क्\u200cष", "👨\u200d👩\u200d👧 क्\u200cष"),
        ("\u200dlonely\u200d \u200c", "lonely "),
        ("z" + "\u0300" * 50 + "a", "z" + "\u0300" * MARKS + "a"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def _naive(text: str) -> str:
    """`visible`, a character at a time."""
    shown, marks = "", 0
    for index, one in enumerate(text):
        category = unicodedata.category(one)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        around = text[max(0, index - 1) : index] + text[index + 1 : index + 2]
        if one == "\t":
            shown += "    "
        elif one in "\u200c\u200d":
            joins = len(around) == 2 and all(unicodedata.category(of)[0] in "LMS" for of in around)
            shown += one if joins else ""
        elif category in ("Cc", "Cs", "Zl", "Zp", "Cf"):
            shown += "\ufffd"
        elif marks <= MARKS:
            shown += one
    return shown


ODD = "a1 \t\x07\u00a0\u00ad\u0301\u0488\u0903\u200b\u200c\u200d\u2028\u202e\ud800日\U0001f468"


@given(st.one_of(st.text(), st.text(st.sampled_from(ODD))))
def test_it_is_the_same_as_a_character_at_a_time(text: str) -> None:
    assert visible(text) == _naive(text)


def test_marks_begin_where_they_are_looked_for() -> None:
    assert all(unicodedata.category(chr(code)) not in ("Mn", "Me") for code in range(0x300))


@given(st.text())
def test_nothing_visible_moves_the_cursor(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    bad = {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.category(one) for one in shown} & bad
    assert visible(shown) == shown or "\u200c" in shown or "\u200d" in shown


@given(st.text(st.characters(codec="utf-8")))
def test_json_on_a_terminal_is_harmless_and_the_same(text: str) -> None:
    event = message("bob", text)
    line = json_safe(encode_event(event))
    assert msgspec.json.decode(line, type=Event) == event
    assert json.loads(line).get("text", "") == text
    assert visible(line.decode()).replace("�", "") == line.decode().replace("�", "") or (
        {unicodedata.category(one) for one in line.decode()} & {"Mn", "Me"}
    )


def test_plain_is_the_format_of_the_protocol() -> None:
    assert plain(message("bob", "hi")) == "bob: hi"
    assert plain(message("bob", "waves", kind="action")) == "* bob waves"
    assert plain(Event(1, TIME, "join", "bob")) == "-- bob joined"
    assert plain(Event(1, TIME, "leave", "bob", reason="quit")) == "-- bob left (quit)"
    assert plain(Event(1, TIME, "rename", "bob", to="rob")) == "-- bob is now rob"
    kicked = Event(1, TIME, "leave", "bob", "be nice", reason="kicked", by="olga")
    assert plain(kicked) == "-- bob left (kicked by olga: be nice)"
    assert plain(Event(1, TIME, "topic", "olga", "cats")) == "-- olga set the topic: cats"
    assert plain(Event(2, TIME, "redaction", "olga", of=1)) == (
        "-- olga removed what was said in #1"
    )
    assert plain(message("bob", "")) == "bob: (removed)"
    assert plain(Event(1, TIME, "poll", "bob")) == "-- bob: poll"
    assert plain(Gap(41, 43)) == "-- a gap: #41 to #43 are missing"
    assert plain(message("b\nb\x1b[m", "x\n-- bob joined")) == "b�b�[m: x�-- bob joined"


def test_a_day_line_stands_where_a_day_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    render = Renderer(Colours(wanted=False), "alice")
    monkeypatch.setenv("TZ", "UTC")
    late = Event(1, "2026-11-22T12:59:00.000000Z", "message", "bob", "late")
    next_day = Event(2, "2026-11-23T12:01:00.000000Z", "message", "bob", "early")
    assert render.item(late)[0] == "── Sunday 22 November 2026 ──"
    assert len(render.item(late)) == 1
    assert render.item(next_day)[0] == "── Monday 23 November 2026 ──"


@pytest.mark.parametrize(
    ("text", "rings"),
    [
        ("hello Alice", True),
        ("alice: look", True),
        ("malice and alicent", False),
        ("ask @alice!", True),
        ("nothing", False),
    ],
)
def test_ones_own_name_rings(text: str, rings: bool) -> None:
    render = Renderer(Colours(wanted=True), "alice")
    line = render.item(message("bob", text))[-1]
    assert (BELL in line) is rings
    assert ("\x1b[1;7m" in line) is rings
    assert BELL not in render.item(message("bob", text), old=True)[-1]
    assert BELL not in render.item(message("alice", text))[-1]


def test_a_nick_has_the_same_colour_every_day_and_no_colour_is_none() -> None:
    colours = Colours.for_terminal({"TERM": "xterm-256color"}, wanted=True)
    assert colours.nick("alice") == "\x1b[38;5;64malice\x1b[0m"
    assert colours.nick("ALICE").replace("ALICE", "alice") == colours.nick("alice")
    assert len({colours.nick(f"n{number}")[:11] for number in range(300)}) > 30
    for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
        render = Renderer(Colours.for_terminal(environment, wanted=True), "alice")
        lines = render.item(message("bob", "hi alice")) + render.item(connected("alice"))
        assert "\x1b" not in "".join(lines)


def test_nicks_are_completed_the_latest_speaker_first() -> None:
    people = People()
    people.see(connected("anna", "andrew", "bob"))
    people.see(message("andrew", "hi", 1))
    people.see(Event(2, TIME, "join", "andy"))
    people.see(message("anna", "hi", 3))
    assert people.nicks() == ["anna", "andrew", "bob", "andy"]
    assert candidates("an", people.nicks()) == ["anna: ", "andrew: ", "andy: "]
    assert candidates("hello AN", people.nicks()) == ["hello anna ", "hello andrew ", "hello andy "]
    assert candidates("/me sees b", people.nicks()) == ["/me sees bob "]
    assert candidates("/h", people.nicks()) == ["/history ", "/help "]


def test_tab_goes_round_and_ends_where_it_began() -> None:
    completion = Completion()
    nicks = ["anna", "andy"]
    texts = ["a"]
    for _ in range(4):
        texts.append(completion.next(texts[-1], nicks))
    assert texts == ["a", "anna: ", "andy: ", "a", "anna: "]
    assert completion.next("anna: ", nicks, -1) == "a"
    assert completion.next("x", nicks) == "x"


def test_people_come_and_go() -> None:
    people = People()
    people.see(connected("alice", "bob", count=2, seq=10))
    people.see(Event(9, TIME, "leave", "bob"))  # replayed: the welcome knows already
    assert (people.count, people.nicks()) == (2, ["alice", "bob"])
    people.see(Event(11, TIME, "join", "carol"))
    people.see(Event(12, TIME, "rename", "carol", to="caz"))
    people.see(Event(13, TIME, "leave", "bob"))
    assert (people.count, people.nicks()) == (2, ["alice", "caz"])
    people.see(Presence(False, 101))
    assert people.count == 101


@pytest.mark.parametrize(
    ("line", "command", "argument"),
    [
        ("hello", "say", "hello"),
        ("//etc/passwd", "say", "/etc/passwd"),
        ("/me waves", "me", "waves"),
        ("/history", "history", ""),
        ("/history 5", "history", "5"),
        ("/quit", "quit", ""),
    ],
)
def test_commands(line: str, command: str, argument: str) -> None:
    typed = read(line)
    assert typed is not None
    assert (typed.command, typed.argument, typed.problem) == (command, argument, "")


def test_a_password_is_not_kept_with_what_was_typed(tmp_path: Path) -> None:
    typed = TypedLines(tmp_path / "typed")
    for line in ("hello", "/login alice secret", "//login is how", "one\n/json {}\ntwo"):
        typed.store_string(line)
    assert (tmp_path / "typed").read_text() == "hello\n//login is how\none\ntwo\n"


def test_a_text_is_as_long_as_it_arrives() -> None:
    assert size_bytes("é") == 2
    assert size_bytes("\udce9\x01") == len("?\ufffd".encode())


@pytest.mark.parametrize("line", ["/nonsense", "/", "/me", "/nick  ", "/history x", "/history 0"])
def test_a_wrong_command_gets_a_hint(line: str) -> None:
    typed = read(line)
    assert typed is not None
    assert typed.command == ""
    assert "/" in typed.problem


def test_an_empty_line_is_nothing_and_help_names_everything() -> None:
    assert read("  ") is None
    assert all(re.search(rf"/{name}\b", "\n".join(help_lines())) for name in COMMANDS)


def test_a_mark_stands_before_the_first_message_that_nobody_saw() -> None:
    unread = Unread(now=0.0)
    assert not unread.came(1.0)
    assert [unread.came(AWAY_SECONDS + later) for later in range(3)] == [True, False, False]
    assert unread.count == 4
    unread.touch(100.0)
    assert (unread.count, unread.came(101.0)) == (0, False)
    assert unread.came(100.0 + AWAY_SECONDS)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            Unconfirmed("the connection broke: not known whether this was said"),
            "may have been said or not: the connection broke before the answer came",
        ),
        (NotStored("…"), "was said, but not stored: it may be missing in the history"),
        (TextTooLong("2 bytes too long\x1b"), "was not said: 2 bytes too long�"),
    ],
)
def test_what_became_of_a_line_is_said_once(error: RoomError, words: str) -> None:
    assert what_became(error) == words


def test_who_comes_back_at_another_server_is_told_at_which() -> None:
    render = Renderer(Colours(wanted=False), "alice")
    back = msgspec.structs.replace(connected("alice"), again=True)
    told = [
        render.item(msgspec.structs.replace(back, server=server))[0].partition("alice")[2]
        for server in ("one:9009", "one:9009", "two:9009", "two:9009", "one:9009")
    ]
    assert told == ["", "", ", on two:9009", "", ", on one:9009"]
