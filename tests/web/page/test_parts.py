"""The page's modules that have no DOM, each by itself, in the browser that runs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from chatroom.client.outlook import OUTLOOKS, Outlook
from tests.cli.running import ServerProcess
from tests.client.unconfirmed import CASES

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


REPLAY = """
  const s = new m.Statements();
  const id = (number) => (number === null ? undefined : `s${number}`);
  const ids = (numbers = []) => numbers.map(id);
  const wrong = [];
  const is = (step, found, wanted) => {
    const [one, other] = [found, wanted].map((value) => JSON.stringify(value) ?? "none");
    if (one !== other) wrong.push(`${JSON.stringify(step)}: ${one}, not ${other}`);
  };
  for (const step of steps) {
    if ("say" in step) s.add(step.say, step.text);
    else if ("send" in step) s.take(step.send);
    else if ("ack" in step) s.acked(id(step.ack), step.seq);
    else if ("refuse" in step) s.withdraw(id(step.refuse));
    else if ("broke" in step) s.disconnected(step.broke);
    else if ("replay_from" in step) is(step, s.lowestDoubtful, step.replay_from);
    else if ("event" in step) is(step, s.lookUp(step.event)?.id, id(step.is));
    else {
      const { unknown, nick } = s.settle(step.settle === "whole");
      is(step, unknown.map((one) => one.id), ids(step.unknown));
      is(step, nick, step.nick ?? "");
      is(step, s.take(99).map((one) => one.id), ids(step.again));
    }
  }
  return wrong;
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_statements_in_doubt(page: Page, case: dict[str, Any]) -> None:
    body = f"const steps = {json.dumps(case['steps'])};"
    assert run(page, "statements.js", body + REPLAY) == []


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


@pytest.mark.parametrize(
    ("code", "phase"), [("too_fast", "offline"), ("unavailable", "offline"), ("banned", "gone")]
)
def test_a_refusal_that_may_pass_is_tried_again(page: Page, code: str, phase: str) -> None:
    body = f"""
      let socket;
      window.WebSocket = class {{ constructor() {{ socket = this; }} close() {{}} }};
      const owner = {{ received() {{}}, lost: () => false, changed() {{}} }};
      const connection = new m.Connection("ws://nowhere", owner);
      connection.open();
      const refusal = {{ kind: "error", code: "{code}", text: "no" }};
      const bye = {{ kind: "bye", reason: "protocol_error", text: "not let in" }};
      socket.onmessage({{ data: [refusal, bye].map(JSON.stringify).join("\\n") }});
      socket.onclose({{ code: 1008 }});
      return connection.state.phase;
    """
    assert run(page, "connection.js", body) == phase


def test_page_and_library_agree_on_what_is_final() -> None:
    source = (FOLDER / "connection.js").read_text()
    final, passing = (
        re.findall(r'"(\w+)"', source.partition(f"const {name} = new Set([")[2].partition("]")[0])
        for name in ("FINAL", "PASSING")
    )
    assert {code for code, outlook in OUTLOOKS.items() if not outlook} == set(final)
    assert passing
    assert all(Outlook.LATER in OUTLOOKS[code] for code in passing)


def test_who_may_have_another_name_is_no_guest_before_both_are_refused(page: Page) -> None:
    body = """
      const sockets = [];
      window.WebSocket = class {
        static OPEN = 1;
        readyState = 1;
        constructor() { sockets.push(this); }
        send(data) { this.hello = JSON.parse(data); }
        close() {}
        ends(...lines) {
          this.onopen();
          this.onmessage({ data: lines.map(JSON.stringify).join("\\n") });
          this.onclose({ code: 1006 });
        }
      };
      const watcher = { said() {}, state() {} };
      const room = new m.Room("ws://nowhere", { nick: "old", token: "t" }, watcher);
      const taken = { kind: "error", code: "nick_taken", text: "taken" };
      room.comeback.broke("new");
      room.connection.open();
      sockets[0].ends(taken); // at once as the other
      sockets[1].ends(); // the network, and no refusal
      room.connection.open();
      sockets[2].ends(taken);
      sockets[3].ends(taken);
      return [sockets.map((socket) => socket.hello.nick ?? ""), room.connection.state.phase];
    """
    assert run(page, "room.js", body) == [["old", "new", "new", ""], "offline"]


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
