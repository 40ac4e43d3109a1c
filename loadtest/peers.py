"""The servers that are compared, each with settings that make it fast."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chatroom.errors import ChatroomError
from loadtest.reference import build

HOST = "127.0.0.1"

#: Debian puts servers where an ordinary user's PATH does not look.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


class Peer(msgspec.Struct, frozen=True):
    """A kind of server."""

    name: str
    title: str  #: for tables and plots
    program: str = ""  #: what must be installed
    package: str = ""  #: Debian's name for it
    formats: dict[str, str] = {}  #: plain, json and ws: the generator's dialect for each
    most_clients: int = 20_000
    ramp: float = 5_000.0  #: connections begun in a second

    def command(self, port: int, directory: Path, format: str) -> list[str]:
        """What starts it on this port; may write configuration to the directory."""
        return COMMANDS[self.name](port, directory, format)

    def path(self) -> str:
        """Where its program is; the bare name if it is not installed."""
        return shutil.which(self.program, path=PATH) or self.program

    def missing(self) -> str:
        """Why it can't run here, for the person who reads the table; empty if it can."""
        if not self.program or shutil.which(self.program, path=PATH):
            return ""
        return f"{self.program} is not installed (apt-get install {self.package})"


def _chatroom(port: int, mode: str = "epoll", journal: str = ":memory:") -> list[str]:
    command = [sys.executable, "-m", "chatroom", "serve", "--port", str(port), "--mode", mode]
    command += ["--talk-rate", "0", "--log-level", "warning", "--max-clients", "20000"]
    return [*command, "--journal", journal]


def _epoll(port: int, _directory: Path, _format: str) -> list[str]:
    return _chatroom(port)


def _disk(port: int, directory: Path, _format: str) -> list[str]:
    return _chatroom(port, journal=str(directory / "room.db"))


def _irc(port: int, _directory: Path, _format: str) -> list[str]:
    # The channel is #room, as ngIRCd's; and no history on entering, which it has not either: the
    # audit would hear what was said before twice.
    return [*_chatroom(port), "--room", "room", "--irc-replay", "0"]


def _thread(port: int, _directory: Path, _format: str) -> list[str]:
    return _chatroom(port, "thread")


def _c_epoll(port: int, _directory: Path, _format: str) -> list[str]:
    return [str(build("epoll_server.c")), HOST, str(port)]


def _null(port: int, _directory: Path, format: str) -> list[str]:
    return [str(build("null_server.c")), HOST, str(port), *(["json"] if format == "json" else [])]


def _redis(port: int, directory: Path, _format: str) -> list[str]:
    settings = {
        "bind": HOST,
        "port": port,
        "save": '""',
        "appendonly": "no",
        "maxclients": 15000,
        "tcp-backlog": 4096,
        "client-output-buffer-limit": "pubsub 0 0 0",
        "protected-mode": "no",
        "dir": directory,
    }
    return ["redis-server", str(_write(directory, settings, "{} {}"))]


def _nats(port: int, directory: Path, _format: str) -> list[str]:
    settings = {
        "host": HOST,
        "port": port,
        "max_connections": 15000,
        "max_pending": 1 << 30,
        "write_deadline": '"60s"',
        "ping_interval": '"10m"',
    }
    return ["nats-server", "--config", str(_write(directory, settings, "{}: {}"))]


def _mosquitto(port: int, directory: Path, _format: str) -> list[str]:
    settings = {
        "listener": f"{port} {HOST}",
        "allow_anonymous": "true",
        "persistence": "false",
        "set_tcp_nodelay": "true",
        "max_queued_messages": 0,
        "max_inflight_messages": 0,
        "max_connections": -1,
        "sys_interval": 0,
        "log_type": "error",
    }
    return ["mosquitto", "-c", str(_write(directory, settings, "{} {}"))]


