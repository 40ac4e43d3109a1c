"""What was said before: CHATHISTORY, and what a newcomer is given of it."""

from __future__ import annotations

import pytest

from chatroom.event import Event
from chatroom.journal.memory import MemoryJournal
from tests.conftest import OpenHouse
from tests.irc.speaking import IrcVisitor, Told, commands, join, register
from tests.visiting import House

CAPS = "batch", "server-time", "message-tags", "draft/chathistory", "labeled-response"

#: Two joins, and then words, a second after each other, one of which is an action.
_WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]


def _at(seconds: int) -> str:
    return f"2026-11-25T10:00:{seconds:02}.000500Z"


def _stamp(seconds: int, millis: int = 0) -> str:
    return f"timestamp=2026-11-25T10:00:{seconds:02}.{millis:03}Z"


def _with(events: list[Event], keep: int = 5000) -> MemoryJournal:
    journal = MemoryJournal(keep)
    journal.append(events, [], None)
    return journal


def _told_before() -> MemoryJournal:
    joins = [Event(1, _at(1), "join", "bob"), Event(2, _at(2), "join", "carol")]
    talk = [
        Event(seq, _at(seq), "action" if word == "five" else "message", "bob", word)
        for seq, word in enumerate(_WORDS, 3)
    ]
    return _with(joins + talk)


@pytest.fixture
async def old_house(open_room: OpenHouse) -> House:
    """A room in which there has been talk."""
    return await open_room(journal=_told_before())


def _texts(lines: list[Told]) -> list[str]:
    return [
        line.text.removeprefix("\x01ACTION ").removesuffix("\x01")
        for line in lines
        if line.command == "PRIVMSG"
    ]


async def _history(client: IrcVisitor, request: str) -> list[str]:
    lines = await client.answer(f"CHATHISTORY {request}")
    start, *batched, end = lines
    assert start.params[1:] == ["chathistory", "#lobby"]
    reference = start.params[0].removeprefix("+")
    assert end.params == [f"-{reference}"]
    assert all(line.tags["batch"] == reference for line in batched)
    return _texts(batched)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("LATEST #lobby * 3", _WORDS[-3:]),
        ("latest #LOBBY * 100", _WORDS),
        (f"LATEST #lobby {_stamp(8)} 100", _WORDS[6:]),
        (f"LATEST #lobby {_stamp(4)} 2", _WORDS[-2:]),
        ("LATEST #lobby msgid=9 2", None),
        ("LATEST #lobby msgid=SESSION-9 100", _WORDS[7:]),
        (f"BEFORE #lobby {_stamp(5)} 100", _WORDS[:2]),
        (f"BEFORE #lobby {_stamp(5, 1)} 2", _WORDS[1:3]),
        ("BEFORE #lobby msgid=SESSION-6 2", _WORDS[1:3]),
        ("BEFORE #lobby msgid=SESSION-6.1 2", _WORDS[1:3]),
        ("BEFORE #lobby msgid=SESSION-1 2", []),
        (f"AFTER #lobby {_stamp(5)} 2", _WORDS[3:5]),
        (f"AFTER #lobby {_stamp(4, 999)} 2", _WORDS[2:4]),
        ("AFTER #lobby timestamp=2030-01-01T00:00:00.000Z 2", []),
        ("AFTER #lobby timestamp=2000-01-01T00:00:00.000Z 2", _WORDS[:2]),
        ("AFTER #lobby msgid=SESSION-9 9", _WORDS[7:]),
        ("AROUND #lobby msgid=SESSION-6 3", _WORDS[2:5]),
        ("AROUND #lobby msgid=SESSION-6 1", _WORDS[3:4]),
        (f"AROUND #lobby {_stamp(6)} 4", _WORDS[1:5]),
        ("BETWEEN #lobby msgid=SESSION-4 msgid=SESSION-8 100", _WORDS[2:5]),
        ("BETWEEN #lobby msgid=SESSION-4 msgid=SESSION-8 2", _WORDS[2:4]),
        ("BETWEEN #lobby msgid=SESSION-8 msgid=SESSION-4 2", _WORDS[3:5]),
        (f"BETWEEN #lobby {_stamp(4)} {_stamp(8)} 100", _WORDS[2:5]),
        (f"BETWEEN #lobby {_stamp(8)} {_stamp(4)} 100", _WORDS[2:5]),
        (f"BETWEEN #lobby {_stamp(5)} {_stamp(5)} 100", []),
    ],
)
async def test_each_subcommand(old_house: House, request_: str, words: list[str] | None) -> None:
    alice = await join(old_house, "alice", *CAPS)
    request = request_.replace("SESSION", old_house.journal.session)
    if words is None:
        (failed,) = await alice.answer(f"CHATHISTORY {request}")
        assert failed.params[:2] == ["CHATHISTORY", "INVALID_PARAMS"]
    else:
        assert await _history(alice, request) == words


