"""The gate: who has to log in, whether they could, and those who have not yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from chatroom.access.failures import Failures
from chatroom.errors import ChatroomError
from chatroom.event import CloseReason
from chatroom.protocol.requests import Hello, Proven
from chatroom.room.refused import Refused
from chatroom.settings import LOGIN_PATIENCE_SECONDS, LOGIN_SECONDS, LOGINS_AT_ONCE, Access

if TYPE_CHECKING:
    from chatroom.access.guard import Guard
    from chatroom.server.connection import Connection
    from chatroom.server.turn.endings import Endings

log = logging.getLogger("chatroom.server")

_HOW = {
    Access.SECRET: "say /login SECRET",
    Access.ACCOUNTS: "say /login NAME PASSWORD",
}


class Gate:
    """What stands before the room."""

    def __init__(self, guard: Guard, endings: Endings) -> None:
        self.guard = guard  #: replaced as a whole when it is reloaded
        self._endings = endings
        self._failures = Failures()
        self._limiter = trio.CapacityLimiter(LOGINS_AT_ONCE)
        #: Those who were told to log in, and by when they have to, in that order.
        self._outside: dict[Connection, float] = {}
        self._somebody = trio.Event()

    def refusal(self, connection: Connection, hello: Hello) -> Refused | None:
        """Why this hello gets nobody in, whatever the room says; None if it may."""
        credentials = hello.credentials
        if credentials is not None and self.guard.means_something(credentials):
            if not connection.private:
                text = "a password is not to be said where others can read it: use TLS"
                return Refused("not_encrypted", text)
        elif credentials is not None and credentials.account and hello.strict:
            return Refused("not_supported", "this room has no accounts")
        elif self.guard.needs_login:
            how = f"{_HOW[self.guard.access]} within {LOGIN_SECONDS:.0f} s"
            return Refused("login_needed", f"this room is not open: {how}")
        return None

    def is_to_prove(self, hello: Hello) -> bool:
        """Whether it goes on only when `prove` has looked at its credentials."""
        credentials = hello.credentials
        return credentials is not None and self.guard.means_something(credentials)

    def leave_outside(self, connection: Connection) -> None:
        """It has been told to log in. The time for that runs from the first such moment."""
        if connection not in self._outside:
            self._outside[connection] = trio.current_time() + LOGIN_SECONDS
            self._somebody.set()

    async def prove(self, connection: Connection, hello: Hello) -> Proven:
        """What the credentials prove. Waits for its turn, and longer the more tries from the same
        place have failed. Cancelled, nothing has changed.
        """
        assert hello.credentials is not None
        try:
            await self._pause(connection.address)
            async with self._limiter:
                identity = await trio.to_thread.run_sync(self.guard.prove, hello.credentials)
        except Refused as refused:
            if refused.code == "login_failed":
                self._failures.failed(connection.address, trio.current_time())
            log.warning("connection %d from %s: %s", connection.id, connection.peer, refused.code)
            return Proven(hello, refused=refused)
        except ChatroomError as error:
            log.error("nobody can log in: %s", error)  # noqa: TRY400 - no fault of ours
            text = "nobody can log in now: try again later"
            return Proven(hello, refused=Refused("unavailable", text))
        if identity.account:
            who = {"account": identity.account, "role": identity.role}
            text = f"connection {connection.id} from {connection.peer} has logged in"
            log.info(text, extra={"fields": who})
        return Proven(hello, identity.account, identity.role)

    async def _pause(self, address: str) -> None:
        wait_seconds = self._failures.wait_seconds(address, trio.current_time())
        if wait_seconds > LOGIN_PATIENCE_SECONDS:
            raise Refused("too_fast", "too many log-ins have failed: try again later")
        await trio.sleep(wait_seconds)

    async def run(self) -> None:
        """Close those who do not log in within LOGIN_SECONDS. Runs until cancelled."""
        while True:
            while not self._outside:
                self._somebody = trio.Event()
                await self._somebody.wait()
            connection, deadline = next(iter(self._outside.items()))
            await trio.sleep_until(deadline)
            del self._outside[connection]
            if not connection.inside and connection.close_reason is None:
                self._endings.soon(connection, CloseReason.IDLE, "no log-in in time")
