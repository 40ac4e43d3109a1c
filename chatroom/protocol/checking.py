"""Whether a request has what its kind needs, in whichever format it came."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chatroom.protocol.requests import Request
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules, make_safe
from chatroom.settings import MAX_WORD_CHARS

_Check = Callable[[Request, TextRules], Request]


def checked(request: Request, rules: TextRules) -> Request:
    """The request, its text made safe. Raises `Refused`: unknown_kind, bad_request, text_empty,
    text_too_long.
    """
    check = _CHECKS.get(request.kind)
    if check is None:
        raise Refused("unknown_kind", f"there is no request {shortened(request.kind)}")
    return check(request, rules)


def shortened(word: str) -> str:
    """What an error may quote of what it complains about."""
    return make_safe(word if len(word) <= MAX_WORD_CHARS else word[:MAX_WORD_CHARS] + "…")


def _nothing(request: Request, rules: TextRules) -> Request:
    return request


def _text(request: Request, rules: TextRules) -> Request:
    return _with_text(request, rules.check(request.text))


def _topic(request: Request, rules: TextRules) -> Request:
    return _text(request, rules) if request.text else request


def _note(request: Request, rules: TextRules) -> Request:
    return _with_text(request, rules.check_note(request.text))


def _with_text(request: Request, text: str) -> Request:
    return request if text is request.text else msgspec.structs.replace(request, text=text)


def _needs(field: str, meaning: str, then: _Check = _nothing) -> _Check:
    def check(request: Request, rules: TextRules) -> Request:
        if not getattr(request, field):
            raise Refused("bad_request", f'a {request.kind} needs "{field}", {meaning}')
        return then(request, rules)

    return check


_MASK = "a nick, an address or account:name"

_CHECKS: dict[str, _Check] = {
    "message": _text,
    "action": _text,
    "rename": _needs("to", "the new nick"),
    "topic": _topic,
    "who": _nothing,
    "history": _nothing,
    "search": _needs("text", "the words"),
    "ping": _nothing,
    "quit": _nothing,
    "kick": _needs("nick", "whose", _note),
    "ban": _needs("mask", _MASK, _note),
    "unban": _needs("mask", _MASK),
    "bans": _nothing,
    "mute": _needs("nick", "whose"),
    "unmute": _needs("nick", "whose"),
    "moderate": _nothing,
    "unmoderate": _nothing,
    "voice": _needs("nick", "whose"),
    "unvoice": _needs("nick", "whose"),
    "redact": _needs("of", "the number of an event", _note),
}