async def test_what_comes_again_is_what_came_at_first(house: House) -> None:
    alice, bob = await join(house, "alice", *CAPS), await house.enter_json("bob")
    await bob.say({"kind": "message", "text": "x" * 1000}, {"kind": "action", "text": "y"})
    await bob.say({"kind": "ping"})
    await bob.object()
    live = [line for line in await alice.all() if line.command == "PRIVMSG"]
    lines = await alice.answer("@label=L CHATHISTORY LATEST #lobby * 10")
    assert lines[0].tags == {"label": "L"}
    again = [line for line in lines if line.command == "PRIVMSG"]
    assert [line.text for line in again] == [line.text for line in live]
    assert [{**line.tags, "batch": ""} for line in again] == [
        {**line.tags, "batch": ""} for line in live
    ]


async def test_what_else_happened_is_played_to_who_wants_it(house: House) -> None:
    alice = await join(house, "alice", *CAPS, "draft/event-playback")
    bob = await house.enter("bob")
    await bob.say("hi", "/nick robert", "/quit")
    await bob.rest()
    await alice.all()
    lines = await alice.answer("CHATHISTORY LATEST #lobby * 10")
    assert commands(lines)[1:-1] == ["JOIN", "JOIN", "PRIVMSG", "NICK", "QUIT"]


async def test_a_room_with_many_joins_and_little_talk_is_read_to_its_first_word(
    open_room: OpenHouse,
) -> None:
    joins = [Event(n, _at(2), "join", f"n{n}") for n in range(2, 2002)]
    first, last = (
        Event(1, _at(1), "message", "b", "first"),
        Event(2002, _at(3), "message", "b", "last"),
    )
    house = await open_room(journal=_with([first, *joins, last]))
    alice = await join(house, "alice", *CAPS)
    assert await _history(alice, "LATEST #lobby * 2") == ["first", "last"]
    assert await _history(alice, f"AFTER #lobby {_stamp(0)} 2") == ["first", "last"]


async def test_no_more_is_given_than_is_said_at_the_registration(open_room: OpenHouse) -> None:
    said = [Event(seq, _at(seq % 60), "message", "bob", f"{seq}") for seq in range(1, 151)]
    alice = await join(await open_room(journal=_with(said)), "alice", *CAPS)
    for limit in (0, 100, 101, 999_999_999):
        assert await _history(alice, f"LATEST #lobby * {limit}") == [str(n) for n in range(51, 151)]


