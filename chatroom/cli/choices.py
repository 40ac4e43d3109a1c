"""What the options of `chatroom serve` let one choose from."""

from __future__ import annotations

from enum import StrEnum


class ServerMode(StrEnum):
    epoll = "epoll"
    thread = "thread"


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class Figures(StrEnum):
    local = "local"
    everybody = "everybody"


class FeedEncryption(StrEnum):
    on = "on"
    off = "off"


class Tls(StrEnum):
    off = "off"
    auto = "auto"


class LogFormat(StrEnum):
    text = "text"
    json = "json"
