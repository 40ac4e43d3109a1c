"""`chatroom.connect`: a room for the time of an `async with`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from chatroom.client.options import ConnectOptions
from chatroom.client.reconnecting import Reconnector
from chatroom.client.room import Room
from chatroom.client.state import ClientState
from chatroom.settings import DEFAULT_HOST, DEFAULT_PORT

#: Leaving waits this long for the last acks and for the server to close: more than a slow disk
#: takes to sync, less than a person waits for a program to end.
LEAVE_SECONDS = 2.0

#: And this long when the block was left by an exception or cancelled.
ABANDON_SECONDS = 0.25


@asynccontextmanager
async def connect(  # noqa: PLR0913  # each is a wish of its own, with a default
    host: str | Sequence[str] = DEFAULT_HOST,
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
    tls: ssl.SSLContext | str | bool | None = None,
    secret: str | None = None,
    account: str | None = None,
    password: str | None = None,
) -> AsyncIterator[Room]:
    """Be in a room: `async with chatroom.connect(nick="alice") as room: …`.

    - `host`, `port`: where the server is; or `unix:PATH` for its Unix socket, or the URL of its
      WebSocket, `ws://HOST:PORT/ws` or `wss://…`, which names its own port. A host may have its
      port with it, `"a:9009"`, `"[::1]:9009"`, and of a room on several servers all may be named,
      `["a:9009", "b:9019"]`: they are tried in turn. What a server over TCP says of the others is
      added to them.
    - `tls`: encrypted, and who answers has to be whom one wanted: by the rules of an `SSLContext`;
      by its certificate's fingerprint, `"sha256:…"`, which the server prints; or with True by an
      authority that this machine trusts and else, as with SSH, by the certificate that was shown
      the first time (kept in `known_rooms` in the user's configuration folder). Without it only
      `wss:` is encrypted, and needs an authority.
    - `secret`: the room's, or `account` and `password`: for a server that does not let everybody
      in. They are said over TLS, or to a server on this machine, and to no other.
    - `nick`: the name wanted; without it the server gives the account's, or a guest's name.
    - `reconnect`: come back by itself when the connection breaks, after a growing, random delay,
      to the next server if there are several, and at once if the present one says that it stops;
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
    address or that is none, `NotEncrypted` if credentials would be read by others, and `NickTaken`,
    `NickInvalid`, `RoomFull`, `LoginNeeded`, `LoginFailed`, `Banned` or another `RoomError` as the
    server says. Cancelled meanwhile, nobody has come.

    Leaving waits for the acks of what was queued with `say_nowait`, `LEAVE_SECONDS` at most, and
    says goodbye. If the block raises or is cancelled, it says goodbye within `ABANDON_SECONDS`,
    and what is not acked by then may be heard or not. Both waits are shielded from cancellation.
    What the block raises comes out as it is, not in an exception group. A `port` that is no number
    is a `TypeError` at once, and a host that names none a `ValueError`.
    """
    if not isinstance(port, int):
        raise TypeError(f"the port is a number, not {port!r}; a name is given with nick=")
    options = ConnectOptions(
        hosts=[host] if isinstance(host, str) else host,
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
        tls=tls or None,
        secret=secret,
        account=account,
        password=password,
    )
    async with open_room(options) as room:
        yield room


@asynccontextmanager
async def open_room(options: ConnectOptions) -> AsyncIterator[Room]:
    """As `connect`, also when it is cancelled, with the arguments in one value."""
    state = ClientState(options)
    reconnector = Reconnector(state)
    connection = await reconnector.open()
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        # Nothing to wait for: the connection is there, and what is asked before it runs is queued.
        nursery.start_soon(reconnector.run, connection)  # noqa: ASYNC113
        try:
            yield Room(state, reconnector)
        except BaseException as error:  # noqa: ASYNC103
            raised = error  # raised again below, where no nursery wraps it in a group
        await _leave(state, reconnector, abandon=raised is not None)
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


async def _leave(state: ClientState, reconnector: Reconnector, *, abandon: bool) -> None:
    seconds = ABANDON_SECONDS if abandon else LEAVE_SECONDS
    with trio.move_on_after(seconds) as scope:
        scope.shield = True
        if not abandon:
            for statement in state.pending.statements():
                await statement.answered.wait()
        reconnector.leave()
        if reconnector.connected:
            await reconnector.ended.wait()
