"""The page's modules that have no DOM, each by itself, in the browser that runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.cli.running import ServerProcess

FOLDER = files("chatroom.web.page")


@pytest.fixture(scope="module")
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/")
    yield page
    page.close()


def run(page: Page, module: str, body: str) -> Any:
    """What a piece of JavaScript returns, to which a module is `m`."""
    return page.evaluate(f"async () => {{ const m = await import('/{module}'); {body} }}")


EVENTS = "const at = (seq, epoch = 0, sub = 0) => ({ epoch, seq, sub, kind: 'message' });"


def test_tail_is_in_order_without_doubles(page: Page) -> None:
    body = """
      const tail = new m.Tail();
      const added = [at(3), at(1), at(3), at(2), at(2, 0, 1), at(1, 1)].map((i) => tail.add(i));
      return [added, tail.newest(9).map(({ epoch, seq, sub }) => [epoch, seq, sub])];
    """
    added, order = run(page, "tail.js", EVENTS + body)
    assert added == [True, True, False, True, True, True]
    assert order == [[0, 1, 0], [0, 2, 0], [0, 2, 1], [0, 3, 0], [1, 1, 0]]


def test_tail_is_bounded_and_knows_what_it_holds(page: Page) -> None:
    body = """
      const tail = new m.Tail();
      for (let seq = 1; seq <= 10000; seq += 1) tail.add(at(seq));
      const first = tail.newest(Infinity)[0];
      return {
        bounded: tail.length <= 2 * m.KEEP,
        old: tail.add(at(5)),
        below: tail.reaches(at(5)),
        edge: tail.reaches(tail.floor),
        before: tail.before(at(10000), 2).map((i) => i.seq),
        behind: tail.behind(at(9998), 9).map((i) => i.seq),
        joined: first.seq === tail.floor.seq + 1,
      };
    """
    assert run(page, "tail.js", EVENTS + body) == {
        "bounded": True,
        "old": False,
        "below": False,
        "edge": True,
        "before": [9998, 9999],
        "behind": [9999, 10000],
        "joined": True,
    }


def test_statements_in_doubt_are_looked_up(page: Page) -> None:
    body = """
      const s = new m.Statements();
      const said = (seq, text) => ({ epoch: 0, sub: 0, seq, kind: "message", nick: "me", text });
      s.add("message", "same"); s.add("message", "same"); s.add("message", "lost");
      s.take("me", 10);
      s.acked("s1", 12);
      s.disconnected();
      const lowest = s.lowestDoubtful;
      return {
        lowest,
        acked: s.lookUp(said(12, "same"))?.id,
        other: s.lookUp({ ...said(13, "same"), nick: "you" })?.id,
        found: s.lookUp(said(14, "same"))?.id,
        again: s.lookUp(said(15, "same"))?.id,
        doubtful: s.settle(true).length,
        open: s.open.map(({ text, state }) => [text, state]),
      };
    """
    assert run(page, "statements.js", body) == {
        "lowest": 12,
        "acked": None,
        "other": None,
        "found": "s2",
        "again": None,
        "doubtful": 0,
        "open": [["lost", "waiting"]],
    } | {"acked": None}


def test_statements_are_not_said_again_where_something_is_missing(page: Page) -> None:
    body = """
      const s = new m.Statements();
      s.add("message", "sent"); s.take("me", 1); s.add("message", "waits");
      s.disconnected();
      return [s.settle(false).map((one) => one.text), s.open.map((one) => one.text)];
    """
    assert run(page, "statements.js", body) == [["sent"], ["waits"]]


WELCOMES = """
  const r = new m.Resume();
  const first = r.welcomed({ session: "A", seq: 40 });
  r.arrived(41); r.arrived(45); r.arrived(43);
