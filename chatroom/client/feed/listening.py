"""`chatroom.listen`: the events of a room from its multicast feed, sealed or not."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import msgspec
import trio

from chatroom.client.errors import RoomError
from chatroom.client.feed.login import ask_for_feed
from chatroom.client.handshake import may_pass
from chatroom.client.options import ConnectOptions
from chatroom.feed.group import split_host_port
from chatroom.feed.listener import Listener, ListenOptions, open_listener
from chatroom.feed.reassembly import Introduction
from chatroom.feed.seal import Keyring
from chatroom.settings import DEFAULT_GROUP, DEFAULT_PORT

if TYPE_CHECKING:
    from chatroom.protocol.answers import Feed

#: What puzzles a listener may be anybody's, so it asks ever less often while the answer brings
#: nothing new. And as all listeners of a room are puzzled at once, each waits a random part of it.
SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 10.0

#: In this part of a key's time the next ones are asked for, each listener at a moment of its own.
RENEW_FROM, RENEW_TO = 0.5, 0.9


@asynccontextmanager
async def listen(  # noqa: PLR0913  # each is a wish of its own, with a default
    group: str | None = None,
    port: int | None = None,
    *,
    interface: str | None = None,
    request: str | None = None,
    start: int | None = None,
    server: str | None = None,
    tls: ssl.SSLContext | str | bool | None = None,
    secret: str | None = None,
    account: str | None = None,
    password: str | None = None,
) -> AsyncIterator[Listener]:
    """Listen to a room's multicast feed, without a place in the room.

        async with chatroom.listen() as feed:
            async for event in feed:
                print(event)

    Iterating gives an `Event` for each event, once and in order; `Lost(first, last)` where events
    could not be had any more; `SessionBegan` and `SessionEnded` when the server's log begins anew.

    Args:
        group: an IPv4 or IPv6 multicast group; by default what the server says, or the usual one.
        port: the feed's UDP port.
        interface: an address or the name of the interface to listen on; loopback by default.
        request: `HOST:PORT` to ask for what is missing; by default the address that the feed comes
            from, and the port after the feed's.
        start: the first number wanted; by default what comes from now on.
        server: `HOST:PORT` of the room, which a sealed feed needs: it is asked, in a connection of
            a moment, where the feed is and by which keys it is opened, and again when they change.
        tls, secret, account, password: as for `connect`; to get in there.

    Raises `ChatroomError` if the group can't be joined, `ValueError` for a bad argument, `OSError`
    if the host of `request` is not known; with a `server` also what `connect` raises, and while
    one listens `Banned`, `LoginFailed` or another `RoomError` if one is not to read on. Entering
    waits for the server and to look up hosts; cancelled there, nothing is open. Leaving never
    waits, and leaves the group also when it is cancelled.
    """
    options = ListenOptions(interface=interface, request=request, start=start)
    if server is None:
        options["group"], options["port"] = group or DEFAULT_GROUP, port or DEFAULT_PORT + 1
        async with open_listener(options) as listener:
            yield listener
        return
    if group is not None:
        options["group"] = group
    if port is not None:
        options["port"] = port
    host, tcp_port = split_host_port(server)
    room = ConnectOptions(
        hosts=[host],
        port=tcp_port,
        tls=tls or None,
        secret=secret,
        account=account,
        password=password,
    )
    async with listen_with(room, options) as listener:
        yield listener


@asynccontextmanager
async def listen_with(room: ConnectOptions, options: ListenOptions) -> AsyncIterator[Listener]:
    """As `listen` with a server, with the arguments in two values."""
    feed = await ask_for_feed(room)
    options = {"group": feed.multicast.group, "port": feed.multicast.port, **options}
    keyring = None if feed.multicast.key is msgspec.UNSET else Keyring()
    raised: BaseException | None = None
    refused: list[RoomError] = []
    async with open_listener(options, keyring, feed.multicast.request_port) as listener:
        if keyring is None:
            yield listener
            return
        async with trio.open_nursery() as nursery:
            seconds = _take(listener, feed)

            async def renew() -> None:
                try:
                    await _renew(listener, room, seconds)
                except RoomError as error:
                    refused.append(error)
                    nursery.cancel_scope.cancel()

            nursery.start_soon(renew)
            try:
                yield listener
            except BaseException as error:  # noqa: ASYNC103
                raised = error  # raised again below, where no nursery wraps it in a group
            nursery.cancel_scope.cancel()
    if refused:
        raise refused[0]
    if raised is not None:
        raise raised


def _take(listener: Listener, feed: Feed) -> float:
    """What the server says is so. How long its key is good, in seconds."""
    multicast = feed.multicast
    keys = [key for key in (multicast.key, multicast.next_key) if key is not msgspec.UNSET]
    listener.introduce(Introduction(feed.session, feed.first, feed.seq), keys)
    return LONGEST_SECONDS if multicast.seconds is msgspec.UNSET else multicast.seconds


async def _renew(listener: Listener, room: ConnectOptions, seconds: float) -> None:
    """Ask again when something puzzles the listener, and before the key's time is over."""
    random = Random()
    pause, known = SHORTEST_SECONDS, b""
    while True:
        puzzled = False
        with trio.move_on_after(seconds * random.uniform(RENEW_FROM, RENEW_TO)):
            await listener.wait_puzzled()
            puzzled = True
        if puzzled:
            await trio.sleep(pause * random.random())
        try:
            feed = await ask_for_feed(room)
        except RoomError as error:
            if not may_pass(error):
                raise
            # It is being restarted, most likely.
            seconds = pause = min(2 * pause, LONGEST_SECONDS)
            continue
        said = msgspec.json.encode((feed.session, feed.multicast.key))
        pause = SHORTEST_SECONDS if said != known else min(2 * pause, LONGEST_SECONDS)
        known = said
        seconds = _take(listener, feed)
