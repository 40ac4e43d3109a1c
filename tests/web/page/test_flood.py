"""A flood: the page stays bounded, and goes on drawing. How fast is reported, not judged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.cli.running import Caller, ServerProcess
from tests.web.page.conftest import Open

FLOOD = 6_000
IN_ONE_GO = 60

WATCH = """() => {
  window.seen = { rows: 0, longest: 0 };
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) seen.longest = Math.max(seen.longest, task.duration);
  }).observe({ type: "longtask" });
  const rows = document.querySelector("#rows");
  new MutationObserver(() => {
    seen.rows = Math.max(seen.rows, rows.childElementCount);
  }).observe(rows, { childList: true });
}"""


@contextmanager
def flooding(server: ServerProcess) -> Iterator[Caller]:
    """Somebody who talks without end, and reads what comes back."""
    with server.enter("flood") as caller:
        pace = threading.Event()

        def talk() -> None:
            for first in range(0, FLOOD, IN_ONE_GO):
                caller.say(*(f"drop {number}" for number in range(first, first + IN_ONE_GO)))
                pace.wait(0.01)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield caller
        finally:
            thread.join()


def test_a_flood_is_bounded(open_page: Open, server: ServerProcess) -> None:
    page = open_page("/#nick=calm")
    page.evaluate(WATCH)
    with flooding(server):
        expect(page.log).to_have_attribute("aria-live", "off")
        page.hears(f"drop {FLOOD - 1}")
    seen = page.evaluate("() => seen")
    assert seen["rows"] <= 600  # before a frame's trimming it may be some more
    assert page.rows.count() <= 500
    print(f"longest task in the flood: {seen['longest']:.0f} ms")
    # The end is where one is, and the input is still there.
    page.say("still here")
    page.hears("still here")


def test_one_reads_on_in_a_flood(open_page: Open, server: ServerProcess) -> None:
    with server.enter("early") as early:
        early.say(*(f"early {number}" for number in range(100)), "/ping")
        while early.line() != "-- pong":
            pass
    page = open_page("/#nick=reader")
    page.evaluate(WATCH)
    page.press_until("Home", page.page.locator("#beginning").is_visible)
    latest = page.page.locator("#latest")
    expect(latest).to_be_visible()
    first = "() => document.querySelector('.entry .text').textContent"
    before = page.evaluate(first)
    with flooding(server):
        expect(latest).to_contain_text("new messages")
        assert page.evaluate(first) == before
    expect(latest).to_contain_text("6,000 new messages")
    assert page.evaluate("() => seen.rows") <= 600
    latest.click()
    page.hears(f"drop {FLOOD - 1}")
