"""`chatroom.connect`: a room for the time of an `async with`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from chatroom.client.connection import Counts, Desk
from chatroom.client.inbox import Inbox
from chatroom.client.ledger import Ledger
from chatroom.client.lifeline import Lifeline
from chatroom.client.room import Room
from chatroom.client.standing import Standing, Wishes
from chatroom.settings import DEFAULT_HOST, DEFAULT_PORT

#: Leaving waits this long for the last acks and for the server to close: more than a slow disk
#: takes to sync, less than a person waits for a program to end.
LEAVE_SECONDS = 2.0

#: And this long when the block was left by an exception or cancelled.
ABANDON_SECONDS = 0.25


@asynccontextmanager
async def connect(  # noqa: PLR0913  # each is a wish of its own, with a default
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    *,
    nick: str | None = None,
    resume: bool = False,
    reconnect: bool = True,
    give_up_seconds: float | None = None,
    after: int | None = None,
    session: str | None = None,
    presence: bool = True,
    echo: bool = False,
    receive: bool = True,
    inbox_limit_bytes: int = 8 * 1024 * 1024,
    heartbeat_seconds: float = 15.0,
) -> AsyncIterator[Room]:
    """Be in a room: `async with chatroom.connect(nick="alice") as room: …`.

    - `nick`: the name wanted; without it the server gives a guest's name.
    - `reconnect`: come back by itself when the connection breaks, after a growing, random delay;
      `give_up_seconds` later at the latest it is lost for good (None: never).
    - `resume`: after coming back, first get every event since the last one that arrived: nothing
      twice, and nothing missing but what a `Gap` names. Without it what was missed is one `Gap`.
    - `after`, `session`: resume from `room.seq` and `room.session` of an earlier run.
    - `presence`: joins, leaves and renames are wanted. `echo`: so are one's own events.
    - `receive`: False for a program that only talks; events are thrown away.
    - `inbox_limit_bytes`: how much is kept for who does not read; then the server has to wait.
    - `heartbeat_seconds`: after this long without a sign from the server it is asked for one, and
      after as long again the connection counts as lost.

    Entering waits for the welcome. It raises `Unreachable` if there is no chatroom server at the
    address, and `NickTaken`, `NickInvalid`, `RoomFull` or another `RoomError` as the server says.
    Cancelled meanwhile, nobody has come.

    Leaving waits for the acks of what was queued with `say_nowait`, `LEAVE_SECONDS` at most, and
    says goodbye. If the block raises or is cancelled, it says goodbye within `ABANDON_SECONDS`.
    What the block raises comes out as it is, not in an exception group.
    """
    wishes = Wishes(
        host=host,
        port=port,
        nick=nick,
        resume=resume,
        reconnect=reconnect,
        give_up_seconds=give_up_seconds,
        after=after,
        session=session,
        presence=presence,
        echo=echo,
        receive=receive,
        inbox_limit_bytes=inbox_limit_bytes,
        heartbeat_seconds=heartbeat_seconds,
    )
    async with open_room(wishes) as room:
        yield room


@asynccontextmanager
async def open_room(wishes: Wishes) -> AsyncIterator[Room]:
    """As `connect`, with the arguments in one value."""
    desk = Desk(wishes, Standing(wishes), Ledger(), Inbox(wishes.inbox_limit_bytes), Counts())
    lifeline = Lifeline(desk)
    connection = await lifeline.open()
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        # Nothing to wait for: the connection is there, and what is asked before it runs is queued.
        nursery.start_soon(lifeline.run, connection)  # noqa: ASYNC113
        try:
            yield Room(desk, lifeline)
        except BaseException as error:  # noqa: ASYNC103
            raised = error  # raised again below, where no nursery wraps it in a group
        await _leave(desk, lifeline, abandon=raised is not None)
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


async def _leave(desk: Desk, lifeline: Lifeline, *, abandon: bool) -> None:
    seconds = ABANDON_SECONDS if abandon else LEAVE_SECONDS
    with trio.move_on_after(seconds) as scope:
        scope.shield = True
        if lifeline.connected and not abandon:
            for statement in desk.ledger.statements():
                await statement.answered.wait()
        lifeline.leave()
        if lifeline.connected:
            await lifeline.ended.wait()
