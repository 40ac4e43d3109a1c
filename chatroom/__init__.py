"""A low-latency group chat room for people and programs on one network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatroom.client import connect as connect
    from chatroom.feed.listener import listen as listen

#: What programs use, and where it is. It is imported when it is first asked for: the command line
#: imports this package too, and `chatroom --help` is not to wait for Trio.
_OFFERED = {"connect": "chatroom.client", "listen": "chatroom.feed.listener"}


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED])
