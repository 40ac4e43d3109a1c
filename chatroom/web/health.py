"""`/healthz`: whether the room takes messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from chatroom.web.contract import WebResponse

#: What is true of the server: `status` is `ok`, or in a word what is wrong. May be called from any
#: thread, and never blocks or raises.
Health = Callable[[], Mapping[str, object]]


def answer_health(report: Mapping[str, object]) -> WebResponse:
    """200 if all is well, 503 if not; the report in JSON."""
    status = 200 if report["status"] == "ok" else 503
    return WebResponse(status, msgspec.json.encode(report) + b"\n", "application/json")
