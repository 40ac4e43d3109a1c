"""`/metrics`: the server's figures, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from chatroom.web.contract import WebResponse

#: The figures in the text format. May be called from any thread, and never blocks or raises.
Metrics = Callable[[], str]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def answer_metrics(figures: str) -> WebResponse:
    """The figures."""
    return WebResponse(200, figures.encode(), CONTENT_TYPE)
