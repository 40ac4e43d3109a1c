"""`chatroom.listen`: the events of a room from its multicast feed, sealed or not."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import msgspec
import trio

from chatroom.client.errors import RoomError
from chatroom.client.feed.login import ask_for_feed
from chatroom.client.options import ConnectOptions
from chatroom.client.outlook import may_pass
from chatroom.feed.beside import beside
from chatroom.feed.group import split_group
from chatroom.feed.listener import Listener, ListenOptions, Place, open_listener
from chatroom.feed.seal import Keyring
from chatroom.feed.sessions import Introduction
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
    group: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    interface: str | None = None,
    request: str | None = None,
    start: int | None = None,
    server: str | Sequence[str] | None = None,
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
        group: an IPv4 or IPv6 multicast group, `GROUP` or `GROUP:PORT`; by default what the server
            says, or the usual one. Several that have the same feed, as of two servers of one room:
            each event is taken from where it comes first, and asked for if it comes on none.
        port: the feed's UDP port, where none is with the group.
        interface: an address or the name of the interface to listen on; loopback by default.
        request: `HOST:PORT` to ask for what is missing; by default the address that the feed comes
            from, and the port after the feed's.
        start: the first number wanted; by default what comes from now on.
        server: `HOST:PORT` of the room, which a sealed feed needs: it is asked, in a connection of
            a moment, where the feed is and by which keys it is opened, and again when they change.
            Several, of one room, each with a feed: one that is away at the beginning is left out.
        tls, secret, account, password: as for `connect`; to get in there.

    Raises `ChatroomError` if the group can't be joined, `ValueError` for a bad argument, `OSError`
    if the host of `request` is not known; with a `server` also what `connect` raises, and while
    one listens `Banned`, `LoginFailed` or another `RoomError` if one is not to read on, and
    `ChatroomError` if its keys are none that are known here. Entering
    waits for the server and to look up hosts; cancelled there, nothing is open. Leaving never
    waits, and leaves the group also when it is cancelled.
    """
    options = ListenOptions(interface=interface, request=request, start=start)
    groups = [group] if isinstance(group, str) else group
    wanted = None if groups is None else [split_group(one) for one in groups]
    if server is None:
        usual = port or DEFAULT_PORT + 1
        places = [Place(one, its or usual) for one, its in wanted or [(DEFAULT_GROUP, None)]]
        async with open_listener(options, places) as listener:
            yield listener
        return
    rooms = [
        ConnectOptions(
            hosts=[one], tls=tls or None, secret=secret, account=account, password=password
        )
        for one in ([server] if isinstance(server, str) else server)
    ]
    async with listen_with(rooms, options, wanted, port) as listener:
        yield listener


@asynccontextmanager
async def listen_with(
    rooms: Sequence[ConnectOptions],
    options: ListenOptions,
    groups: Sequence[tuple[str, int | None]] | None = None,
    port: int | None = None,
) -> AsyncIterator[Listener]:
    """As `listen` with servers: `rooms` are the ways to each of them; `groups` and `port` are what
    is given of the feed, and `options` the other arguments.
    """
    feeds = await _ask_each(rooms)
    said = [feed.multicast for feed in feeds.values()]
    places = _places([Place(one.group, one.port, one.request_port) for one in said], groups, port)
    keyring = Keyring() if any(one.key is not msgspec.UNSET for one in said) else None
    async with open_listener(options, places, keyring) as listener:
        if keyring is None:
            yield listener
            return
        renewals = [
            partial(
                _renew,
                listener,
                server,
                room,
                _take(listener, server, feeds[server]) if server in feeds else SHORTEST_SECONDS,
            )
            for server, room in enumerate(rooms)
        ]
        async with beside(*renewals):
            yield listener


async def _ask_each(rooms: Sequence[ConnectOptions]) -> dict[int, Feed]:
    """What the servers say of their feeds, by their places in the row. Raises the `RoomError` of
    the first if none answers, and one that does not pass.
    """
    feeds, away = dict[int, "Feed"](), list[RoomError]()
    for server, room in enumerate(rooms):
        try:
            feeds[server] = await ask_for_feed(room)
        except RoomError as error:
            if not may_pass(error):
                raise
            away.append(error)
    if not feeds:
        raise away[0]
    return feeds


def _places(
    said: list[Place], groups: Sequence[tuple[str, int | None]] | None, port: int | None
) -> list[Place]:
    """Where to listen: what is given goes before what the servers have said."""
    if groups is None:
        places = said if port is None else [place._replace(port=port) for place in said]
    else:
        places = [
            (base := said[min(number, len(said) - 1)])._replace(
                group=group, port=own or port or base.port
            )
            for number, (group, own) in enumerate(groups)
        ]
    return list(dict.fromkeys(places))  # two servers may send to one group


def _take(listener: Listener, server: int, feed: Feed) -> float:
    """What the server says is so. How long its key is good, in seconds."""
    multicast = feed.multicast
    keys = [key for key in (multicast.key, multicast.next_key) if key is not msgspec.UNSET]
    listener.introduce(Introduction(feed.session, feed.first, feed.seq), keys, server)
    return LONGEST_SECONDS if multicast.seconds is msgspec.UNSET else multicast.seconds


async def _renew(listener: Listener, server: int, room: ConnectOptions, seconds: float) -> None:
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
        seconds = _take(listener, server, feed)
