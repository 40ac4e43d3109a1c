"""Topics, redactions and who is shown out, as clients see them; in both modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.room.commands import LogIn
from chatroom.room.role import Role

if TYPE_CHECKING:
    import pytest

    from tests.visiting import House, Visitor


async def _operator(house: House) -> Visitor:
    """Somebody whom the room takes for an operator."""
    olga, welcome = await house.welcome("olga")
    room = house.service.room
    (who,) = (who for who in range(1, 9) if _has(room.nick, who, welcome["nick"]))
    room.apply(LogIn(who, "2026-11-25T00:00:00.000000Z", "olga", Role.OPERATOR))
    return olga


def _has(nick: object, who: int, wanted: str) -> bool:
    assert callable(nick)
    try:
        return bool(nick(who) == wanted)
    except KeyError:
        return False


async def test_a_topic_reaches_all_and_greets_newcomers(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter_json("bob")
    await alice.say("/topic", "/topic all about cats", "/topic")
    assert await alice.lines(4) == [
        "-- bob joined",
        "-- there is no topic",
        "-- the topic is: all about cats",
        "-- topic: all about cats",
    ]
    event = await bob.object()
    assert (event["kind"], event["nick"], event["text"]) == ("topic", "alice", "all about cats")
    _, welcome = await house.welcome("zoe")
    assert welcome["topic"] == "all about cats"
    carol = await house.enter("carol")
    assert await carol.line() == "-- topic: all about cats"
    await bob.say({"kind": "topic", "text": "", "id": "t"})
    assert [await bob.object() for _ in range(2)][1]["nick"] == "carol"
    assert (await bob.object()) == {"kind": "ack", "id": "t", "seq": 6}
    assert await carol.line() == "-- bob removed the topic"
    assert (await house.welcome("dora"))[1]["topic"] == ""


async def test_what_was_said_is_no_longer_given_out(house: House) -> None:
    olga = await _operator(house)
    bob = await house.enter("bob")
    await bob.say("a secret", "/me has a secret", "fine")
    await bob.settle()
    seqs = [(await olga.object())["seq"] for _ in range(4)][1:]
    for seq in seqs[:2]:
        await olga.say({"kind": "redact", "of": seq, "id": "r"})
        assert (await olga.object())["kind"] == "ack"
    assert await bob.lines(2) == [f"-- olga removed what was said in #{seq}" for seq in seqs[:2]]
    await bob.say("/history 5")
    told = [line.split(" ", 3)[-1] for line in await bob.lines(6)][1:]
    assert told[:3] == ["bob: (removed)", "* bob (removed)", "bob: fine"]
    back = await house.enter_json(after=0)
    events = [await back.object() for _ in range(8)]
    assert "secret" not in str(events)
    assert [event.get("of") for event in events if event["kind"] == "redaction"] == seqs[:2]
    assert [event["seq"] for event in events] == list(range(1, 9))


async def test_a_message_can_be_redacted_in_the_turn_that_says_it(house: House) -> None:
    olga = await _operator(house)
    seq = house.service.room.seq + 1
    await olga.say({"kind": "message", "text": "oops"}, {"kind": "redact", "of": seq, "id": "r"})
    assert (await olga.object()) == {"kind": "ack", "id": "r", "seq": seq + 1}
    await olga.say({"kind": "history"})
    assert "oops" not in str(await olga.object())


async def test_who_is_kicked_learns_by_whom_and_why(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    olga = await _operator(house)
    bob = await house.enter("bob")
    carol = await house.enter("carol")
    await olga.say({"kind": "kick", "nick": "bob", "text": "be nice", "id": "k"})
    assert await bob.rest() == ["-- carol joined", "-- bye (kicked): by olga: be nice"]
    assert await carol.line() == "-- bob left (kicked by olga: be nice)"
    seen = [await olga.object() for _ in range(4)]
    assert seen[2] == {
        "seq": seen[2]["seq"],
        "time": seen[2]["time"],
        "kind": "leave",
        "nick": "bob",
        "text": "be nice",
        "reason": "kicked",
        "by": "olga",
    }
    assert seen[3] == {"kind": "done", "text": "bob was shown out", "id": "k"}
    (said,) = (record for record in caplog.records if record.getMessage() == "olga: kick")
    assert said.fields == {"operator": "olga", "nick": "bob", "text": "be nice"}  # type: ignore[attr-defined]
    assert house.service.statistics().ended[CloseReason.KICKED] == 1


async def test_an_operator_may_show_itself_out(house: House) -> None:
    olga = await _operator(house)
    await olga.say({"kind": "kick", "nick": "olga", "id": "k"}, {"kind": "ping"})
    assert [(await olga.object())["kind"]] == ["bye"]
    assert await olga.rest() == []


async def test_the_others_are_told_that_they_are_no_operators(house: House) -> None:
    bob = await house.enter_json("bob")
    refused = ["kick", "ban", "unban", "bans", "mute", "unmute", "redact"]
    fields = {"nick": "x", "mask": "x", "of": 1}
    await bob.say(*({"kind": kind, "id": kind, **fields} for kind in refused))
    for kind in refused:
        answer = await bob.object()
        assert (answer["code"], answer["id"]) == ("not_operator", kind)


async def test_bans_are_listed_and_lifted(house: House) -> None:
    olga = await _operator(house)
    bob = await house.enter("bob")
    await olga.say({"kind": "ban", "mask": "Bob", "seconds": 60, "text": "enough", "id": "b"})
    assert await bob.rest() == ["-- bye (kicked): by olga: enough"]
    again = await house.knock()
    await again.say("/nick bob", "/quit")
    assert "(banned)" in await again.line()  # and is a guest
    kinds = [await olga.object() for _ in range(4)]
    assert kinds[2] == {"kind": "done", "text": "Bob is banned for 60 s", "id": "b"}
    await again.rest()
    await olga.object()
    await olga.say({"kind": "bans"}, {"kind": "unban", "mask": "bob"}, {"kind": "bans", "id": "2"})
    (ban,) = (await olga.object())["bans"]
    assert (ban["mask"], ban["by"], ban["text"]) == ("bob", "olga", "enough")
    assert ban["until"] > ban["time"]
    assert (await olga.object()) == {"kind": "bans", "bans": [], "more": False, "id": "2"}
    assert "you are bob " in await (await _entered(house, "bob")).line()


async def test_bans_are_listed_by_the_page(house: House) -> None:
    olga = await _operator(house)
    for number in range(5):
        await olga.say({"kind": "ban", "mask": f"192.0.2.{number}", "id": "b"})
        assert (await olga.object())["kind"] == "done"
    pages = []
    for offset, limit in ((0, 3), (3, 2), (4, 2), (5, 1)):
        await olga.say({"kind": "bans", "offset": offset, "limit": limit})
        page = await olga.object()
        pages.append(([ban["mask"][-1] for ban in page["bans"]], page["more"]))
    assert pages == [(["0", "1", "2"], True), (["3", "4"], False), (["4"], False), ([], False)]


async def _entered(house: House, nick: str) -> Visitor:
    visitor = await house.knock()
    await visitor.say(f"/nick {nick}")
    return visitor


async def test_who_is_muted_is_told(house: House) -> None:
    olga = await _operator(house)
    bob = await house.enter("bob")
    await olga.say({"kind": "mute", "nick": "bob"}, {"kind": "unmute", "nick": "bob", "id": "u"})
    assert [(await olga.object())["kind"] for _ in range(2)] == ["join", "done"]
    assert await bob.lines(2) == [
        "-- you may not talk, says olga",
        "-- you may talk again, says olga",
    ]
    await olga.say({"kind": "mute", "nick": "bob", "id": "m"})
    await olga.object()
    await bob.say("hi")
    assert await bob.lines(2) == ["-- you may not talk, says olga", "-- you may not talk (muted)"]


async def test_what_plain_operators_type(house: House) -> None:
    bob = await house.enter("bob")
    await bob.say("/kick", "/ban", "/mute bob 5", "/delete x", "/unban a b", "/delete 1", "/bans")
    assert await bob.lines(7) == [
        "-- say /kick NICK [REASON] (bad_request)",
        "-- say /ban NICK|ADDRESS[/BITS]|account:NAME [TIME] [REASON] (bad_request)",
        "-- say /mute NICK [TIME], a time as 10m, 2h or 7d (bad_request)",
        "-- say /delete SEQ [REASON], SEQ the number of a message (bad_request)",
        "-- say /unban MASK, as /bans shows it (bad_request)",
        "-- that is for operators (not_operator)",
        "-- that is for operators (not_operator)",
    ]
