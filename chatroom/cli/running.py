"""How `chatroom serve` runs: with history where the operator wants it, until a signal ends it."""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from chatroom.errors import ChatroomError
from chatroom.server.pulse import Pulse
from chatroom.settings import IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatroom.journal import Journal
    from chatroom.server.service import Service
    from chatroom.server.supervision import Supervisor
    from chatroom.settings import JournalSettings, ServerSettings

log = logging.getLogger("chatroom.server")

#: A second signal leaves the journal this long to be closed in good order: a few commits. What is
#: not over then never will be.
INSISTED_SECONDS = 2.0

_ENDING = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def open_history(
    settings: JournalSettings, server: ServerSettings | None = None, *, following: bool = False
) -> AsyncIterator[Journal]:
    """History where the operator wants it. Raises `ChatroomError` if it can't be kept there; or, of
    a `server` whose port is taken too, because of that: it is what a person knows who has started
    the same server twice. `following` as in `open_journal`.
    """
    if settings.path == IN_MEMORY:
        from chatroom.journal.memory import MemoryJournal

        yield MemoryJournal(settings.recent_events)
        return
    from chatroom.journal.sqlite import open_journal
    from chatroom.transport.listening import check_port

    async with AsyncExitStack() as opened:
        try:
            journal = await opened.enter_async_context(open_journal(settings, following=following))
        except ChatroomError:
            if server is not None:
                await check_port(server)  # noqa: ASYNC120 (cancelled: none asks)
            raise
        yield journal


async def serve_until_signal(service: Service, supervisor: Supervisor) -> int:
    """Serve until a signal drains; the exit code is that of the second signal, if there is one.

    SIGHUP reloads, and `supervisor` is told of it all. After the second signal the process ends,
    whatever hangs in it: see `_insist`.
    """
    status = 0

    async def heed(signals: AsyncIterator[int], everything: trio.CancelScope) -> None:
        nonlocal status
        async for signum in signals:
            if signum == signal.SIGHUP:
                await _reload(service, supervisor)
            elif service.draining:
                status = 128 + signum
                _insist()
                everything.cancel()
                return
            else:
                service.drain()

    heeded = [*_ENDING]
    if service.settings.tls is not None or supervisor.is_there:
        heeded.append(signal.SIGHUP)  # else it means what it always does: the terminal has gone
    with trio.open_signal_receiver(*heeded) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heed, signals, nursery.cancel_scope)
            nursery.start_soon(supervisor.watch)
            nursery.start_soon(_report, service, supervisor)
            nursery.start_soon(_end_in_doubt, service)
            nursery.start_soon(Pulse().run)
            await service.run()
            nursery.cancel_scope.cancel()
    return status


def _insist() -> None:
    """From here on the process ends within `INSISTED_SECONDS`, and at once by one more signal."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    log.warning("a second signal: ends at once")
    _end_by_force()


def _end_by_force() -> None:
    """The process ends within `INSISTED_SECONDS`.

    A cancellation does not reach into a thread: one that hangs would keep the server for ever. This
    takes nothing of Python's to end it, so it does whatever the fault is; the exit code is 1 then,
    and the standard error output has what each thread was at.
    """
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(INSISTED_SECONDS, exit=True, file=sys.__stderr__)


async def _end_in_doubt(service: Service) -> None:
    """After a fault that cannot be mended the server ends, whatever hangs in it."""
    await service.wait_in_doubt()
    _end_by_force()


async def _report(service: Service, supervisor: Supervisor) -> None:
    await service.wait_ready()
    supervisor.ready(_status_of(service))
    await service.wait_draining()
    supervisor.stopping()


async def _reload(service: Service, supervisor: Supervisor) -> None:
    supervisor.reloading()
    try:
        await service.reload()
    except ChatroomError as error:
        log.warning("not reloaded, all stays as it was: %s", error)
    if not service.draining:
        supervisor.ready(_status_of(service))


def _status_of(service: Service) -> str:
    return f"serves {service.settings.room} on {', '.join(service.addresses)}"
