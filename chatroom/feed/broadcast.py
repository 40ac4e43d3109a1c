"""The server's side of the feed, put together: sender, heartbeats, and the answers to requests."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.event import Event, decode_event, encode_event, without_text
from chatroom.feed.answering import Answering, Fate
from chatroom.feed.group import (
    Group,
    check_datagram,
    default_interface,
    join_host_port,
    open_answering,
    open_sending,
)
from chatroom.feed.proof import Proof
from chatroom.feed.seal import Sealer
from chatroom.feed.sender import Sender
from chatroom.feed.statistics import FeedStatistics
from chatroom.feed.store import BlockStore
from chatroom.protocol import moldudp64 as mold
from chatroom.protocol.answers import Multicast

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.settings import FeedSettings

log = logging.getLogger("chatroom.feed")

#: Requests looked at in one go, and the pause when more are waiting: a flood costs the room a few
#: milliseconds in a second, and the kernel drops what does not fit the socket's buffer.
REQUESTS_AT_ONCE = 32
FLOOD_PAUSE_SECONDS = 0.001
#: Requests that may wait for the journal.
WAITING_FOR_JOURNAL = 64

#: A key seals no longer than this.
KEY_SECONDS = 3600.0

_Address = Any  # what the socket module says about where a datagram came from


class History(Protocol):
    """What the feed needs of the journal."""

    session: str

    async def after(self, seq: int, limit: int) -> _Page: ...


class _Page(Protocol):
    @property
    def events(self) -> Sequence[object]: ...


class Feed:
    """The feed of one room. It takes every batch of events (`send`), and runs beside the room.

    Raises `ChatroomError` if the group, the interface or the request port can't be used.
    """

    def __init__(
        self,
        settings: FeedSettings,
        tcp_port: int,
        history: History,
        last_seq: int,
        *,
        sealed: bool = False,
    ) -> None:
        """`tcp_port` gives the ports that are not chosen; `last_seq` is the newest event's.
        `sealed`: only who has been given a key can read it.
        """
        self.group = _group(settings, tcp_port)
        self.ttl = settings.ttl
        self._history = history
        session = history.session.encode("ascii")
        self._sealer = Sealer(session) if sealed else None
        self._keys_until = trio.current_time() + KEY_SECONDS
        self._store = BlockStore(settings.keep, settings.keep_bytes, last_seq + 1)
        self._source: str | None = None
        self._sender = Sender(
            self._open_sending,
            session,
            self._store,
            settings.datagram_bytes,
            self._sealer,
        )
        try:
            check_datagram(self._sender.socket, settings.datagram_bytes)
            self._requests = _open_requests(
                self._sender.socket,
                settings.request_port or self.group.port + 1,
                fixed=settings.request_port is not None or not settings.any_request_port,
            )
        except BaseException:
            self._sender.socket.close()
            raise
        #: On loopback nobody can be hurt by an answer that nobody asked for.
        self._proof = None if _is_loopback(self._requests) else Proof()
        # Listeners ask at the address that the feed comes from: it is not to change any more.
        self._source, self.request_port = self._requests.getsockname()[:2]
        self._answering = Answering(
            session,
            self._store,
            settings.datagram_bytes,
            trio.current_time(),
            self._sealer,
            self._proof,
        )
        self._older, self._journal_turn = trio.open_memory_channel[tuple[mold.Request, _Address]](
            WAITING_FOR_JOURNAL
        )
        #: Sends a batch: the JSON of the events from a number on. Never blocks, never raises.
        self.send = self._sender.send

    def where(self, *, private: bool) -> Multicast:
        """What whoever comes in is told of it; the keys only where nobody else hears them."""
        where = Multicast(self.group.address, self.group.port, self.request_port)
        if self._sealer is None or not private:
            return where
        return msgspec.structs.replace(
            where,
            key=self._sealer.key,
            next_key=self._sealer.next_key,
            seconds=round(self._keys_until - trio.current_time(), 3),
        )

    def show(self, address: str) -> None:
        """Somebody has come in by TCP from there, so its requests are its own."""
        if self._proof is not None:
            self._proof.show(address, trio.current_time())

    @property
    def sealed(self) -> bool:
        """Only who has been given a key can read it."""
        return self._sealer is not None

    def revoke_keys(self) -> None:
        """Somebody is not to read on: whoever is, asks for the new key. Never blocks or raises."""
        if self._sealer is not None:
            self._sealer.revoke()
            self._keys_until = trio.current_time() + KEY_SECONDS

    async def _turn_keys(self) -> None:
        while self._sealer is not None:
            await trio.sleep_until(self._keys_until)
            if trio.current_time() >= self._keys_until:
                self._sealer.turn()
                self._keys_until = trio.current_time() + KEY_SECONDS

    def description(self) -> dict[str, str | int]:
        """Where the feed is, for the log."""
        host = self._requests.getsockname()[0]
        return {
            "feed": str(self.group),
            "feed_sealed": "yes" if self.sealed else "no",
            "feed_interface": self.group.interface,
            "feed_ttl": self.ttl,
            "feed_requests": join_host_port(host, self.request_port),
        }

    def statistics(self) -> FeedStatistics:
        """What has been sent and asked for since the start. Never blocks."""
        refusals = {str(fate): count for fate, count in self._answering.fates.items()}
        answers = refusals.pop(Fate.ANSWERED, 0)
        return FeedStatistics(
            packets=self._sender.packets,
            bytes=self._sender.bytes,
            send_failures=self._sender.errors.total(),
            requests=self._answering.requests,
            answers=answers,
            refusals=refusals,
        )

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send heartbeats and answer requests until cancelled; the sockets are closed then."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._sender.beat)
                nursery.start_soon(self._answer_requests)
                nursery.start_soon(self._answer_from_journal)
                nursery.start_soon(self._turn_keys)
                task_status.started()
        finally:
            self.close()

    def redact(self, seq: int) -> None:
        """Send that event without its text when it is asked for again. Never blocks or raises."""
        for block in self._store.get(seq, 1):
            event = without_text(decode_event(block[mold.LENGTH_BYTES :]))
            self._store.replace(seq, mold.block(encode_event(event)))

    def begin_session(self, name: str, first_seq: int) -> None:
        """From that number on it is another session; of the last one only the journal has what is
        asked for again. What seals it opens nothing of the last one. Never blocks or raises.
        """
        session = name.encode("ascii")
        self.revoke_keys()
        self._store.clear(first_seq)
        self._sender.session = self._answering.session = session
        if self._sealer is not None:
            self._sealer.session = session

    def close(self) -> None:
        """Close the sockets."""
        self._sender.socket.close()
        self._requests.close()

    async def end(self) -> None:
        """Say that the session is over, several times; takes 0.3 s. `run` goes on meanwhile."""
        await self._sender.say_farewell()

    def _open_sending(self) -> socket.socket:
        sending = open_sending(self.group, self.ttl, self._source)
        host = sending.getsockname()[0]
        if self._source is not None and host != self._source:
            self._move(sending, host)
        return sending

    def _move(self, sending: socket.socket, host: str) -> None:
        """The interface has come back with another address: requests are answered there."""
        try:
            moved = open_answering(sending, self.request_port)
        except OSError as error:
            sending.close()
            raise ChatroomError(f"cannot answer requests at {host}: {error.strerror}") from error
        log.warning("the feed's interface has another address", extra={"fields": {"now": host}})
        self._source, left, self._requests = host, self._requests, moved
        trio.lowlevel.notify_closing(left)
        left.close()

    async def _answer_requests(self) -> None:
        while True:
            try:
                await trio.lowlevel.wait_readable(self._requests)
            except trio.ClosedResourceError:  # it has moved
                continue
            try:
                is_flood = self._answer_some() == REQUESTS_AT_ONCE
            except MemoryError:  # who gets no answer asks again
                is_flood = True
            if is_flood:
                await trio.sleep(FLOOD_PAUSE_SECONDS)

    def _answer_some(self) -> int:
        """Answer what waits, up to a limit; how many requests that were."""
        now = trio.current_time()
        for number in range(REQUESTS_AT_ONCE):
            try:
                # One byte more than a request has, so that a longer one is seen to be no request.
                datagram, source = self._requests.recvfrom(mold.HEADER_BYTES + 1)
            except OSError:  # nothing more; or an error that an earlier answer met
                return number
            answer = self._answering.answer(datagram, source[0], now)
            if isinstance(answer, bytes):
                self._send(answer, source)
            elif answer is not None:
                try:
                    self._older.send_nowait((answer, source))
                except trio.WouldBlock:
                    self._answering.fates[Fate.TOO_MANY] += 1
        return REQUESTS_AT_ONCE

    def _send(self, answer: bytes, source: _Address) -> None:
        try:
            self._requests.sendto(answer, source)
        except OSError:
            self._answering.not_sent()

    async def _answer_from_journal(self) -> None:
        async for request, source in self._journal_turn:
            try:
                page = await self._history.after(request.sequence - 1, request.wanted)
            except Exception:
                # The disk fails; the journal says so in the log, and the listener asks again.
                log.debug("the journal could not answer a request", exc_info=True)
                self._answering.fates[Fate.FAILED] += 1
                continue
            blocks = _blocks(page.events, request.sequence)
            if request.session != self._answering.session:  # another one has begun meanwhile
                self._answering.fates[Fate.WRONG_SESSION] += 1
            elif blocks:
                self._send(self._answering.pack(request.sequence, blocks), source)
            else:
                self._answering.fates[Fate.NOT_KEPT] += 1


def _is_loopback(sock: socket.socket) -> bool:
    host: str = sock.getsockname()[0]
    return ip_address(host.partition("%")[0]).is_loopback


def _blocks(events: Sequence[object], sequence: int) -> list[bytes]:
    """The events from `sequence` on, as long as no number is missing among them."""
    blocks: list[bytes] = []
    for number, event in enumerate(events, sequence):
        if not isinstance(event, Event) or event.seq != number:
            break
        blocks.append(mold.block(encode_event(event)))
    return blocks


def _group(settings: FeedSettings, tcp_port: int) -> Group:
    port = settings.port or tcp_port + 1
    if port > 65535:
        raise ChatroomError(
            f"there is no port {port} for the feed: choose one with --multicast GROUP:PORT, "
            "or --no-multicast"
        )
    return Group(settings.group, port, settings.interface or default_interface(settings.group))


def _open_requests(sending: socket.socket, port: int, *, fixed: bool) -> socket.socket:
    """The socket for requests, on `port`, or on another if that one is taken and not fixed."""
    try:
        return open_answering(sending, port)
    except OSError as error:
        if not fixed:
            return open_answering(sending, 0)
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"fails ({error.strerror})"
        raise ChatroomError(
            f"UDP port {port}, where listeners ask again, {reason}: choose another with "
            "--multicast-request-port, or --no-multicast"
        ) from error
    except OverflowError:
        raise ChatroomError(
            f"there is no port {port} for requests: choose one with --multicast-request-port"
        ) from None
