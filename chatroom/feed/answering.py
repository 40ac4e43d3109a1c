"""Which requests are answered, and with what. No I/O: bytes and the time go in, a datagram or
nothing comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from chatroom.feed.buckets import Rate, SourceBuckets
from chatroom.feed.proof import Proof
from chatroom.feed.seal import Sealer
from chatroom.feed.store import BlockStore
from chatroom.protocol import moldudp64 as mold

#: A source gets at most these answers. 4,000 full datagrams a second are 46 Mbit/s: enough for
#: twenty listeners on one host that each lose a tenth of 1,000 packets a second, or to bring one
#: that was away for 65,536 messages up to date in two seconds.
EACH_SOURCE = Rate(per_second=4000, burst=1000)
#: All sources together: what forged sources, however many, can make this server send.
IN_ALL = Rate(per_second=10_000, burst=4000)
#: Answers that need the journal, which is slower than memory: a part of the above.
FROM_JOURNAL = Rate(per_second=1000, burst=200)


class Fate(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    MALFORMED = "malformed"
    WRONG_SESSION = "wrong_session"
    NOT_YET = "not_yet"  # numbers that were not given out yet
    NOT_KEPT = "not_kept"
    TOO_MANY = "too_many"  # the tokens of its source, or of all, are used up
    NOT_SHOWN = "not_shown"  # nobody has shown to hear at its source
    FAILED = "failed"  # the answer could not be sent


class Answering:
    """Answers from the store; there is no refusal in MoldUDP64, so whatever it has no answer for
    gets silence and is counted.

    `requests` says how many came, and `fates` how many ended how; the rest wait for the journal.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it answers from, to whom, and how
        self,
        session: bytes,
        store: BlockStore,
        datagram_bytes: int,
        now: float,
        sealer: Sealer | None = None,
        proof: Proof | None = None,
    ) -> None:
        """With `proof` an address that has not shown that somebody hears there gets little, and of
        a sealed feed nothing.
        """
        self.session = session  #: requests of another one are not answered
        self._sealer = sealer
        self._proof = proof
        self._store = store
        self._datagram_bytes = datagram_bytes
        self._buckets = SourceBuckets(EACH_SOURCE, IN_ALL, now)
        self._journal_buckets = SourceBuckets(FROM_JOURNAL, FROM_JOURNAL, now)
        self.requests = 0
        self.fates: Counter[Fate] = Counter()

    def answer(self, datagram: bytes, source: str, now: float) -> bytes | mold.Request | None:
        """The one datagram that answers a request from `source`, or None for silence.

        Where the messages are older than what the store keeps, the request is returned, for no
        more of them than an answer can bring: the journal may have them. Never raises, whatever the
        bytes.
        """
        self.requests += 1
        try:
            request = mold.decode_request(datagram)
        except mold.MalformedPacket:
            self.fates[Fate.MALFORMED] += 1
            return None
        refused = self._refuse(request, source, now)
        if refused is None:
            wanted = min(request.wanted, self._fitting)
            blocks = self._store.get(request.sequence, wanted)
            if self._is_to_earn(source, now):
                return self._little(request.sequence, blocks, source)
            if blocks:
                return self.pack(request.sequence, blocks)
            if self._journal_buckets.take(source, now):
                return request._replace(wanted=wanted)
            refused = Fate.TOO_MANY
        self.fates[refused] += 1
        return None

    def _refuse(self, request: mold.Request, source: str, now: float) -> Fate | None:
        """Why a request gets silence; None if it is to be answered."""
        if request.session != self.session:
            return Fate.WRONG_SESSION
        if request.sequence == 0:
            return Fate.MALFORMED
        if request.sequence >= self._store.next_sequence:
            return Fate.NOT_YET
        return None if self._buckets.take(source, now) else Fate.TOO_MANY

    def _is_to_earn(self, source: str, now: float) -> bool:
        return self._proof is not None and not self._proof.has_shown(source, now)

    def _little(self, sequence: int, blocks: Sequence[bytes], source: str) -> bytes | None:
        """What a request from an address has earned that has shown nothing."""
        assert self._proof is not None
        room = self._proof.earn(source, mold.HEADER_BYTES) - mold.HEADER_BYTES
        fitting: list[bytes] = []
        if self._sealer is None:
            for block in blocks:
                room -= len(block)
                if room < 0:
                    break
                fitting.append(block)
        if not fitting:
            self.fates[Fate.NOT_SHOWN] += 1
            return None
        answer = self.pack(sequence, fitting)
        self._proof.spend(source, len(answer))
        return answer

    def pack(self, sequence: int, blocks: Sequence[bytes]) -> bytes:
        """An answer with as many of the blocks as fit, sealed anew if the feed is."""
        self.fates[Fate.ANSWERED] += 1
        if self._sealer is not None:
            messages = [block[mold.LENGTH_BYTES :] for block in blocks]
            blocks = self._sealer.blocks(sequence, messages)
        return next(mold.packets(self.session, sequence, blocks, self._datagram_bytes))

    def not_sent(self) -> None:
        """What was packed last could not be sent: that is no answer."""
        self.fates[Fate.ANSWERED] -= 1
        self.fates[Fate.FAILED] += 1

    @property
    def _fitting(self) -> int:
        """More messages than this never fit one datagram: no event is shorter than 30 bytes."""
        return self._datagram_bytes // 32
