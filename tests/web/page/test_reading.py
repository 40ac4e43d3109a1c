"""Reading: history above, the end below, what is unread, and what is found."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.cli.running import Caller, ServerProcess
from tests.web.page.conftest import Open
from tests.web.page.screen import Screen, new_screen

#: How far the log is from its end, in pixels.
BELOW = """() => {
  const log = document.querySelector("#log");
  return log.scrollHeight - log.scrollTop - log.clientHeight;
}"""

#: Where the row is whose text is asked for, on the screen.
TOP = """(text) => [...document.querySelectorAll(".entry .text")]
  .find((one) => one.textContent === text).getBoundingClientRect().top"""

AWAY = "() => dispatchEvent(new Event('blur'))"
BACK = "() => dispatchEvent(new Event('focus'))"

SAID = 700


@pytest.fixture(scope="module")
def herald(server: ServerProcess) -> Iterator[Caller]:
    """Somebody who has said much."""
    with server.enter("herald") as herald:
        herald.say(*(f"line {number} of the herald" for number in range(SAID)), "/ping")
        while herald.line() != "-- pong":
            pass
        yield herald


def scroll_to(screen: Screen, top: int) -> None:
    screen.evaluate("top => { document.querySelector('#log').scrollTop = top }", top)


@pytest.mark.usefixtures("herald")
def test_older_history_comes_without_a_jump(open_page: Open) -> None:
    page = open_page("/#nick=olga")
    page.hears(f"line {SAID - 1} of the herald")
    assert page.evaluate(BELOW) <= 2
    before = page.rows.count()
    scroll_to(page, 900)
    mark = page.evaluate(
        "() => [...document.querySelectorAll('.entry .text')]"
        ".find(e => e.getBoundingClientRect().top > 60).textContent"
    )
    top = page.evaluate(TOP, mark)
    expect(page.rows).not_to_have_count(before)
    assert abs(page.evaluate(TOP, mark) - top) <= 1
    # All the way up; what is in the page stays bounded.
    page.press_until("Home", page.page.locator("#beginning").is_visible)
    page.hears("line 0 of the herald")
    assert page.rows.count() <= 500
    # And down again to the end, by the same way.
    page.press_until("End", page.page.locator("#latest").is_hidden)
    page.until(f"() => ({BELOW})() <= 2")
    page.hears(f"line {SAID - 1} of the herald")
    assert page.rows.count() <= 500


def test_stays_where_one_reads(mia: Screen, herald: Caller) -> None:
    scroll_to(mia, 1000)
    latest = mia.page.locator("#latest")
    expect(latest).to_have_text("To the latest ↓")
    top = mia.evaluate("() => document.querySelector('#log').scrollTop")
    herald.say("one while reading", "two while reading")
    expect(latest).to_have_text("2 new messages ↓")
    assert mia.evaluate("() => document.querySelector('#log').scrollTop") >= top
    latest.click()
    mia.hears("two while reading")
    assert mia.evaluate(BELOW) <= 2
    expect(latest).to_be_hidden()
    herald.say("three, followed")
    mia.hears("three, followed")
    assert mia.evaluate(BELOW) <= 2


def test_a_tall_screen_draws_only_what_comes(open_page: Open, herald: Caller) -> None:
    page = open_page("/#nick=tora", viewport={"width": 800, "height": 3800})
    herald.say("the last before")
    page.hears("the last before")
    page.evaluate(
        """() => {
          window.drawn = 0;
          new MutationObserver((list) => {
            for (const one of list) drawn += one.addedNodes.length;
          }).observe(document.querySelector("#rows"), { childList: true });
        }"""
    )
    herald.say("one on a tall screen")
    page.hears("one on a tall screen")
    herald.say("two on a tall screen")
    page.hears("two on a tall screen")
    assert page.evaluate("() => drawn") == 2


#: What has come is drawn late, by the timer, and the log is scrolled all the time.
UNEASY = """() => {
  window.requestAnimationFrame = () => 0;
  const log = document.querySelector("#log");
  setInterval(() => log.dispatchEvent(new Event("scroll")), 1);
}"""


def test_counts_what_comes_close_below(open_page: Open, herald: Caller) -> None:
    page = open_page("/#nick=petra")
    page.evaluate("() => document.querySelector('#log').scrollBy(0, -150)")
    latest = page.page.locator("#latest")
    expect(latest).to_have_text("To the latest ↓")
    page.evaluate(UNEASY)
    herald.say("one close below", "two close below")
    expect(latest).to_have_text("2 new messages ↓")


def test_follows_though_it_scrolls_before_it_draws(open_page: Open, herald: Caller) -> None:
    page = open_page("/#nick=quirin")
    page.evaluate(UNEASY)
    herald.say("come before it is drawn")
    page.hears("come before it is drawn")
    expect(page.page.locator("#latest")).to_be_hidden()
    assert page.evaluate(BELOW) <= 2


def test_a_flood_is_not_read_aloud(browser: Browser, server: ServerProcess, herald: Caller) -> None:
    with new_screen(browser) as page:
        page.page.clock.install()
        page.open(server.port)
        page.page.clock.fast_forward(5000)  # the history at the start is not read either
        expect(page.log).to_have_attribute("aria-live", "polite")
        herald.say("read aloud")
        page.hears("read aloud")
        expect(page.log).to_have_attribute("aria-live", "polite")
        herald.say(*(f"too much {number}" for number in range(20)))
        expect(page.log).to_have_attribute("aria-live", "off")
        page.page.clock.fast_forward(5000)
        expect(page.log).to_have_attribute("aria-live", "polite")


def test_what_came_while_away_is_counted(open_page: Open, herald: Caller) -> None:
    page = open_page("/#nick=rosa")
    icon = page.page.locator("#icon")
    page.evaluate(AWAY)
    herald.say("unread one", "unread two")
    page.until("() => document.title === '(2) lobby'")
    expect(icon).to_have_attribute("href", re.compile("^data:image/svg"))
    divider = page.page.locator(".entry[data-kind=unread]")
    expect(divider).to_have_count(1)
    below = page.page.locator(".entry[data-kind=unread] + .entry")
    expect(below).to_contain_text("unread one")
    page.evaluate(BACK)
    page.until("() => document.title === 'lobby'")
    expect(icon).to_have_attribute("href", "icon.svg")
    expect(divider).to_have_count(1)
    page.evaluate(AWAY)
    herald.say("unread three")
    page.until("() => document.title === '(1) lobby'")
    expect(divider).to_have_count(1)
    expect(below).to_contain_text("unread three")


def test_a_hidden_page_goes_on(open_page: Open, herald: Caller) -> None:
    page = open_page("/#nick=sven")
    page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
          window.requestAnimationFrame = () => 0;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    herald.say("said to a hidden page")
    page.hears("said to a hidden page")
    page.until("() => document.title.startsWith('(1)')")


def test_is_called_only_if_allowed(open_page: Open, herald: Caller) -> None:
    page = open_page("/#nick=tilda", permissions=["notifications"])
    page.evaluate(
        """() => {
          window.notes = [];
          window.Notification = class {
            static permission = "granted";
            static async requestPermission() { return "granted"; }
            constructor(title, options) { window.notes.push([title, options.body]); }
          };
        }"""
    )
    page.evaluate(AWAY)
    herald.say("tilda: are you there?")
    page.hears("tilda: are you there?")
    expect(page.page.locator(".calls").last).to_contain_text("are you there?")
    assert page.evaluate("() => window.notes") == []
    page.page.get_by_role("button", name="Notify me when I am called").click()
    page.evaluate(AWAY)
    herald.say("no call for tildas", "TILDA, again")
    page.until("() => window.notes.length === 1")
    assert page.evaluate("() => window.notes") == [["herald", "TILDA, again"]]


@pytest.mark.usefixtures("herald")
def test_finds_and_goes_to_the_place(mia: Screen) -> None:
    mia.page.get_by_role("button", name="Search").click()
    mia.page.get_by_label("Words to find").fill("herald")
    mia.page.keyboard.press("Enter")
    results = mia.page.locator("#found button")
    expect(results.nth(10)).to_be_visible()
    expect(mia.page.locator("#found mark").first).to_have_text("herald")
    count = results.count()
    mia.page.get_by_role("button", name="Older results").click()
    expect(results).not_to_have_count(count)
    oldest = results.last
    text = oldest.locator(".text").inner_text()
    oldest.click()
    found = mia.page.locator(".found")
    expect(found).to_contain_text(text)
    expect(found).to_be_focused()
    expect(found).to_be_in_viewport()
    expect(mia.page.locator("#latest")).to_be_visible()
    mia.page.get_by_role("button", name="Close search").click()
    mia.input.press("Escape")
    expect(mia.page.locator("#latest")).to_be_hidden()


@pytest.mark.usefixtures("herald")
def test_slash_search_opens_the_panel(mia: Screen) -> None:
    mia.say("/search her*")
    expect(mia.page.get_by_label("Words to find")).to_have_value("her*")
    expect(mia.page.locator("#found mark").first).to_have_text("herald")


@pytest.mark.usefixtures("herald")
def test_goes_back_some_events(mia: Screen) -> None:
    mia.say("/history 3")
    expect(mia.page.locator(".found")).to_be_focused()
    expect(mia.page.locator("#latest")).to_be_hidden()  # it is in sight of the end
    mia.say("/history 300")
    expect(mia.page.locator(".found")).to_be_focused()
    expect(mia.page.locator("#latest")).to_be_visible()


@pytest.mark.usefixtures("herald")
def test_days_are_parted(open_page: Open) -> None:
    page = open_page("/#nick=xenia", timezone_id="Pacific/Auckland", locale="de-DE")
    expect(page.page.locator(".day")).to_have_count(1)
    time = page.rows.last.locator("time")
    assert re.fullmatch(r"\d\d:\d\d", time.inner_text())
    assert re.fullmatch(
        r"\w+, \d+\. \w+ \d{4} um \d\d:\d\d:\d\d", time.get_attribute("title") or ""
    )
