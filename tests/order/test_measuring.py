"""What `loadtest.shared_log` measures, briefly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.shared_log import measure

if TYPE_CHECKING:
    from tests.order.conftest import RedisServer


async def test_the_log_is_measured(redis: RedisServer) -> None:
    await redis.start()
    figures = await measure(redis.url, messages=3, seconds=0.1)
    assert min(figures) > 0
    assert figures.raw_median <= figures.raw_p99
    assert figures.one_way_median <= figures.one_way_p99
