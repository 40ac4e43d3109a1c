"""History, resuming, paging and presence: what a program relies on to miss nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from chatroom.settings import MAX_ANSWER_BYTES, WELCOME_MEMBERS
from tests.conftest import OpenHouse
from tests.visiting import House, Visitor


async def _say(visitor: Visitor, *texts: str) -> None:
    """Say each and wait for its ack."""
    await visitor.say(
        *({"kind": "message", "text": text, "id": str(n)} for n, text in enumerate(texts))
    )
    for n in range(len(texts)):
        assert (await visitor.object())["id"] == str(n)


async def _replay(visitor: Visitor) -> list[dict[str, Any]]:
    """The events up to a pong."""
    await visitor.say({"kind": "ping"})
    events = []
    while (line := await visitor.object())["kind"] != "pong":
        events.append(line)
    return events


async def test_resuming_gives_what_was_missed_and_goes_over_to_live(house: House) -> None:
    alice, welcome = await house.welcome("alice", presence=False)
    session = welcome["session"]
    bob, _ = await house.welcome("bob")
    await _say(bob, "m3", "m4")
    assert [(await alice.object())["seq"] for _ in range(2)] == [3, 4]
    await alice.aclose()
    assert (await bob.object())["reason"] == "quit"
    await _say(bob, "m6", "m7")
    back, again = await house.welcome("alice", after=4, session=session)
    assert again["resumed"] == "complete"
    assert "missed" not in again
    assert again["seq"] == 8
    assert (await bob.object())["kind"] == "join"
    await _say(bob, "m9")
    seen = await _replay(back)
    assert [event["seq"] for event in seen] == [5, 6, 7, 8, 9]
    assert [event["kind"] for event in seen] == ["leave", "message", "message", "join", "message"]


@pytest.mark.parametrize(
    ("keep", "after", "missed", "first"),
    [
        (5, 6, None, 7),
        (5, 11, None, 12),
        (5, 7, None, 8),
        (5, 5, 1, 7),
        (5, 0, 6, 7),
        (1000, 0, None, 1),
    ],
)
async def test_resuming_says_how_much_is_gone(
    open_room: OpenHouse, keep: int, after: int, missed: int | None, first: int
) -> None:
    house = await open_room(recent_events=keep)
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, *(f"m{n}" for n in range(2, 11)))
    back, welcome = await house.welcome("carol", after=after)  # her join is number 11
    assert welcome["seq"] == 11
    assert welcome["resumed"] == ("partial" if missed else "complete")
    assert welcome.get("missed") == missed
    events = await _replay(back)
    if missed:
        assert events.pop(0) == {"kind": "gap", "from": after + 1, "to": first - 1}
    assert [event["seq"] for event in events] == list(range(first, 12))


@pytest.mark.parametrize("hello", [{"after": 1, "session": "OTHER00000"}, {"after": 4}])
async def test_another_session_is_never_complete(house: House, hello: dict[str, Any]) -> None:
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, "m2")
    back, welcome = await house.welcome("carol", **hello)
    assert welcome["resumed"] == "partial"
    assert welcome["missed"] == 0
    assert [event["seq"] for event in await _replay(back)] == [1, 2, 3]


async def test_resuming_without_presence_replays_only_talk(house: House) -> None:
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, "m2")
    back, _ = await house.welcome("carol", after=0, presence=False)
    assert [event["kind"] for event in await _replay(back)] == ["message"]


async def test_resuming_in_the_middle_of_fast_talk_misses_and_doubles_nothing(
    open_room: OpenHouse,
) -> None:
    house = await open_room(recent_events=3000)  # however late a reader is
    talker, _ = await house.welcome("talker", presence=False)
    texts = [f"m{n}" for n in range(2000)]

    async def talk() -> None:
        for start in range(0, len(texts), 20):
            await _say(talker, *texts[start : start + 20])

    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        while len(seen) < 1500:
            visitor, welcome = await house.welcome(after=seen[-1] if seen else 0)
            assert welcome["resumed"] == "complete"
            for _ in range(100):
                event = await visitor.object()
                seen.append(event["seq"])
            await visitor.aclose()
        nursery.cancel_scope.cancel()
    assert seen == list(range(1, len(seen) + 1))


async def test_pages_of_history(house: House) -> None:
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, *(f"m{n}" for n in range(2, 11)))

    async def page(**request: int) -> tuple[list[int], bool]:
        await bob.say({"kind": "history", **request})
        answer = await bob.object()
        return [event["seq"] for event in answer["events"]], answer["more"]

    assert await page() == ([*range(1, 11)], False)
    assert await page(limit=3) == ([8, 9, 10], True)
    assert await page(before=8, limit=3) == ([5, 6, 7], True)
    assert await page(before=5, limit=4) == ([1, 2, 3, 4], False)
    assert await page(before=1) == ([], False)
    assert await page(before=0) == ([], False)
    assert await page(after=0, limit=4) == ([1, 2, 3, 4], True)
    assert await page(after=8, limit=2) == ([9, 10], False)
    assert await page(after=10) == ([], False)
    assert await page(after=2**63 - 1) == ([], False)
    assert await page(limit=0) == ([], True)


async def test_a_page_has_at_most_a_thousand_events(open_room: OpenHouse) -> None:
    house = await open_room(recent_events=2000)
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, *(f"m{n}" for n in range(1500)))
    await bob.say({"kind": "history", "limit": 5000}, {"kind": "history", "after": 400})
    newest, after = await bob.object(), await bob.object()
    assert [event["seq"] for event in newest["events"]] == list(range(502, 1502))
    assert newest["more"]
    assert [event["seq"] for event in after["events"]] == list(range(401, 1401))
    assert after["more"]


async def test_many_long_answers_in_one_go_are_paced_not_punished(open_room: OpenHouse) -> None:
    house = await open_room(outbox_limit_bytes=600_000)
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, *(f"{n} " + "x" * 300 for n in range(500)))
    await bob.say(*[{"kind": "history"}] * 20)
    for _ in range(20):
        assert len((await bob.object())["events"]) == 501
    await bob.say({"kind": "ping"})
    assert (await bob.object())["kind"] == "pong"


@pytest.mark.parametrize("forward", [False, True])
async def test_an_answer_has_a_bounded_length_and_says_that_there_is_more(
    house: House, forward: bool
) -> None:
    bob, _ = await house.welcome("bob", presence=False)
    await _say(bob, *("x" * (10 if n % 2 else 1000) for n in range(900)))
    seen: list[int] = []
    asked: dict[str, Any] = {"kind": "history", "limit": 1000}
    answers = 0
    while len(seen) < 901:
        place = {"after": seen[-1] if seen else 0} if forward else {"before": 902 - len(seen)}
        await bob.say(asked | place)
        line = await bob.line()
        assert len(line) <= MAX_ANSWER_BYTES
        events = [event["seq"] for event in json.loads(line)["events"]]
        seen = [*seen, *events] if forward else [*events, *seen]
        assert json.loads(line)["more"] is (len(seen) < 901)
        answers += 1
    assert seen == list(range(1, 902))
    assert answers == 3  # as long as they may be


async def test_a_crowd_is_paged_through(open_room: OpenHouse) -> None:
    house = await open_room(presence_limit=0)
    names = [f"m{number:03}" for number in range(130)]
    crowd = [await house.enter(name) for name in names]
    for speaker in (crowd[120], crowd[7]):
        await speaker.say("hello")
        await speaker.settle()
    visitor, welcome = await house.welcome("last")
    assert welcome["member_count"] == 131
    assert len(welcome["members"]) == WELCOME_MEMBERS
    assert welcome["members"][:2] == ["m007", "m120"]
    found: list[str] = []
    more = True
    assert (await visitor.object())["announced"] is False
    while more:
        await visitor.say({"kind": "who", "offset": len(found), "limit": 50})
        answer = await visitor.object()
        assert answer["member_count"] == 131
        found += answer["members"]
        more = answer["more"]
    assert found == sorted([*names, "last"])
    await crowd[0].settle()
    await crowd[0].say("/who")
    lines = await crowd[0].lines(1 + 9)
    assert lines[0] == "-- 131 here:"
    assert ", ".join(line.removeprefix("--   ") for line in lines[1:]) == ", ".join(found)


async def test_crossing_the_presence_limit_is_told_once_to_each(open_room: OpenHouse) -> None:
    house = await open_room(presence_limit=4)
    quiet = await house.enter_json("quiet", presence=False)
    program = await house.enter_json("program")
    person = await house.enter("person")
    guests = [await house.enter("g0")]
    guests += [await house.enter("g1")]  # the fifth
    off = "-- 5 here: joins and leaves are not announced any more"
    assert await guests[1].line() == off
    guests.append(await house.enter("g2"))
    assert await guests[2].line() == off.replace("5", "6")
    await guests[2].say("talk goes on")
    for leaver in reversed(guests):  # down to three: not yet below half
        await leaver.say("/quit")
        await leaver.rest()
    assert await person.lines(3) == ["-- g0 joined", off, "g2: talk goes on"]
    await program.say({"kind": "who"})
    told = [await program.object() for _ in range(5)]
    assert [line["kind"] for line in told] == [*("join", "join", "presence", "message", "members")]
    assert told[2] == {"kind": "presence", "announced": False, "member_count": 5}
    await person.say("/quit")
    await person.rest()
    await program.say({"kind": "quit"})  # one is left: below half
    lines = await program.rest()
    assert '"kind":"bye"' in lines[-1]
    await house.enter("again")
    await quiet.say({"kind": "who"})
    heard = [await quiet.object() for _ in range(2)]
    assert [line["kind"] for line in heard] == ["message", "members"]
    assert heard[0]["seq"] == 5  # joins and leaves that were not announced have no number
    assert heard[1]["members"] == ["again", "quiet"]


async def test_the_end_of_silence_is_told_too(open_room: OpenHouse) -> None:
    house = await open_room(presence_limit=5)
    crowd = [await house.enter(f"m{number}") for number in range(6)]
    for leaver in crowd[2:]:
        await leaver.say("/quit")
        await leaver.rest()
    await crowd[0].say("/ping")
    assert await crowd[0].lines(7) == [
        *(f"-- m{number} joined" for number in range(1, 5)),
        "-- 6 here: joins and leaves are not announced any more",
        "-- 2 here: joins and leaves are announced again",
        "-- pong",
    ]
    await house.enter("new")
    assert await crowd[0].line() == "-- new joined"


async def test_who_was_taken_for_a_person_and_resumes_hears_everything_once(house: House) -> None:
    alice = await house.enter("alice")
    back = await house.knock()
    assert "you are guest1 " in await back.line()  # it has said nothing for too long
    await back.say('/json {"nick":"back","after":0}')
    assert (await back.object())["kind"] == "welcome"
    await alice.say("hello")
    told: list[dict[str, Any]] = []
    while not told or told[-1].get("text") != "hello":
        told.append(await back.object())
    await back.say({"kind": "ping"})
    told.append(await back.object())
    assert [one.get("seq") for one in told] == [*range(1, len(told)), None]
