"""Tasks beside a block: what comes out, and that they end with it."""

from __future__ import annotations

import pytest
import trio

from chatroom.errors import ChatroomError
from chatroom.feed.beside import beside


async def test_they_end_with_the_block() -> None:
    async with beside(trio.sleep_forever, trio.sleep_forever):
        await trio.lowlevel.checkpoint()


async def test_what_the_block_raises_is_in_no_group() -> None:
    with pytest.raises(KeyError):
        async with beside(trio.sleep_forever):
            raise KeyError


async def test_what_a_task_says_ends_the_block_and_is_in_no_group() -> None:
    async def fail() -> None:
        raise ChatroomError("no")

    with pytest.raises(ChatroomError, match="no"):
        async with beside(fail, trio.sleep_forever):
            await trio.sleep_forever()


async def test_cancelled_from_outside_it_is_cancelled() -> None:
    with trio.CancelScope() as scope:
        async with beside(trio.sleep_forever):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
