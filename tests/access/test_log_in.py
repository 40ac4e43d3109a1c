"""Coming into a room that is not open, as clients do; in both modes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from chatroom.access.accounts import Account
from chatroom.access.file import AccessFile
from chatroom.access.guard import Guard
from chatroom.event import CloseReason
from chatroom.protocol.requests import Credentials, Hello
from chatroom.room.role import Role
from chatroom.server.connection import Connection
from chatroom.server.turn import gate as gates
from chatroom.settings import Access, AccessSettings, FeedSettings
from tests.access.conftest import PASSWORD

if TYPE_CHECKING:
    from tests.conftest import OpenHouse
    from tests.visiting import House, Visitor

ALICE = {"account": "alice", "password": PASSWORD}
OLGA = {"account": "olga", "password": PASSWORD}


@pytest.fixture
def secret_room(secret_file: Path) -> AccessSettings:
    return AccessSettings(access=Access.SECRET, secret_file=str(secret_file))


@pytest.fixture
def accounts_room(accounts: AccessFile) -> AccessSettings:
    return AccessSettings(access=Access.ACCOUNTS, accounts_file=accounts.path)


@pytest.fixture
def mixed_room(accounts: AccessFile) -> AccessSettings:
    return AccessSettings(access=Access.MIXED, accounts_file=accounts.path)


async def _refused(house: House, **hello: object) -> tuple[str, list[str]]:
    """The code with which a program's hello is refused, and what comes after that."""
    visitor = await house.knock()
    await visitor.say("/json " + json.dumps(hello))
    error = await visitor.object()
    assert error["kind"] == "error"
    return error["code"], await visitor.rest()


async def test_until_somebody_is_let_in_they_hear_and_know_nothing(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room)
    inside = await house.enter_json("alice", secret="open sesame")
    bob = await house.knock()
    await bob.say("hello?", "/who", "/history", "/search x", "/topic", "/ping", "/nick bob")
    await inside.say({"kind": "message", "text": "among ourselves", "id": "1"})
    await inside.object()
    await inside.say({"kind": "who"})
    assert (await inside.object())["members"] == ["alice"]
    lines = [await bob.line()]
    assert lines == ["-- this room is not open: say /login SECRET within 30 s (login_needed)"]
    assert await bob.lines(7) == ["-- log in first (login_needed)"] * 7
    await bob.say("/login open sesame")
    assert (
        await bob.line() == "-- welcome to lobby, you are guest1 (2 here, /help lists the commands)"
    )
    await inside.say({"kind": "message", "text": "welcome"})
    assert await bob.line() == "alice: welcome"


async def test_a_silent_one_is_asked_and_then_forgotten(
    open_room: OpenHouse, secret_room: AccessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "LOGIN_SECONDS", 0.5)
    house = await open_room(access=secret_room)
    inside = await house.enter_json("alice", secret="open sesame")
    silent, knocking = await house.knock(), await house.knock()
    await knocking.say("/nick bob", "/login nonsense")
    assert (await silent.rest())[1:] == ["-- bye (idle): no log-in in time"]
    assert [line.rpartition(" ")[2] for line in await knocking.rest()] == [
        "(login_needed)",
        "(login_failed)",
        "time",
    ]
    await inside.say({"kind": "ping"})
    assert (await inside.object()) == {"kind": "pong"}  # of all that it has heard nothing
    assert house.service.statistics().ended[CloseReason.IDLE] == 2


async def test_the_nick_that_was_wanted_before_the_log_in_is_had_after_it(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room)
    bob = await house.knock()
    await bob.say("/nick bob", "/login wrong", "/login open sesame", "/ping")
    told = await bob.lines(4)
    assert told[1] == "-- the log-in failed (login_failed)"
    assert "you are bob " in told[2]
    assert told[3] == "-- pong"  # what came behind the log-in waited for it


async def test_a_program_is_let_in_or_closed(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room)
    bye = ['{"kind":"bye","reason":"protocol_error","text":"not let in: %s"}']
    assert await _refused(house, nick="bob") == ("login_needed", [bye[0] % "login_needed"])
    failed = await _refused(house, nick="bob", secret="guess")
    assert failed == ("login_failed", [bye[0] % "login_failed"])
    _, welcome = await house.welcome("bob", secret="open sesame", after=0)
    assert (welcome["account"], welcome["role"], welcome["resumed"]) == (None, "member", "complete")


async def test_history_is_for_those_inside(
    open_room: OpenHouse, accounts_room: AccessSettings
) -> None:
    house = await open_room(access=accounts_room)
    alice = await house.enter_json(**ALICE)
    await alice.say({"kind": "message", "text": "a secret", "id": "1"})
    await alice.object()
    outside = await house.knock()
    await outside.say("/login alice wrong", "/history 5", "/search secret", "/quit")
    assert "secret" not in " ".join((await outside.rest())[2:])
    _, welcome = await house.welcome(**OLGA)
    assert (welcome["nick"], welcome["account"], welcome["role"]) == ("olga", "olga", "operator")
    back = await house.enter_json(after=0, **ALICE)
    assert [(await back.object())["kind"] for _ in range(2)] == ["join", "message"]


