"""Which browsers are loading the page: they open connections that they may not need."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from chatroom.settings import LOADING_SECONDS
from chatroom.web.contract import WebRequest

#: With more machines than this the old ones are forgotten.
_MANY = 256


class Loading:
    """When each machine's browser last asked for a part of the page. For any thread."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, float] = {}  # by the address without the port

    def note(self, request: WebRequest) -> None:
        """A part of the page has been asked for. What is no browser is passed over."""
        # All browsers have called themselves so since 1994; programs do not.
        if not request.headers.get("user-agent", "").startswith("Mozilla/"):
            return
        now = self._clock()
        if len(self._asked) >= _MANY:
            since = now - LOADING_SECONDS
            self._asked = {host: at for host, at in self._asked.copy().items() if at >= since}
        self._asked[_host(request.peer)] = now

    def is_loading(self, peer: str) -> bool:
        """Whether a browser at `peer`'s address has asked for a part within `LOADING_SECONDS`."""
        asked = self._asked.get(_host(peer))
        return asked is not None and asked >= self._clock() - LOADING_SECONDS


def _host(peer: str) -> str:
    return peer.rpartition(":")[0]
