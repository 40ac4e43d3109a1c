"""Statements whose connection broke, in the library; see `tests.client.unconfirmed`."""

from __future__ import annotations

from typing import Any

import pytest

from chatroom.client.errors import RoomError, Unconfirmed
from chatroom.client.pending import PendingRequests
from chatroom.client.request import PendingRequest
from chatroom.event import Event
from tests.client.unconfirmed import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_case(case: dict[str, Any]) -> None:
    replay = Replay()
    for step in case["steps"]:
        replay.take(step)


class Replay:
    def __init__(self) -> None:
        self.pending = PendingRequests()
        self.said: list[PendingRequest] = []

    def take(self, step: dict[str, Any]) -> None:
        pending = self.pending
        match step:
            case {"say": kind, "text": text}:
                fields = {"to" if kind == "rename" else "text": text}
                self.said.append(pending.add(kind, fields, placed=False))
            case {"send": after}:
                assert pending.take(after)
            case {"ack": number, "seq": seq}:
                assert pending.acked(self.said[number - 1].id, seq)
            case {"refuse": number}:
                request = pending.answered(self.said[number - 1].id)
                assert request is not None
                request.fail(RoomError("no"))
            case {"broke": nick}:
                pending.disconnected(nick)
            case {"replay_from": seq}:
                assert pending.lowest_unconfirmed() == seq
            case {"event": event, "is": number}:
                assert pending.look_up(Event(time="t", **event)) is (number is not None)
                assert number is None or self.said[number - 1].answer == event["seq"]
            case {"settle": replay, "again": again}:
                nick = pending.settle(heard=False if replay == "whole" else None)
                assert nick == step.get("nick")
                pending.name_taken(None)
                records = b"".join(self.said[number - 1].record for number in again)
                assert pending.take(0) == records
                unknown = [isinstance(request.error, Unconfirmed) for request in self.said]
                expected = step.get("unknown", [])
                assert [at for at, is_so in enumerate(unknown, 1) if is_so] == expected
            case _:
                raise AssertionError(step)