async def test_an_account_takes_its_nick_back_from_a_dead_connection(
    open_room: OpenHouse, accounts_room: AccessSettings
) -> None:
    house = await open_room(access=accounts_room)
    first, welcome = await house.welcome(**ALICE)
    assert welcome["nick"] == "Alice"
    second, welcome = await house.welcome(**ALICE)
    assert welcome["nick"] == "Alice"
    assert '"reason":"replaced"' in (await first.rest())[-1]
    third, welcome = await house.welcome("alice2", **ALICE)
    assert (welcome["nick"], welcome["account"]) == ("alice2", "Alice")
    await second.say({"kind": "ping"})
    assert [(await second.object())["kind"] for _ in range(2)] == ["join", "pong"]
    await third.aclose()


async def test_in_a_mixed_room_guests_come_in_and_nicks_are_their_owners(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    guest = await house.enter("bob")
    assert (await _refused(house, nick="ALICE"))[0] == "nick_taken"
    await guest.say("/nick alice", "/login alice wrong", f"/login Alice {PASSWORD}", "hi")
    assert await guest.lines(3) == [
        "-- the nick alice is taken (nick_taken)",
        "-- the log-in failed (login_failed)",
        "-- welcome to lobby, you are Alice (1 here, /help lists the commands)",
    ]
    await guest.settle()
    assert [event.kind for event in house.journal.recent] == ["join", "rename", "message"]


async def test_an_operator_who_logs_in_has_its_powers(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    bob = await house.enter("bob")
    olga = await house.knock()
    await olga.say(f"/login olga {PASSWORD}", "/kick bob be nice", "/topic order", "/bans")
    assert await olga.lines(5) == [
        "-- welcome to lobby, you are olga (2 here, /help lists the commands)",
        "-- bob left (kicked by olga: be nice)",
        "-- bob was shown out",
        "-- the topic is: order",
        "-- nobody is banned",
    ]
    assert (await bob.rest())[-1] == "-- bye (kicked): by olga: be nice"
    carol = await house.enter("carol")
    await carol.say("/topic chaos")
    assert await carol.lines(2) == [
        "-- topic: order",
        "-- that is for operators (not_operator)",
    ]


async def test_a_listener_may_not_talk(open_room: OpenHouse, mixed_room: AccessSettings) -> None:
    house = await open_room(access=mixed_room)
    lily = await house.enter_json(account="lily", password=PASSWORD)
    await lily.say({"kind": "message", "text": "hi", "id": "1"}, {"kind": "ping"})
    assert (await lily.object())["code"] == "muted"
    assert (await lily.object())["kind"] == "pong"


async def test_an_open_room_asks_nobody(house: House) -> None:
    await house.enter_json("bob", secret="whatever")
    assert (await _refused(house, **ALICE))[0] == "not_supported"


async def test_credentials_are_in_no_log(
    open_room: OpenHouse, accounts_room: AccessSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house = await open_room(access=accounts_room)
    visitor = await house.knock()
    await visitor.say("/login alice hunter2hunter2", f"/login alice {PASSWORD}")
    await visitor.lines(2)
    await house.enter_json(**OLGA)
    assert "login_failed" in caplog.text
    logged = [str(record.__dict__) for record in caplog.records]
    assert any("'account': 'Alice'" in line for line in logged)
    for secret in ("hunter2", PASSWORD, "argon2"):
        assert not any(secret in line for line in logged)


async def test_the_feed_is_sealed_where_not_everybody_may_come_in(
    open_room: OpenHouse, secret_room: AccessSettings, caplog: pytest.LogCaptureFixture
) -> None:
    house = await open_room(access=secret_room, feed=FeedSettings())
    _, welcome = await house.welcome(secret="open sesame")
    assert welcome["multicast"]["key"]["cipher"] == "AES-128-GCM"
    assert "can read the feed" not in caplog.text
    open_feed = await open_room(access=secret_room, feed=FeedSettings(sealed=False))
    _, welcome = await open_feed.welcome(secret="open sesame")
    assert "key" not in welcome["multicast"]
    assert "everybody on its network can read the feed" in caplog.text


async def test_bans_and_the_topic_outlive_the_server(
    open_room: OpenHouse, mixed_room: AccessSettings, accounts: AccessFile
) -> None:
    house = await open_room(access=mixed_room)
    olga = await house.enter_json(**OLGA)
    await olga.say(
        {"kind": "ban", "mask": "bob", "id": "b"}, {"kind": "topic", "text": "cats", "id": "t"}
    )
    assert [(await olga.object())["kind"] for _ in range(2)] == ["done", "ack"]
    house.service.drain()
    await olga.rest()
    await house.until(lambda: accounts.charter().topic == "cats")
    again = await open_room(access=mixed_room)
    assert (await _refused(again, nick="bob"))[0] == "banned"
    assert (await again.welcome("carol"))[1]["topic"] == "cats"


async def test_a_banned_address_gets_one_line(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await house.enter_json(**OLGA)
    await olga.say({"kind": "ban", "mask": "127.0.0.0/8", "text": "all of us"})
    assert '"by olga: all of us"' in (await olga.rest())[-1]
    turned_away = await house.knock()
    assert await turned_away.rest() == ["-- you are banned (banned)"]


# The gate alone, on paper.


class _Endings:
    def __init__(self) -> None:
        self.ended: list[Connection] = []

    def soon(self, connection: Connection, reason: CloseReason, text: str) -> None:
        assert (reason, text) == (CloseReason.IDLE, "no log-in in time")
        self.ended.append(connection)


def _gate(guard: Guard) -> tuple[gates.Gate, _Endings]:
    endings = _Endings()
    return gates.Gate(guard, endings), endings  # type: ignore[arg-type]


def _connection(number: int = 1, *, local: bool = True, address: str = "") -> Connection:
    connection = Connection(number, "paper")
    connection.local, connection.address = local, address
    return connection


SECRET = Guard(Access.SECRET, "open sesame")


@pytest.mark.parametrize(
    ("local", "transport", "code"),
    [(True, "tcp", None), (False, "tls", None), (False, "tcp", "not_encrypted")],
)
def test_credentials_that_others_could_read_are_refused(
    local: bool, transport: str, code: str | None
) -> None:
    gate, _ = _gate(SECRET)
    connection = _connection(local=local)
    connection.transport = transport
    refused = gate.refusal(connection, Hello(credentials=Credentials("open sesame")))
    assert (refused and refused.code) == code


async def test_those_outside_have_their_time_each(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    gate, endings = _gate(SECRET)
    nursery.start_soon(gate.run)
    first, second, third = map(_connection, range(3))
    gate.leave_outside(first)
    await trio.sleep(20)
    gate.leave_outside(first)  # the second failure does not draw it out
    gate.leave_outside(second)
    gate.leave_outside(third)
    third.inside = True
    await trio.sleep(5)
    gate.leave_outside(second)  # nor while another's time runs
    await trio.sleep(5.1)
    assert endings.ended == [first]
    await trio.sleep(20)
    assert endings.ended == [first, second]


async def test_failures_from_one_place_make_the_next_try_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    gate, _ = _gate(SECRET)
    hello = Hello(credentials=Credentials("guess"))
    codes, times = [], []
    for _ in range(8):
        start = trio.current_time()
        proven = await gate.prove(_connection(address="192.0.2.1"), hello)
        times.append(round(trio.current_time() - start, 1))
        assert proven.refused is not None
        codes.append(proven.refused.code)
    assert times == [0, 0.5, 1, 2, 4, 8, 16, 0]
    assert codes == ["login_failed"] * 7 + ["too_fast"]
    assert gate._failures._places["192.0.2.1"][0] == 7  # who is not looked at has not failed
    start = trio.current_time()
    good = Hello(credentials=Credentials("open sesame"))
    assert (await gate.prove(_connection(address="127.0.0.1"), good)).refused is None
    assert trio.current_time() - start < 0.1


async def test_only_so_many_passwords_are_verified_at_one_time(
    password_hash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = 0, 0
    account = Account("alice", "alice", Role.MEMBER, password_hash)

    class Slow:
        def account(self, key: str) -> Account:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            trio.from_thread.run(trio.sleep, 0.01)
            at_once -= 1
            return account

        def account_with(self, fingerprint: str) -> None:
            return None

    gate, _ = _gate(Guard(Access.ACCOUNTS, "", Slow()))
    hello = Hello(credentials=Credentials(account="alice", password=PASSWORD))
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(gate.prove, _connection(number), hello)
    assert most == 2


async def test_who_goes_while_its_password_is_verified_never_was_here(
    open_room: OpenHouse, accounts_room: AccessSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_room(access=accounts_room)
    olga = await house.enter_json(**OLGA)
    proven, go_on = trio.Event(), trio.Event()
    prove: Callable[..., Any] = gates.Gate.prove

    async def slowly(gate: gates.Gate, connection: Connection, hello: Hello) -> Any:
        found = await prove(gate, connection, hello)
        proven.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(gates.Gate, "prove", slowly)
    visitor: Visitor = await house.knock()
    await visitor.say(f"/login alice {PASSWORD}")
    await proven.wait()
    visitor.reset()
    go_on.set()
    await house.until(lambda: len(house.service.room) == 1)
    await olga.say({"kind": "message", "text": "still here", "id": "1"})
    while (await olga.object())["kind"] != "ack":
        pass
