"""Lines such as no client should send: half of them nearly right."""

from __future__ import annotations

import json
import random

_WORDS = ["/nick", "/me", "/who", "/history", "/ping", "/help", "/json", "//", "/", "/x", "/NICK"]
_PIECES = [
    b"hello",
    b" ",
    b"\t",
    b"\r",
    b"\x00",
    b"\x1b[2J\x1b]0;title\x07",
    b"\xff\xfe",
    b"\xc3",
    b"\xe2\x80\xae",
    "\u00e9\u4e2d\U0001f600".encode(),
    b'"\\',
    b"{}[]",
    b"-- alice left",
    b"1",
    b"99999999999999999999",
    b"x" * 1100,
]
_KINDS = ["message", "action", "rename", "who", "history", "ping", "dance", "", "help"]
_VALUES: list[object] = [
    *("hi", "", "x" * 1100, "\x1b[2J", '"' * 900, "bob", "\u202etxet", "\ud800"),
    *(0, -1, 7, 2**63, 2**64, 1.5, True, None, [], {}, [[]]),
]


def fuzzed_line(rng: random.Random, *, json: bool) -> bytes:
    """One line, without its LF; never a quit, never without end. The same for the same `rng`."""
    line = _json_line(rng) if json and rng.random() < 0.8 else _plain_line(rng)
    if rng.random() < 0.2 and line:
        at = rng.randrange(len(line))
        line = line[:at] + rng.choice(_PIECES) + line[at + rng.randrange(3) :]
    return line.replace(b"\n", b"")[:8000].replace(b"quit", b"quiz")


def _plain_line(rng: random.Random) -> bytes:
    pieces = b"".join(rng.choice(_PIECES[:-1]) for _ in range(rng.randrange(6)))
    if rng.random() < 0.02:
        pieces += _PIECES[-1]
    if rng.random() < 0.4:
        return rng.choice(_WORDS).encode() + b" " * rng.randrange(3) + pieces
    return pieces


def _json_line(rng: random.Random) -> bytes:
    request: dict[str, object] = {"kind": rng.choice(_KINDS)}
    for key in ("text", "to", "id", "after", "before", "limit", "offset"):
        if rng.random() < 0.3:
            request[key] = rng.choice(_VALUES)
    if rng.random() < 0.1:
        request["kind"] = rng.choice(_VALUES)
    return json.dumps(request, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
