"""What the server tells whoever supervises it: sd_notify(3), for systemd and its like."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import MutableMapping

log = logging.getLogger("chatroom.server")


class Supervisor:
    """Whoever started the server and waits for word of it; without one nothing is said.

    Nothing here blocks or raises: a supervisor that does not listen is not the room's trouble.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """The variables are taken out of `environ`: they are not for this process's children."""
        address = environ.pop("NOTIFY_SOCKET", "")
        #: An address in the file system, or an abstract one, which `@` begins.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        pid = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
        microseconds = environ.pop("WATCHDOG_USEC", "")
        mine = pid == str(os.getpid()) and microseconds.isdigit()
        #: Without a sign of life for so long, in seconds, the server is restarted; 0: it is not.
        self.watchdog_seconds = int(microseconds) / 1_000_000 if mine else 0.0

    @property
    def is_there(self) -> bool:
        """Somebody waits for word."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Clients can connect, or a reload is over; `status` is a line for people."""
        self._notify(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Settings are being read again; `ready` follows."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It has begun to end."""
        self._notify("STOPPING=1\nSTATUS=drains")

    async def watch(self) -> None:
        """Say that the event loop goes round, twice as often as it has to, until cancelled.

        It is the loop itself that says so: one that hangs is found out.
        """
        if not self.watchdog_seconds:
            return
        while True:
            self._notify("WATCHDOG=1")
            await trio.sleep(self.watchdog_seconds / 2)

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("the supervisor cannot be told anything: %s", error)
            self._address = ""
