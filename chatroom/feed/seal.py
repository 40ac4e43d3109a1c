"""Sealed blocks: what only members can read on the feed. Sans I/O and clock.

A sealed block stands where the event's JSON would in a packet of MoldUDP64, whose framing stays as
it is:

    key: 4 bytes | last: 1 bit, counter: 63 bits | the event, encrypted, and its tag: 16 bytes

The cipher is AES-128-GCM. Its nonce is the first twelve bytes: the key's number and a counter that
begins at 0 with each key and is never set back; each key is random and belongs to one server
process. So no nonce comes twice under a key, whatever is sent again (a repair is sealed anew, and
so is an event whose text was taken back). The session and the event's number are authenticated as
well: a block cannot stand for another number or in another log. See FEED.md.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from struct import Struct
from typing import TYPE_CHECKING

from chatroom.errors import ChatroomError
from chatroom.protocol import moldudp64 as mold
from chatroom.protocol.answers import FeedKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CIPHER = "AES-128-GCM"
_KEY_BYTES = 16
_HEAD = Struct("!4sQ")
_TAG_BYTES = 16
#: What sealing adds to a message.
OVERHEAD_BYTES = _HEAD.size + _TAG_BYTES
_LAST = 1 << 63
_WHERE = Struct("!10sQ")


def can_seal() -> bool:
    """Whether `cryptography` is installed."""
    return find_spec("cryptography") is not None


def _cipher(secret: bytes) -> AESGCM:
    try:
        # Imported here: not every room has a sealed feed.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    except ModuleNotFoundError as error:
        reason = "a sealed feed needs an extra: pip install 'chatroom[tls]'"
        raise ChatroomError(reason) from error
    return AESGCM(secret)


class _Key:
    """One key of a server, and how often it was used."""

    def __init__(self) -> None:
        self._id, secret = os.urandom(4), os.urandom(_KEY_BYTES)
        self._encrypt = _cipher(secret).encrypt
        self._counter = 0
        self.handed_out = FeedKey(self._id.hex(), CIPHER, b64encode(secret).decode())

    def seal(self, message: bytes, where: bytes, *, last: bool = False) -> bytes:
        counter = self._counter
        self._counter = counter + 1
        nonce = _HEAD.pack(self._id, counter | _LAST if last else counter)
        return nonce + self._encrypt(nonce, message, where)


class Sealer:
    """Seals the messages of one session, by a key that changes.

    Raises `ChatroomError` if `cryptography` is not installed.
    """

    def __init__(self, session: bytes) -> None:
        self.session = session  #: of what is sealed from now on
        self._key, self._next = _Key(), _Key()

    @property
    def key(self) -> FeedKey:
        """By which it seals."""
        return self._key.handed_out

    @property
    def next_key(self) -> FeedKey:
        """By which it will seal after the next `turn`."""
        return self._next.handed_out

    def turn(self) -> None:
        """Go on with the next key, which those who are to read on may have already."""
        self._key, self._next = self._next, _Key()

    def revoke(self) -> None:
        """Go on with a key that nobody has been given."""
        self._key, self._next = _Key(), _Key()

    def blocks(self, sequence: int, messages: Sequence[bytes]) -> list[bytes]:
        """The messages from `sequence` on, sealed, as they stand in a packet."""
        session, seal = self.session, self._key.seal
        return [
            mold.block(seal(message, _WHERE.pack(session, number)))
            for number, message in enumerate(messages, sequence)
        ]

    def last_block(self, sequence: int, message: bytes) -> bytes:
        """The message of that number once more, sealed as the last of its session."""
        where = _WHERE.pack(self.session, sequence)
        return mold.block(self._key.seal(message, where, last=True))


class Keyring:
    """The keys that a listener has been given.

    `lacks_key` is set by a block whose key it has not; `unopened` counts the blocks that could not
    be opened: of a key that it has not, changed on the way, or nobody's.
    """

    #: A key that is not handed out any more opens what was on its way.
    OLD_SECONDS = 2.0

    def __init__(self) -> None:
        # By its number: what opens, until when, and the server whose it is.
        self._keys: dict[bytes, tuple[Callable[[bytes, bytes, bytes], bytes], float, int]] = {}
        self.lacks_key = False
        self.unopened = 0

    def take(self, keys: Sequence[FeedKey], now: float, server: int = 0) -> None:
        """These are the keys of a server now; its others end. Raises `ChatroomError` for a cipher
        that is not known, or a key that is none.
        """
        kept = {
            number: (opens, min(until, now + self.OLD_SECONDS) if whose == server else until, whose)
            for number, (opens, until, whose) in self._keys.items()
        }
        for key in keys:
            if key.cipher != CIPHER:
                raise ChatroomError(f"the feed is sealed by {key.cipher}, which is not known here")
            try:
                number, secret = bytes.fromhex(key.id), b64decode(key.secret, validate=True)
                kept[number] = (_cipher(secret).decrypt, float("inf"), server)
            except ValueError as error:
                raise ChatroomError("the server has given a key that is none") from error
        self._keys = {number: one for number, one in kept.items() if one[1] > now}
        self.lacks_key = False

    def unseal(self, packet: mold.Packet, now: float) -> mold.Packet | None:
        """The packet with its messages opened; the end of a session is believed only of a block
        that says so. None: a block could not be opened, so nothing of it is believed.

        A packet without messages can be anybody's: it is left as it is, but for an end.
        """
        messages, last = [], False
        for number, block in enumerate(packet.messages, packet.sequence):
            message = self._open(block, _WHERE.pack(packet.session, number), now)
            if message is None:
                self.unopened += len(packet.messages)
                return None
            messages.append(message)
            last = bool(block[4] >> 7)
        return packet._replace(messages=messages, end_of_session=last)

    def _open(self, block: bytes, where: bytes, now: float) -> bytes | None:
        if len(block) < OVERHEAD_BYTES:
            return None
        found = self._keys.get(block[:4])
        if found is None or found[1] <= now:
            self.lacks_key = True
            return None
        try:
            return found[0](block[: _HEAD.size], block[_HEAD.size :], where)
        except Exception as error:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415

            if isinstance(error, InvalidTag):
                return None
            raise
