"""The room's page in a browser, as a person sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

#: Whoever waits longer than this has found a bug.
PATIENCE_MILLISECONDS = 30_000

expect.set_options(PATIENCE_MILLISECONDS)

WIDE = {"width": 1200, "height": 760}
PHONE = {"width": 360, "height": 640}

#: What the browser itself says where nothing is wrong with the page: a server is away, as in some
#: tests; on a busy machine it left a new socket silent for so long that the room took it for a
#: person's.
_OUTSIDE = re.compile("WebSocket connection to|.*ERR_INVALID_HTTP_RESPONSE")


class Screen:
    """One page with the room in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.log = page.get_by_role("log")
        self.rows = page.locator("#rows .entry")
        self.input = page.get_by_role("textbox", name="Message")
        self.phase = page.locator("#phase")
        self.hint = page.locator("#hint")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _OUTSIDE.match(message.text):
            self.faults.append(f"{message.text} {message.location['url']}")

    def open(self, port: int, path: str = "/") -> None:
        """Go there, and wait until the room is live and its history shown."""
        self.page.goto(f"http://127.0.0.1:{port}{path}")
        self.wait_live()
        expect(self.rows.first).to_be_visible()

    def wait_live(self) -> None:
        expect(self.phase).to_have_text("live")

    def say(self, text: str) -> None:
        """Write it and press Enter."""
        self.input.fill(text)
        self.input.press("Enter")

    def hears(self, text: str, *, times: int = 1) -> None:
        """Wait until a row has this text, and no other one."""
        expect(self.texts(text)).to_have_count(times)

    def texts(self, text: str) -> Locator:
        return self.rows.locator(".text").get_by_text(text, exact=True)

    def evaluate(self, expression: str, argument: object = None) -> Any:
        return self.page.evaluate(expression, argument)

    def until(self, expression: str) -> None:
        """Wait for a function of the page to give something true."""
        self.page.wait_for_function(expression)

    def press_until(self, key: str, condition: Callable[[], bool]) -> None:
        """Press a key in the log until something is so."""
        for _ in range(100):
            if condition():
                return
            self.log.press(key)
            self.evaluate("() => new Promise(requestAnimationFrame)")
        raise AssertionError(f"{key} never led there")

    def violations(self) -> list[str]:
        """What axe-core has against the page as it is."""
        if not self.evaluate("() => 'axe' in window"):
            self.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
        # What it has nothing against it need not write down.
        found = self.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {node['html']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def nick(self) -> str:
        return self.page.locator("#own-nick").inner_text()


@contextmanager
def new_screen(browser: Browser, **options: Any) -> Iterator[Screen]:
    """A page with a memory of its own; at the end nothing may have gone wrong in it."""
    context: BrowserContext = browser.new_context(**{"viewport": WIDE, **options})
    screen = Screen(context.new_page())
    try:
        yield screen
    finally:
        context.close()
    assert not screen.faults, screen.faults
