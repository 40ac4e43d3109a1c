"""Tasks beside a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from chatroom.errors import ChatroomError


@asynccontextmanager
async def beside(*tasks: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run the tasks beside the block; at its end they are cancelled.

    What the block raises comes out as it is, in no group. A `ChatroomError` of a task ends the
    block, and is raised in its place.
    """
    failed: list[ChatroomError] = []
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:

        async def run(task: Callable[[], Awaitable[None]]) -> None:
            try:
                await task()
            except ChatroomError as error:
                failed.append(error)
                nursery.cancel_scope.cancel()

        for task in tasks:
            nursery.start_soon(run, task)  # noqa: ASYNC113 - nothing of it is waited for
        try:
            yield
        except BaseException as error:  # noqa: ASYNC103
            raised = error  # raised again below, where no nursery wraps it in a group
        nursery.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if raised is not None:
        raise raised
