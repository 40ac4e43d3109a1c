"""One line of IRC: tags, command and parameters out of bytes, and into text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from chatroom.room.text import make_safe
from chatroom.settings import IRC_LINE_BYTES, IRC_TAGS_BYTES

#: How values of tags are escaped (IRCv3, message tags).
_ESCAPES = {";": r"\:", " ": r"\s", "\\": r"\\", "\r": r"\r", "\n": r"\n"}
_ESCAPE = str.maketrans(_ESCAPES)
_UNESCAPES = {escape[1]: plain for plain, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\(.?)")

#: Bold, colours and the like (modern.ircdocs.horse/formatting).
_FORMATTING = re.compile(
    r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9a-fA-F]{6}(?:,[0-9a-fA-F]{6})?)?"
    r"|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)


class LineInvalid(ValueError):
    """A line that cannot be taken."""


class LineTooLong(LineInvalid):
    """It has more bytes than IRC allows."""


class NotUtf8(LineInvalid):
    """It is not UTF-8."""

    def __init__(self, command: str, label: str) -> None:
        super().__init__()
        self.command = command
        self.label = label


class Line(NamedTuple):
    """What a client says."""

    tags: Mapping[str, str]
    command: str  #: in upper case
    params: list[str]

    @property
    def label(self) -> str:
        """By which the client wants to know the answer again; empty: it does not say."""
        return self.tags.get("label", "")


def parse_line(data: bytes) -> Line | None:
    """The line of `data`, which has no LF; None if there is nothing in it. Raises `LineInvalid`."""
    tagged = b""
    if data.startswith(b"@"):
        tagged, _, data = data.partition(b" ")
        if len(tagged) + 1 > IRC_TAGS_BYTES:
            raise LineTooLong
    data = data.lstrip(b" ")
    if len(data) > IRC_LINE_BYTES - 2:
        raise LineTooLong
    if data.startswith(b":"):  # a source: clients have none to tell
        data = data.partition(b" ")[2].lstrip(b" ")
    tags = _parse_tags(tagged[1:].decode("utf-8", "replace")) if tagged else {}
    try:
        text = _unbroken(data.decode())
    except UnicodeDecodeError:
        command = _unbroken(data.partition(b" ")[0].decode("ascii", "replace"))
        raise NotUtf8(command.upper(), tags.get("label", "")) from None
    head, colon, trailing = f" {text}".partition(" :")
    params = head.split()
    if colon:
        params.append(trailing)
    return Line(tags, params[0].upper(), params[1:]) if params and head.strip() else None


def _unbroken(text: str) -> str:
    """`text` without what would end a line early where it is passed on."""
    return text.replace("\r", "").replace("\0", "")


def _parse_tags(text: str) -> dict[str, str]:
    tags = {}
    for tag in filter(None, text.split(";")):
        key, _, value = tag.partition("=")
        tags[key] = _ESCAPED.sub(lambda match: _UNESCAPES.get(match[1], match[1]), value)
    return tags


def tag(key: str, value: str = "") -> str:
    """A tag, escaped."""
    return f"{key}={value.translate(_ESCAPE)}" if value else key


def compose(*parts: str) -> str:
    """A command and its parameters, without the line's end. The last may be anything."""
    *middle, last = parts
    if not last or " " in last or last.startswith(":"):
        last = f":{last}"
    return " ".join((*middle, last))


def fitting(text: str, limit_bytes: int = IRC_LINE_BYTES - 2) -> str:
    """`text`, or as much of it as there is room for, in one line if it is not said where: what a
    client is answered may quote it.
    """
    if len(text) * 4 <= limit_bytes:
        return text
    return text.encode()[:limit_bytes].decode("utf-8", "ignore")


def without_formatting(text: str) -> str:
    """`text` without bold, colours and the like: nobody else is to get them."""
    return _FORMATTING.sub("", text) if not text.isprintable() else text


def spoken(text: str) -> str:
    """`text` as others may see it."""
    return make_safe(without_formatting(text))


def pieces(text: str, limit_bytes: int) -> list[str]:
    """`text` in pieces of at most `limit_bytes` of UTF-8, cut behind a space where there is one,
    and never inside a character; joined they are `text` again.
    """
    data = text.encode()
    cut = []
    while len(data) > limit_bytes:
        end = limit_bytes
        while data[end] & 0xC0 == 0x80:
            end -= 1
        space = data.rfind(b" ", limit_bytes // 2, end)
        end = space + 1 if space > 0 else end
        cut.append(data[:end].decode())
        data = data[end:]
    cut.append(data.decode())
    return cut
