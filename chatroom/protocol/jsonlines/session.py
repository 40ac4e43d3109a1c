"""Requests from lines of JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from chatroom.event import EVENT_KINDS
from chatroom.protocol.answers import Error
from chatroom.protocol.checking import checked
from chatroom.protocol.format import Format
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.lines import LineSession
from chatroom.protocol.requests import (
    BadHello,
    Credentials,
    Draft,
    Hello,
    Number,
    Refusal,
    Request,
    Speaks,
)
from chatroom.protocol.session import Visit
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules
from chatroom.settings import MAX_ID_CHARS

T = TypeVar("T")

HELLO_WORD = b"/json"


class _OnlyId(msgspec.Struct):
    id: str | None = None


class WireHello(msgspec.Struct, frozen=True):
    """The object behind `/json`."""

    nick: str | None = None
    after: Number | None = None  #: resume: every event above this number comes first
    session: str | None = None  #: the session that `after` counts in; None: the present one
    token: str | None = None  #: proves that a nick held by a dead connection is one's own
    presence: bool = True  #: joins, leaves and renames are wanted
    echo: bool = False  #: one's own messages are wanted back
    feed: bool = False  #: only where the feed is, and what opens it, is wanted
    secret: str = ""  #: the room's
    account: str = ""  #: whose account it is, with its password
    password: str = ""

    @property
    def credentials(self) -> Credentials | None:
        """What was given to be let in."""
        if self.secret or self.account:
            return Credentials(self.secret, self.account, self.password)
        return None

    def __repr__(self) -> str:  # which a log may get to see
        return f"WireHello(nick={self.nick!r})"


class JsonSession(LineSession):
    """A program's lines, the first of which is `/json {…}`."""

    __slots__ = ("_greeted",)

    def __init__(self, visit: Visit) -> None:
        super().__init__(visit.rules)
        self._greeted = False

    def take_line(self, line: bytes, group: list[Draft]) -> None:
        if self._greeted:
            group.append(parse_request(line, self.rules))
        else:
            self._greeted = True
            group += hello_drafts(line[len(HELLO_WORD) :], JsonLines)


class JsonWay:
    """See `chatroom.protocol.session.WayIn`."""

    name = "json"
    late = True

    def claims(self, head: bytes) -> bool | None:
        word, end, _ = head[: len(HELLO_WORD) + 1].partition(b"\n")
        if word[: len(HELLO_WORD)].lower() != HELLO_WORD:
            return None if not end and HELLO_WORD.startswith(word.lower()) else False
        return bool(end) or (word[len(HELLO_WORD) :] in (b" ", b"\r", b"{") or None)

    def open(self, visit: Visit, *, entered: bool) -> JsonSession:
        return JsonSession(visit)

    def turn_away(self, refused: Refused) -> bytes:
        return JsonLines().answer(Error(refused.code, refused.text))


def hello_drafts(argument: bytes, format_of: Callable[[bool], Format]) -> tuple[Draft, ...]:
    """How one enters with this hello. `format_of` gives the format with or without presence."""
    try:
        hello = parse_hello(argument)
    except Refused as refused:
        return Speaks(format_of(True)), BadHello(refused.code, refused.text)
    own = EVENT_KINDS if hello.echo else frozenset[str]()
    return (
        Speaks(format_of(hello.presence), own),
        Hello(
            hello.nick,
            hello.after,
            hello.session,
            hello.token,
            credentials=hello.credentials,
            listens=hello.feed,
        ),
    )


_decode_request = msgspec.json.Decoder(Request).decode
_decode_hello = msgspec.json.Decoder(WireHello).decode
_decode_id = msgspec.json.Decoder(_OnlyId).decode


def parse_hello(argument: bytes) -> WireHello:
    """The hello from what stands behind `/json`; nothing there is an empty hello.

    Raises `Refused`: bad_json or bad_request.
    """
    return _decode(_decode_hello, argument.strip() or b"{}")


def parse_request(line: bytes, rules: TextRules) -> Request | Refusal:
    """The request of one line; a refusal carries the request's id where one can be read."""
    try:
        request = _decode(_decode_request, line)
        if request.kind == "message" or request.kind == "action":
            text = rules.check(request.text)
            if text is not request.text:
                request = Request(request.kind, text, id=request.id)
        else:
            request = checked(request, rules)
    except Refused as refused:
        return Refusal(refused.code, refused.text, _id_of(line))
    return request


def _decode(decode: Callable[[bytes], T], line: bytes) -> T:
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # As in plain text: what is not UTF-8 becomes U+FFFD, and is then judged. (What msgspec
        # raises for it depends on the version.)
        readable = line.decode("utf-8", "replace").encode()
        if readable != line:
            return _decode(decode, readable)
        if isinstance(error, msgspec.ValidationError) and line.lstrip().startswith(b"{"):
            raise Refused("bad_request", str(error)) from None
        raise Refused("bad_json", f"not a JSON object: {error}") from None


def _id_of(line: bytes) -> str | None:
    try:
        wanted = _decode(_decode_id, line).id
    except Refused:
        return None
    return wanted if wanted is not None and len(wanted) <= MAX_ID_CHARS else None
