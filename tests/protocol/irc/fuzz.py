"""Lines such as no IRC client should send: most of them nearly right."""

from __future__ import annotations

import random

from chatroom.protocol.irc.commands import COMMANDS

_WORDS = [*COMMANDS, "FOO", "privmsg", ":alice!a@b PRIVMSG", "@label=1 WHO", "@label=\\:; LIST"]
_PARAMS = [
    b"#lobby", b"#LOBBY", b"#x", b"*", b"alice", b"bob,#lobby", b"", b":", b":two words", b"0",
    b"LATEST", b"BETWEEN", b"msgid=ABCDEFGHIJ-1", b"timestamp=2026-11-25T10:00:00.000Z", b"10",
    b"LS", b"302", b"REQ", b":batch labeled-response", b":-batch echo-message message-tags",
    b"+1", b"-1", b"draft/multiline", b"%tcuihsnfdlaor,1", b"+B", b"-o+B-", b"\xff\xfe", b"\xc3",
    b":\x01ACTION x\x01", b":\x01", b":\x02\x0304", b"\r", b"\x00", "\u00e9\u4e2d".encode(),
    b":draft/read-marker account-notify", b"m:bob!*@*", b"wild", b"-cap-notify",
    b"x" * 300, b"x" * 510, b":" + b"y " * 200,
]  # fmt: skip
_TAGS = [b"label=1", b"batch=1", b"+typing=active", b"draft/multiline-concat", b"a" * 2100, b"=;;="]


def fuzzed_line(rng: random.Random) -> bytes:
    """One line, with its end; never a quit. The same for the same `rng`."""
    word = rng.choice(_WORDS).encode()
    params = [rng.choice(_PARAMS) for _ in range(rng.randrange(5))]
    line = b" ".join([word, *params])
    if rng.random() < 0.2:
        line = b"@" + b";".join(rng.choices(_TAGS, k=rng.randrange(3))) + b" " + line
    if rng.random() < 0.1:
        at = rng.randrange(len(line) + 1)
        line = line[:at] + rng.choice(_PARAMS) + line[at + rng.randrange(3) :]
    return line.replace(b"\n", b"").replace(b"QUIT", b"QUIZ") + rng.choice([b"\n", b"\r\n"])
