"""Bans and the topic reach the disk, also when it fails for a while and when the server ends."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from chatroom.errors import ChatroomError
from chatroom.room.charter import Charter
from chatroom.server.turn import keeping
from chatroom.server.turn.keeping import Keeper


class _File:
    """See `chatroom.access.file.AccessFile`."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.broken = False

    def keep(self, charter: Charter) -> None:
        if self.broken:
            raise ChatroomError("no disk")
        self.kept.append(charter.topic)


class _Room:
    topic = "cats"

    def charter(self, now: str) -> Charter:
        assert now.endswith("Z")
        return Charter(topic=self.topic)


def _keeper() -> tuple[Keeper, _File, _Room]:
    file, room = _File(), _Room()
    return Keeper(file, room.charter), file, room  # type: ignore[arg-type]


async def test_what_the_disk_refuses_is_tried_again_and_said(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETRY_SECONDS", 0.001)
    keeper, file, room = _keeper()
    nursery.start_soon(keeper.run)
    file.broken = True
    keeper.note()
    with trio.fail_after(30):
        while "bans and topic would not outlive a restart: no disk" not in caplog.text:
            await trio.sleep(0.001)
        file.broken, room.topic = False, "dogs"
        while not file.kept:
            await trio.sleep(0.001)
    assert file.kept == ["dogs"]
    await keeper.aclose()
    assert file.kept == ["dogs"]


@pytest.mark.parametrize("steps", range(4))
async def test_cancelled_at_any_step_it_is_kept_at_the_end(steps: int) -> None:
    keeper, file, room = _keeper()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        await trio.testing.wait_all_tasks_blocked()
        keeper.note()
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    room.topic = "dogs"
    if not file.kept:
        await keeper.aclose()
    assert file.kept in (["cats"], ["dogs"])
