"""What goes between a page and its room, in the hands of a test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import WebSocketRoute

from tests.web.page.screen import Screen


class Wire:
    """Between a page and its room. When it is cut, only the page notices."""

    def __init__(self, screen: Screen) -> None:
        #: What of a line keeps it from the page.
        self.withheld: str | None = None
        #: What becomes of a frame on its way to the room; nothing: it is lost.
        self.up: Callable[[str], str] = lambda frame: frame
        self._route: WebSocketRoute | None = None
        screen.page.route_web_socket(re.compile("/ws$"), self._connect)

    def _connect(self, route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        self._route = route

        def up(frame: str | bytes) -> None:
            assert isinstance(frame, str)
            if changed := self.up(frame):
                server.send(changed)

        route.on_message(up)
        route.on_close(lambda _code, _reason: None)

        def down(frame: str | bytes) -> None:
            assert isinstance(frame, str)
            lines = frame.splitlines()
            passed = [line for line in lines if self.withheld is None or self.withheld not in line]
            if passed:
                route.send("\n".join(passed))

        server.on_message(down)

    def cut(self) -> None:
        assert self._route is not None
        self.withheld = None
        self._route.close(code=4000)

    def tell(self, line: dict[str, object]) -> None:
        """Something that the room has not said."""
        assert self._route is not None
        self._route.send(json.dumps(line))
