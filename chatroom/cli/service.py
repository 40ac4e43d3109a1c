"""`chatroom service`: units for systemd."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatroom.settings import DEFAULT_HOST, DEFAULT_PORT


class Unit(StrEnum):
    service = "service"
    socket = "socket"


#: Nothing but what the room needs: a folder of its own, TCP and UDP, Unix sockets. The limit of
#: descriptors is set here, since the server may not raise it (`@resources`). What is kept in memory
#: for the next one after a crash (`chatroom.journal.mark`) is in the runtime directory.
_SERVICE = """\
[Unit]
Description=chatroom, a low-latency group chat room
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Environment=CHATROOM_JOURNAL=%S/chatroom/chatroom.db CHATROOM_BOOT_ID=%b
DynamicUser=yes
StateDirectory=chatroom
StateDirectoryMode=0700
RuntimeDirectory=chatroom
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=restart
UMask=0077
LimitNOFILE=65536
WatchdogSec=30
Restart=on-failure
TimeoutStopSec=30

CapabilityBoundingSet=
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=sched_setaffinity

[Install]
WantedBy=multi-user.target
"""

_SOCKET = """\
[Unit]
Description=Where chatroom listens, also while it is restarted

[Socket]
ListenStream={address}
Backlog=4096

[Install]
WantedBy=sockets.target
"""


def service(
    unit: Annotated[
        Unit,
        typer.Option(help="service: how it runs; socket: so that a restart refuses nobody."),
    ] = Unit.service,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", show_default="none", help="The server's settings, as TOML."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where the socket listens.")] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the socket listens.")
    ] = DEFAULT_PORT,
) -> None:
    """Print a systemd unit: the server with a user and a folder of its own and no rights beyond."""
    if unit is Unit.socket:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        typer.echo(_SOCKET.format(address=address), nl=False)
        return
    command = [*_program(), "serve"]
    if config is not None:
        command += ["--config", str(Path(config).absolute())]
    # Where the program itself lies in somebody's home it has to be read there.
    at_home = any(word.startswith(("/home/", "/root/")) for word in command)
    text = _SERVICE.format(
        command=" ".join(map(_quoted, command)), home="read-only" if at_home else "yes"
    )
    typer.echo(text, nl=False)


def _program() -> list[str]:
    """How this very program is started."""
    beside = shutil.which("chatroom", path=str(Path(sys.executable).parent))
    return [beside] if beside is not None else [sys.executable, "-m", "chatroom"]


def _quoted(word: str) -> str:
    """As systemd.service(5) has it: `%` begins a specifier, `$` a variable."""
    word = word.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{word}"' if any(map(str.isspace, word)) else word