"""


def test_resume_asks_for_what_it_lacks(page: Page) -> None:
    body = "return [first, r.hello(Infinity), r.hello(42)];"
    first, hello, lower = run(page, "resume.js", WELCOMES + body)
    assert first == {"isNew": False, "forgotten": False, "missed": 0}
    assert hello == {"after": 45, "session": "A"}
    assert lower == {"after": 42, "session": "A"}


@pytest.mark.parametrize(
    ("welcome", "outcome"),
    [
        ('{session: "A", seq: 50, resumed: "complete", after: 45}', [False, False, 0, 45, 0]),
        (
            '{session: "A", seq: 90, resumed: "partial", missed: 9, after: 45}',
            [False, False, 9, 45, 0],
        ),
        ('{session: "B", seq: 90, resumed: "complete", after: 45}', [True, False, 0, 45, 0]),
        ('{session: "B", seq: 3, resumed: "partial", missed: 0, after: 0}', [True, True, 0, 0, 1]),
    ],
)
def test_resume_knows_its_log(page: Page, welcome: str, outcome: list[object]) -> None:
    body = f"""
      const {{ isNew, forgotten, missed }} = r.welcomed({welcome});
      return [isNew, forgotten, missed, r.newest, r.epoch];
    """
    assert run(page, "resume.js", WELCOMES + body) == outcome


def test_chronicle_tells_how_many_were_missed(page: Page) -> None:
    body = """
      const told = [];
      const c = new m.Chronicle({ added: (item) => told.push([item.kind, item.seq, item.from]) });
      c.welcomed({ session: "A", seq: 2 });
      c.welcomed({ session: "A", seq: 9, resumed: "partial", missed: 4, after: 2 });
      const event = c.placed({ seq: 7, kind: "message" });
      if (c.arrived(event)) c.add(event);
      return told;
    """
    assert run(page, "chronicle.js", body) == [["missed", 2, 4], ["message", 7, None]]


def test_delays_grow_and_differ(page: Page) -> None:
    body = """
      const all = (random) => [0, 1, 2, 3, 9, 99].map((n) => m.delayMilliseconds(n, () => random));
      return [all(0), all(1)];
    """
    low, high = run(page, "backoff.js", body)
    assert low == [250, 500, 1000, 2000, 7500, 7500]
    assert high == [500, 1000, 2000, 4000, 15000, 15000]


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("hi /me", {"kind": "message", "text": "hi /me"}),
        ("//etc", {"kind": "message", "text": "/etc"}),
        ("/me  waves ", {"kind": "action", "text": "waves"}),
        ("/NICK bob", {"kind": "rename", "to": "bob"}),
        ("/search a b*", {"kind": "search", "text": "a b*"}),
        ("/history", {"kind": "history", "limit": 20}),
        ("/history 9999", {"kind": "history", "limit": 1000}),
        ("/history x", {"kind": "problem", "text": "say /history or /history N, N a number"}),
        ("/me", {"kind": "problem", "text": "say /me ACTION"}),
        (
            "/constructor",
            {"kind": "problem", "text": "unknown command /constructor, /help lists them"},
        ),
    ],
)
def test_commands_are_those_of_plain_text(page: Page, line: str, typed: dict[str, object]) -> None:
    assert page.evaluate("async (l) => (await import('/commands.js')).parse(l)", line) == typed


def test_names_are_called_as_words(page: Page) -> None:
    body = """
      const calls = (nick, text) => text.search(m.mentionOf(nick)) >= 0;
      return [calls("bob", "hi BOB!"), calls("bob", "bobby"), calls("a.b", "axb"),
        calls("a.b", "to a.b: x"), calls("bob-", "@bob- hi")];
    """
    assert run(page, "names.js", body) == [True, False, False, True, True]


def test_every_module_is_loaded_at_once() -> None:
    index = (FOLDER / "index.html").read_text()
    asked = set(re.findall(r'<link rel="modulepreload" href="([^"]+)">', index))
    there = {entry.name for entry in FOLDER.iterdir() if entry.name.endswith(".js")}
    assert asked == there - {"main.js"}
