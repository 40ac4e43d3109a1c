"""What a message's text may be, on every way in."""

from __future__ import annotations

import msgspec

from chatroom.room.refused import Refused

#: C0, DEL and C1 but for TAB, and the bidirectional overrides and isolates: they would move the
#: cursor, clear the screen or turn the text around on a recipient's terminal.
UNSAFE = (
    *(code for code in range(0x20) if code != 0x09),
    *range(0x7F, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_REPLACE_UNSAFE = dict.fromkeys(UNSAFE, "\ufffd")

#: In JSON these take two bytes for one.
_ESCAPED = str.maketrans({'"': '\\"', "\\": "\\\\", "\t": "\\t"})

_encode = msgspec.json.encode


def make_safe(text: str) -> str:
    """`text` with every unsafe character replaced by U+FFFD."""
    # isprintable() is false for all that is unsafe (and for more), in a third of a search's time.
    return text if text.isprintable() else text.translate(_REPLACE_UNSAFE)


class TextRules:
    """The bounds of a text: bytes of UTF-8, and bytes of its event's JSON in a datagram."""

    __slots__ = ("_event_room", "_max_bytes", "_surely_fits")

    #: The JSON of an event beside its text: keys, a 20-digit number, the time, and a nick of 32
    #: characters of 4 bytes. Counted at its longest, so that the same text is never taken from one
    #: member and refused from another.
    ENVELOPE_BYTES = (
        len('{"seq":,"time":"","kind":"message","nick":"","text":""}') + 20 + 27 + 32 * 4
    )

    #: What a kick's leave has beside: the reason's word, and who it was.
    LEAVE_BYTES = len(',"reason":"kicked","by":""') + 32 * 4

    #: A reason is a line on a terminal, or two.
    NOTE_BYTES = 200

    def __init__(self, max_bytes: int, max_event_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._event_room = max_event_bytes - self.ENVELOPE_BYTES
        # Below this even a text of nothing but escapes fits.
        self._surely_fits = min(max_bytes, self._event_room // 2)

    @property
    def longest_text_bytes(self) -> int:
        """No text with more bytes of UTF-8 is taken; what has few escapes is up to here."""
        return min(self._max_bytes, self._event_room)

    def check(self, text: str) -> str:
        """The text as the room takes it, made safe. Raises `Refused`: empty or too long."""
        if not text:
            raise Refused("text_empty", "a message needs some text")
        text = make_safe(text)
        size = len(text) if text.isascii() else len(text.encode())
        if size > self._surely_fits:
            self._check_long(text, size)
        return text

    def check_note(self, text: str) -> str:
        """As `check`, for what an operator says besides: shorter, and it may be empty."""
        if not text:
            return text
        text = self.check(text)
        size = len(text.translate(_ESCAPED).encode())
        longest = min(self.NOTE_BYTES, self._event_room - self.LEAVE_BYTES)
        if size > longest:
            raise Refused("text_too_long", f"the reason has {size} bytes, {longest} are allowed")
        return text

    def _check_long(self, text: str, size: int) -> None:
        if size > self._max_bytes:
            raise Refused(
                "text_too_long", f"the text has {size} bytes, {self._max_bytes} are allowed"
            )
        escaped = len(text.translate(_ESCAPED).encode())
        if escaped > self._event_room:
            raise Refused(
                "text_too_long",
                f"the text takes {escaped} bytes as JSON, {self._event_room} fit a datagram",
            )
