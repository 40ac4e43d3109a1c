"""The same commands in the same order make the same events, byte for byte, wherever they are
applied: the room asks no clock, draws no random number and depends on no hash."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from chatroom.event import CloseReason, Event, encode_event
from chatroom.room.commands import (
    Announce,
    Close,
    Command,
    Impose,
    Join,
    Kick,
    Leave,
    Lift,
    LogIn,
    Moderate,
    Mute,
    Outcome,
    Own,
    Redact,
    Rename,
    Say,
    Topic,
    Unmute,
    Voice,
)
from chatroom.room.role import Role
from chatroom.room.room import Room

if TYPE_CHECKING:
    from tests.conftest import OpenHouse

_NAMES = ["alice", "bob", "Bob", "\u00e9va", "z\u00f6e", "guest3", "-", "\u0905\u093f", "x" * 33]

#: A second process applies the commands that it reads, and writes what came of them.
_REPLAY = """
import sys, msgspec
from chatroom.event import encode_event
from chatroom.room.commands import Command
from chatroom.room.room import Room

room = Room("lobby", max_members=12, presence_limit=8)
encode = msgspec.json.encode
for command in msgspec.json.decode(sys.stdin.buffer.read(), type=list[Command]):
    outcome = room.apply(command)
    for event in (*(gone.event for gone in outcome.removed), outcome.event):
        if event is not None:
            sys.stdout.buffer.write(encode_event(event) + b"\\n")
    if outcome.refused is not None:
        sys.stdout.buffer.write(outcome.refused.code.encode() + b"\\n")
"""


def a_days_commands(rng: random.Random, commands: int) -> list[Command]:
    """What a busy room is asked, with the outcomes of a first room to know who is in it."""
    room = Room("lobby", max_members=12, presence_limit=8)
    inside: list[int] = []
    tokens: list[str] = []
    newcomers = count(1)
    day: list[Command] = []
    for number in range(commands):
        time = f"2026-11-25T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z"
        command = _command(rng, time, inside, tokens, newcomers)
        outcome = room.apply(command)
        day.append(command)
        if outcome.refused is None and isinstance(command, Join):
            inside.append(command.who)
            tokens.append(command.token)
        for gone in outcome.removed:
            inside.remove(gone.who)
        if isinstance(command, Leave):
            inside.remove(command.who)
    return [*day, Close("2026-11-26T00:00:00.000000Z")]


def _command(
    rng: random.Random, time: str, inside: list[int], tokens: list[str], newcomers: count[int]
) -> Command:
    claim = rng.choice(tokens) if tokens and rng.random() < 0.2 else None
    name = rng.choice(_NAMES)
    if not inside or rng.random() < 0.1:
        who = next(newcomers)
        account, role = ("olga", Role.OPERATOR) if rng.random() < 0.1 else ("", Role.MEMBER)
        address = rng.choice(["192.0.2.1", "2001:db8::1", ""])
        nick = rng.choice([None, name])
        told = rng.random() < 0.8
        return Join(who, time, nick, f"token{who}", claim, account, role, address, told)
    who = rng.choice(inside)
    if rng.random() < 0.1:
        return _ruling(rng, time, rng.choice([None, who]), name)
    match rng.randrange(10):
        case 0:
            return Rename(who, time, rng.choice([None, name]) if claim else name, claim)
        case 1:
            return Leave(who, time, rng.choice(list(CloseReason)))
        case kind:
            return Say(who, time, "action" if kind == 2 else "message", f"{kind} {name}")


def _ruling(rng: random.Random, time: str, who: int | None, name: str) -> Command:
    until = rng.choice(["", f"{time[:17]}59.000000Z"])
    mask = rng.choice([name, "account:olga", "192.0.2.0/30", "2001:db8::/32"])
    return rng.choice(
        [
            Topic(who, time, rng.choice(["", f"about {name}"])),
            Kick(who, time, name, "enough"),
            Impose(who, time, mask, until, "enough"),
            Lift(who, time, mask),
            Lift(who, time, mask),
            Lift(who, time, mask),
            Mute(who, time, name, until),
            Unmute(who, time, name),
            Moderate(who, time, rng.random() < 0.3),
            Voice(who, time, name, rng.random() < 0.8),
            Redact(who, time, rng.randrange(3000)),
            Announce(who or 0, time),
            Own(time, ((name, Role.MEMBER), ("olga", Role.OPERATOR))),
            LogIn(who or 0, time, "olga", Role.LISTENER) if who else Own(time, ()),
        ]
    )


def _said(room: Room, commands: list[Command]) -> bytes:
    lines: list[bytes] = []
    for command in commands:
        outcome: Outcome = room.apply(command)
        lines += map(encode_event, _events(outcome))
        if outcome.refused is not None:
            lines.append(outcome.refused.code.encode())
    return b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def testa_days_commands_make_the_same_events_in_another_process(hash_seed: str) -> None:
    commands = a_days_commands(random.Random(20261125), 20_000)
    here = _said(Room("lobby", max_members=12, presence_limit=8), commands)
    assert here.count(b"\n") > 15_000
    refused = {b"nick_taken", b"room_full", b"nick_invalid", b"banned", b"muted", b"not_operator"}
    assert refused <= set(here.splitlines())
    for kind in (b"topic", b"redaction", b"leave"):
        assert b'"kind":"%b"' % kind in here
    there = subprocess.run(
        [sys.executable, "-c", _REPLAY],
        input=msgspec.json.encode(commands),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert there.stdout == here


async def test_what_a_live_room_did_can_be_done_again(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`apply` and `say` are all that changes a room, also in a server with clients."""
    commands: list[Command] = []
    apply, say = Room.apply, Room.say

    def record(room: Room, command: Command) -> Outcome:
        commands.append(command)
        return apply(room, command)

    def record_saying(room: Room, who: int, time: str, kind: str, *rest: Any) -> Event:
        commands.append(Say(who, time, kind, *rest))
        return say(room, who, time, kind, *rest)

    monkeypatch.setattr(Room, "apply", record)
    monkeypatch.setattr(Room, "say", record_saying)
    house = await open_room(presence_limit=2)
    alice = await house.enter("alice")
    _, welcome = await house.welcome()
    back, _ = await house.welcome(token=welcome["token"])
    bob = await house.enter("bob")
    await bob.say("/nick alice", "/nick rob", "hi", "/me waves", "/quit")
    await bob.rest()
    await back.say({"kind": "message", "text": "x", "id": "1"}, {"kind": "quit"})
    await back.rest()
    await alice.settle()
    monkeypatch.undo()
    room = Room("lobby", max_members=10_000, presence_limit=2)
    again = [event for command in commands for event in _events(room.apply(command))]
    assert [encode_event(event) for event in again] == [
        encode_event(event) for event in house.journal.recent
    ]


def _events(outcome: Outcome) -> list[Event]:
    events = [*(gone.event for gone in outcome.removed), outcome.event]
    return [event for event in events if event is not None]
