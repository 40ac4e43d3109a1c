"""The text of a swarm's message: fixed length, and it says everything the audit must know.

    kf2a:0007:0000012c:0018f3a9c1d2e:89abcdef:kf2akf2akf2a…
    run  talker number due, in µs    CRC-32   padding

The due time travels in the text, so whichever process receives the message can tell its latency
(CLOCK_MONOTONIC is one clock for all processes of a host). The checksum covers the fields before
it and the padding is known, so a flipped bit anywhere in the text is noticed. The run's tag is
repeated through the padding, so a damaged message is still known to be one of ours.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple
from zlib import crc32

_COVERED = 33  # the fields that the checksum covers, with their colons
_HEADER = 42  # up to and with the colon after the checksum

#: A shorter text has no room for the fields.
SMALLEST_TEXT_BYTES = _HEADER


class Mark(NamedTuple):
    """Which message it is, and when it was due."""

    talker: int
    number: int  #: counts 0, 1, 2, … for each talker
    due_us: int  #: on the monotonic clock


def new_run() -> str:
    """A tag of four characters that tells this run's messages from all others. It begins with a
    letter that is no hexadecimal digit, so the numbers in no text have it.
    """
    return secrets.choice("ghjkmnpqrstuvwxyz") + secrets.token_hex(2)[1:]


class Payload:
    """Writes and reads the texts of one run.

    Args:
        run: four ASCII characters.
        size_bytes: the length of every text, at least `SMALLEST_TEXT_BYTES`.

    Raises:
        ValueError: the size is too small.
    """

    def __init__(self, run: str, size_bytes: int) -> None:
        if size_bytes < SMALLEST_TEXT_BYTES:
            raise ValueError(f"a swarm's text takes at least {SMALLEST_TEXT_BYTES} bytes")
        self.run = run
        self.tag = run.encode("ascii")
        self.size_bytes = size_bytes
        self.start = self.tag + b":"  #: what every text begins with
        self._twice = self.tag * 2
        padding = size_bytes - _HEADER
        self._padding = (self.tag * (padding // len(self.tag) + 1))[:padding]

    def write(self, mark: Mark) -> bytes:
        """The text of a message."""
        covered = b"%b%04x:%08x:%013x:" % (self.start, *mark)
        return b"%b%08x:%b" % (covered, crc32(covered), self._padding)

    def mark_in(self, chunk: bytes) -> bytes:
        """What the first text in `chunk` has that no other text has, without a look whether all of
        it is there and right; empty: there is none.
        """
        at = chunk.find(self.start)
        return b"" if at < 0 else chunk[at : at + _COVERED]

    def read(self, text: bytes) -> Mark | None:
        """What a text says; None if it is not exactly a text that `write` made in this run."""
        if (
            len(text) != self.size_bytes
            or text[_HEADER:] != self._padding
            or not text.startswith(self.start)
            or text[_COVERED:_HEADER] != b"%08x:" % crc32(text[:_COVERED])
        ):
            return None
        return Mark(int(text[5:9], 16), int(text[10:18], 16), int(text[19:32], 16))

    def left_traces_in(self, record: bytes | bytearray) -> bool:
        """Was this record, of which `read` makes nothing, a message of this run?

        The bots' names have the run's tag too, but never with a colon behind it nor twice in a row.
        """
        return self.start in record or self._twice in record