async def test_a_hole_is_said(open_room: OpenHouse) -> None:
    said = [Event(seq, _at(seq), "message", "bob", f"{seq}") for seq in range(1, 5)]
    house = await open_room(journal=_with(said, keep=2))
    alice = await join(house, "alice", *CAPS)
    lines = await alice.answer(f"CHATHISTORY AFTER #lobby {_stamp(0)} 10")
    assert [line.text for line in lines[1:-1]] == ["-- a gap: #1 to #3 are missing", "4"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("FOO #lobby * 10", "INVALID_PARAMS"),
        ("LATEST #lobby *", "INVALID_PARAMS"),
        ("LATEST #lobby * many", "INVALID_PARAMS"),
        ("LATEST #lobby yesterday 10", "INVALID_PARAMS"),
        ("BEFORE #lobby * 10", "INVALID_PARAMS"),
        ("BEFORE #lobby date=2026-11-25T10:00:00.000Z 10", "INVALID_PARAMS"),
        ("BETWEEN #lobby msgid=x-1 10", "INVALID_PARAMS"),
        ("BEFORE #lobby msgid=ANOTHERLOG-1 10", "INVALID_PARAMS"),
        ("LATEST #nowhere * 10", "INVALID_TARGET"),
        ("LATEST bob * 10", "INVALID_TARGET"),
        ("TARGETS x y 10", "INVALID_PARAMS"),
        ("TARGETS", "INVALID_PARAMS"),
    ],
)
async def test_what_cannot_be_given(house: House, request_: str, code: str) -> None:
    alice = await join(house, "alice", *CAPS)
    (failed,) = await alice.answer(f"@label=L CHATHISTORY {request_}")
    assert (failed.command, failed.params[:2]) == ("FAIL", ["CHATHISTORY", code])
    assert failed.tags == {"label": "L"}


async def test_history_is_for_those_in_the_room(old_house: House) -> None:
    alice = await register(old_house, "alice", *CAPS)
    (failed,) = await alice.answer("CHATHISTORY LATEST #lobby * 10")
    assert failed.params[1] == "INVALID_TARGET"


async def test_targets_names_the_room_if_there_was_talk(old_house: House) -> None:
    alice = await join(old_house, "alice", *CAPS)
    for stamps, told in (
        (f"{_stamp(0)} {_stamp(59)}", ["TARGETS #lobby 2026-11-25T10:00:10.000Z"]),
        (f"{_stamp(59)} {_stamp(0)}", ["TARGETS #lobby 2026-11-25T10:00:10.000Z"]),
        (f"{_stamp(0)} {_stamp(9)}", []),
        (f"{_stamp(0)} {_stamp(10)}", []),
        (f"{_stamp(10)} {_stamp(59)}", []),
    ):
        start, *lines, _ = await alice.answer(f"CHATHISTORY TARGETS {stamps} 10")
        assert start.params[1] == "draft/chathistory-targets"
        assert [" ".join(line.params) for line in lines] == told
    await alice.answer("PART #lobby")
    start, end = await alice.answer(f"CHATHISTORY TARGETS {_stamp(0)} {_stamp(59)} 10")
    assert [start.command, end.command] == ["BATCH", "BATCH"]


async def test_a_newcomer_is_given_the_last_lines_with_their_times(open_room: OpenHouse) -> None:
    house = await open_room(journal=_told_before(), irc_replay=4)
    alice = await register(house, "alice")
    lines = await alice.answer("JOIN #lobby")
    assert commands(lines) == ["JOIN", "353", "366", *4 * ["NOTICE"]]
    assert [line.text for line in lines[3:]] == [
        "-- 2026-11-25 10:00:07 * bob five",
        "-- 2026-11-25 10:00:08 bob: six",
        "-- 2026-11-25 10:00:09 bob: seven",
        "-- 2026-11-25 10:00:10 bob: eight",
    ]
    carol = await register(house, "carol", *CAPS)
    assert "NOTICE" not in commands(await carol.answer("JOIN #lobby"))


async def test_a_newcomer_is_given_nothing_that_is_long_ago(open_room: OpenHouse) -> None:
    words = [Event(seq, _at(1), "message", "bob", f"{seq}") for seq in (1, 2)]
    comings = [Event(seq, _at(2), "join", "bob") for seq in range(3, 1000)]
    house = await open_room(journal=_with(words + comings), irc_replay=4)
    for nick, left in (("al", "12"), ("bo", "2"), ("cy", "")):  # each adds a join
        visitor = await register(house, nick)
        said = [line.text for line in await visitor.answer("JOIN #lobby")]
        assert "".join(line[-1] for line in said if "bob: " in line) == left


async def test_a_room_may_give_newcomers_nothing(open_room: OpenHouse) -> None:
    house = await open_room(journal=_told_before(), irc_replay=0)
    alice = await register(house, "alice")
    assert commands(await alice.answer("JOIN #lobby")) == ["JOIN", "353", "366"]
