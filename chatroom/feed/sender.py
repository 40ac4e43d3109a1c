"""Everything once to the group: the feed's hot path, and its heartbeats."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence

import trio

from chatroom.errors import ChatroomError
from chatroom.feed.seal import Sealer
from chatroom.feed.store import BlockStore
from chatroom.protocol import moldudp64 as mold

log = logging.getLogger("chatroom.feed")

#: The first heartbeat comes so long after the last event, so that its loss is noticed; then each
#: pause is twice the one before, up to the longest, which says that the server is there.
FIRST_HEARTBEAT_SECONDS = 0.01
LONGEST_HEARTBEAT_SECONDS = 1.0
#: When the end of the session is said, in seconds after the first time: as a heartbeat may, it
#: gets lost, and requests are served until the last one.
FAREWELL_SECONDS = (0.0, 0.02, 0.06, 0.14, 0.3)
#: An error of the network is logged at most once in this time, however often it comes.
LOG_SECONDS = 1.0


class Sender:
    """Sends to a group. The room does not depend on it: nothing here raises or waits for the
    network's sake, errors are counted in `errors` by their name.

    Args:
        open_socket: makes a socket whose `send` goes to the group. It is called again when the
            network fails, since an interface that was gone may come back as another.
        session: ten bytes.
        store: gets everything that is sent; the numbers go on from where it stands.
        datagram_bytes: the largest datagram.
        sealer: seals what is sent; None: everybody can read it. The store keeps it unsealed.
    """

    def __init__(
        self,
        open_socket: Callable[[], socket.socket],
        session: bytes,
        store: BlockStore,
        datagram_bytes: int,
        sealer: Sealer | None = None,
    ) -> None:
        self._open_socket = open_socket
        self.socket = open_socket()
        self.session = session  #: of what is sent from now on
        self._store = store
        self._datagram_bytes = datagram_bytes
        self._sealer = sealer
        self._sent_at = trio.current_time()
        self._quiet = trio.CancelScope()  # ends when nothing was sent for a while
        self._put_off_again_at = 0.0
        self.packets = self.bytes = 0  #: sent
        self.errors: Counter[str] = Counter()
        self._unlogged = 0
        self._logged_at = -LOG_SECONDS
        self._broken = False
        self._ended = False

    def send(self, first_seq: int, messages: Sequence[bytes]) -> None:
        """Send a batch of messages, numbered from `first_seq`, in as few datagrams as they fit.

        Called in the broadcaster's own turn, for every batch. A lone message takes 7 µs on
        loopback, 4 of them in the kernel, which needs 0.36 µs more for each listener on this host.
        """
        try:
            blocks = [mold.block(message) for message in messages]
            self._store.extend(first_seq, blocks)
            if self._sealer is not None:
                blocks = self._sealer.blocks(first_seq, messages)
            for datagram in mold.packets(self.session, first_seq, blocks, self._datagram_bytes):
                self._send(datagram)
        except MemoryError:
            # As if it were lost on the way: the next heartbeat says so, and who asks for what the
            # store has not got either gets it of the journal.
            self._store.extend(first_seq + len(messages), ())
        self._put_off_heartbeat()

    def _send(self, datagram: bytes) -> None:
        try:
            self.socket.send(datagram)
        except OSError as error:
            self._fail(error)
        else:
            self.packets += 1
            self.bytes += len(datagram)

    def _fail(self, error: OSError) -> None:
        name = os.strerror(error.errno or 0)
        self.errors[name] += 1
        self._unlogged += 1
        self._broken = self._broken or not isinstance(error, BlockingIOError)
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            fields = {"datagrams": self._unlogged, "error": name}
            log.warning("the feed could not send", extra={"fields": fields})
            self._unlogged = 0
            self._logged_at = now

    async def beat(self) -> None:
        """Send heartbeats, until the farewell."""
        heard_of = self._sent_at
        pause, due = FIRST_HEARTBEAT_SECONDS, heard_of + FIRST_HEARTBEAT_SECONDS
        while not self._ended:
            with trio.CancelScope(deadline=due) as self._quiet:
                await trio.sleep_forever()
            if self._ended:
                break
            if self._sent_at != heard_of:
                heard_of = self._sent_at
                pause, due = FIRST_HEARTBEAT_SECONDS, heard_of + FIRST_HEARTBEAT_SECONDS
                if trio.current_time() < due:
                    continue
            if self._broken:
                self._mend()
            self._send(mold.heartbeat(self.session, self._store.next_sequence))
            pause = min(2 * pause, LONGEST_HEARTBEAT_SECONDS)
            due = trio.current_time() + pause

    def _put_off_heartbeat(self) -> None:
        """Something was sent. Setting a deadline costs 5 µs and being woken in vain by one 50 to
        150, so in a busy room the deadline is moved now and then, and hardly ever reached.
        """
        self._sent_at = now = trio.current_time()
        if now >= self._put_off_again_at:
            self._put_off_again_at = now + FIRST_HEARTBEAT_SECONDS / 2
            self._quiet.deadline = now + FIRST_HEARTBEAT_SECONDS

    def _mend(self) -> None:
        """A fresh socket after an error: the old one may be tied to an interface that is gone."""
        try:
            fresh = self._open_socket()
        except ChatroomError:
            return
        self.socket.close()
        self.socket = fresh
        self._broken = False
        log.info("the feed sends again")

    def _prove_end(self) -> None:
        """Who has a key believes the end only of a sealed block: the last one, once more."""
        last = self._store.next_sequence - 1
        kept = self._store.get(last, 1)
        if self._sealer is not None and kept:
            block = self._sealer.last_block(last, kept[0][mold.LENGTH_BYTES :])
            for datagram in mold.packets(self.session, last, [block], self._datagram_bytes):
                self._send(datagram)

    async def say_farewell(self) -> None:
        """Say that no more will come, several times, while requests are still served."""
        self._ended = True
        begin = trio.current_time()
        for seconds in FAREWELL_SECONDS:
            await trio.sleep_until(begin + seconds)
            self._prove_end()
            self._send(mold.end_of_session(self.session, self._store.next_sequence))
