"""JSON Lines: requests from lines, lines from events and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from chatroom.event import Event, Gap, encode_event
from chatroom.protocol import answers
from chatroom.protocol.requests import Hello, Refusal, Refused, Request
from chatroom.protocol.text import TextRules, make_safe
from chatroom.settings import MAX_ID_CHARS, MAX_WORD_CHARS

T = TypeVar("T")

PROTOCOL_VERSION = 1

_KINDS = frozenset({"message", "action", "rename", "who", "history", "ping", "quit"})


class _OnlyId(msgspec.Struct):
    id: str | None = None


_decode_request = msgspec.json.Decoder(Request).decode
_decode_hello = msgspec.json.Decoder(Hello).decode
_decode_id = msgspec.json.Decoder(_OnlyId).decode
_encode = msgspec.json.Encoder().encode


def parse_hello(argument: bytes) -> Hello:
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
        elif request.kind not in _KINDS:
            raise Refused("unknown_kind", f"there is no request {_shortened(request.kind)}")
        elif request.kind == "rename" and not request.to:
            raise Refused("bad_request", 'a rename needs "to", the new nick')
    except Refused as refused:
        return Refusal(refused.code, refused.text, _id_of(line))
    return request


def _decode(decode: Callable[[bytes], T], line: bytes) -> T:
    try:
        return decode(line)
    except UnicodeDecodeError:
        # As in plain text: what is not UTF-8 becomes U+FFFD, and is then judged.
        return _decode(decode, line.decode("utf-8", "replace").encode())
    except (msgspec.DecodeError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError) and line.lstrip().startswith(b"{"):
            raise Refused("bad_request", str(error)) from None
        raise Refused("bad_json", f"not a JSON object: {error}") from None


def _id_of(line: bytes) -> str | None:
    try:
        wanted = _decode(_decode_id, line).id
    except Refused:
        return None
    return wanted if wanted is not None and len(wanted) <= MAX_ID_CHARS else None


def _shortened(word: str) -> str:
    return make_safe(word if len(word) <= MAX_WORD_CHARS else word[:MAX_WORD_CHARS] + "…")


class JsonLines:
    """Renders for a client that said `/json`. One object a line; stateless."""

    name = "json"

    @staticmethod
    def event(event: Event | Gap) -> bytes:
        return encode_event(event) + b"\n"

    @staticmethod
    def answer(answer: answers.AnyAnswer) -> bytes:
        return _encode(answer) + b"\n"