def _ngircd(port: int, directory: Path, _format: str) -> list[str]:
    text = f"""
[Global]
    Name = irc.localhost.test
    Info = load test
    Listen = {HOST}
    Ports = {port}
    MotdPhrase = hello
[Limits]
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxNickLength = 31
    MaxPenaltyTime = 0
    PingTimeout = 3600
    PongTimeout = 3600
[Options]
    DNS = no
    Ident = no
    PAM = no
    SyslogFacility = local1
    AllowedChannelTypes = #
[Channel]
    Name = #room
"""
    path = directory / "settings"
    path.write_text(text, encoding="ascii")
    path.chmod(0o644)
    return ["ngircd", "--nodaemon", "--config", str(path)]


def _inspircd(port: int, directory: Path, _format: str) -> list[str]:
    # It joins its clients to the channel by itself: what comes in one packet with USER would wait
    # for the next one.
    text = f"""
<module name="conn_join">
<server name="irc.localhost.test" id="001" network="load" description="load test">
<admin name="load" nick="load" email="load@localhost.test">
<bind address="{HOST}" port="{port}" type="clients">
<autojoin channel="#room">
<connect allow="*" timeout="60" pingfreq="3600" hardsendq="1G" softsendq="1G" recvq="64K"
    fakelag="no" commandrate="1000000000" threshold="100000000" localmax="20000" globalmax="20000"
    maxconnwarn="no" resolvehostnames="no" useident="no">
<performance softlimit="20000" somaxconn="4096" netbuffersize="65536" clonesonconnect="no">
<log method="file" type="*" level="default" target="{directory / "log"}">
<pid file="{directory / "pid"}">
"""
    path = directory / "settings"
    path.write_text(text, encoding="ascii")
    return ["inspircd", "--nofork", "--runasroot", "--config", str(path)]


def _write(directory: Path, settings: dict[str, object], line: str) -> Path:
    path = directory / "settings"
    lines = [line.format(name, value) for name, value in settings.items()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    path.chmod(0o644)
    return path


COMMANDS = {
    "epoll": _epoll,
    "disk": _disk,
    "thread": _thread,
    "irc": _irc,
    "c-epoll": _c_epoll,
    "null": _null,
    "redis": _redis,
    "nats": _nats,
    "mosquitto": _mosquitto,
    "ngircd": _ngircd,
    "inspircd": _inspircd,
}

_OURS = {"plain": "plain", "json": "json", "ws": "ws"}

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("epoll", "chatroom", formats=_OURS),
        Peer("disk", "chatroom, history on disk", formats={"plain": "plain"}),
        Peer("thread", "chatroom, threads", formats=_OURS, most_clients=1_001),
        Peer("irc", "chatroom, by IRC", formats={"plain": "irc"}),
        Peer("c-epoll", "C reference", formats={"plain": "bare"}),
        Peer("redis", "Redis", "redis-server", "redis-server", {"plain": "redis"}),
        Peer("nats", "NATS", "nats-server", "nats-server", {"plain": "nats"}),
        Peer("mosquitto", "Mosquitto", "mosquitto", "mosquitto", {"plain": "mosquitto"}),
        # Every join is told to everyone in the channel: ten thousand would take minutes.
        # It also loses connections that come faster than its short listen queue is emptied.
        Peer(
            "ngircd",
            "ngIRCd",
            "ngircd",
            "ngircd",
            {"plain": "irc"},
            most_clients=1_001,
            ramp=300.0,
        ),
        Peer("inspircd", "InspIRCd", "inspircd", "inspircd", {"plain": "irc"}, most_clients=1_001),
    )
}

#: As little as a server can do: how far the generator itself can go.
NULL = Peer("null", "null server", formats={"plain": "bare", "json": "bare-json"})


def chosen(names: Sequence[str]) -> list[Peer]:
    """The peers with these names.

    Raises:
        ChatroomError: there is none of a name.
    """
    if unknown := [name for name in names if name not in PEERS]:
        raise ChatroomError(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return [PEERS[name] for name in names]
