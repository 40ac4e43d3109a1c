"""What it looks like: for everybody, on every screen, and whatever is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.cli.running import Caller, ServerProcess
from tests.web.page.conftest import Open
from tests.web.page.screen import PHONE

#: Names of many hues, each of which must be readable.
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "李雷"]

HOSTILE = [
    "<img src=x onerror=\"document.title='taken'\">",
    "<script>document.title='taken'</script>",
    "javascript:alert(1) and data:text/html,<b>hi</b>",
    "https://ok.example/a?b=1&c=<i> and HTTPS://two.example/(x) and http://",
    "a" * 900,
    "\u202eevil\u202c \u2067right\u2069 שלום עולם",
    "z" + "\u0301" * 500,
]


@pytest.fixture(scope="module")
def crowd(server: ServerProcess) -> Iterator[list[Caller]]:
    callers = [server.enter(name) for name in NAMES]
    for caller in callers:
        caller.say("a word for looks", "see https://example.org/a_page for more")
    yield callers
    for caller in callers:
        caller.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_nothing_against_it(open_page: Open, crowd: list[Caller], scheme: str) -> None:
    page = open_page(f"/#nick={scheme}", color_scheme=scheme, reduced_motion="reduce")
    page.hears("a word for looks", times=len(NAMES))
    page.say(f"/me is in the {scheme}")
    page.say('"' * 900)
    expect(page.page.locator(".refused")).to_be_visible()
    page.say("/help")
    page.evaluate("() => dispatchEvent(new Event('blur'))")
    crowd[0].say(f"{scheme}: hello")
    expect(page.page.locator(".calls mark")).to_be_visible()
    page.say("x" * 2000)
    page.page.locator("#nick").click()
    assert page.violations() == []
    page.page.get_by_role("button", name="Search").click()
    page.page.get_by_label("Words to find").fill("a")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#found button").first).to_be_visible()
    assert page.violations() == []


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_hue_can_be_read(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    contrast = page.evaluate(
        """() => {
          const canvas = document.createElement("canvas");
          const paint = canvas.getContext("2d", { willReadFrequently: true });
          const luminance = (colour) => {
            paint.fillStyle = colour;
            paint.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3)
              .map((c) => c / 255)
              .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const nick = document.querySelector(".nick");
          const style = getComputedStyle(document.documentElement);
          const pages = ["--page", "--side", "--hover", "--calls-page", "--bad-page"]
            .map((name) => luminance(style.getPropertyValue(name)));
          let worst = Infinity;
          for (let hue = 0; hue < 360; hue += 1) {
            nick.style.setProperty("--hue", hue);
            const one = luminance(getComputedStyle(nick).color);
            for (const page of pages) {
              const [dark, light] = [one, page].sort((a, b) => a - b);
              worst = Math.min(worst, (light + 0.05) / (dark + 0.05));
            }
          }
          return worst;
        }"""
    )
    assert contrast >= 4.5


def test_hostile_texts_are_only_text(open_page: Open, crowd: list[Caller]) -> None:
    page = open_page("/#nick=victim")
    crowd[0].say(*HOSTILE, "the end of it")
    page.hears("the end of it")
    assert page.evaluate("() => document.title") == "lobby"
    assert page.page.locator("#rows img, #rows script, #rows i, #rows b").count() == 0
    shown = page.rows.locator(".text").all_inner_texts()
    for text in HOSTILE[:5]:
        assert text in shown
    links = page.rows.locator(".text a")
    addresses = [link.get_attribute("href") for link in links.all()]
    assert set(addresses) == {
        "https://example.org/a_page",
        "https://ok.example/a?b=1&c=",
        "https://two.example/(x)",
    }
    for link in links.all():
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert link.get_attribute("target") == "_blank"
    # Neither a long word nor a pile of marks leaves its row.
    assert page.evaluate("() => document.querySelector('#log').scrollWidth") <= page.evaluate(
        "() => document.querySelector('#log').clientWidth"
    )
    marks = page.rows.filter(has_text="z\u0301")
    box = marks.bounding_box()
    assert box is not None
    assert box["height"] < 60
    assert marks.locator(".row").evaluate("row => getComputedStyle(row).overflowY") == "clip"


@pytest.mark.usefixtures("crowd")
def test_fits_a_phone(open_page: Open) -> None:
    page = open_page("/#nick=phone", viewport=PHONE, has_touch=True, is_mobile=True)
    page.say("from a small screen " * 10)
    page.hears(("from a small screen " * 10).strip())
    assert page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"]
    for name in ("Send", "Search", "People", "Notify me when I am called"):
        button = page.page.get_by_role("button", name=name, exact=False).first
        expect(button).to_be_in_viewport(ratio=1)
    page.page.locator("#show-people").tap()
    expect(page.page.get_by_role("complementary", name="People")).to_be_in_viewport()
    page.page.locator("#names button").first.tap()
    expect(page.page.locator("#people")).to_be_hidden()
    expect(page.input).not_to_have_value("")


def test_can_be_installed(open_page: Open) -> None:
    page = open_page()
    manifest = page.evaluate(
        "async () => (await fetch(document.querySelector('link[rel=manifest]').href)).json()"
    )
    assert manifest["display"] == "standalone"
    for one in manifest["icons"]:
        kind = page.evaluate(
            "async (src) => (await fetch(src)).headers.get('content-type')", one["src"]
        )
        assert kind.startswith("image/svg+xml")
