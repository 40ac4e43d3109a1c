from __future__ import annotations

import pytest
import trio.testing

from tests.client.fake import FakeRoom


@pytest.fixture
def quick_clock() -> trio.testing.MockClock:
    """Delays pass at once, but not before sockets had their time: loopback needs less than this."""
    return trio.testing.MockClock(autojump_threshold=0.02)


@pytest.fixture
async def fake(nursery: trio.Nursery) -> FakeRoom:
    room = FakeRoom()
    await nursery.start(room.serve)
    return room
