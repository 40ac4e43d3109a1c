"""A page of another origin tries to speak into the room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from tests.cli.running import ServerProcess

PAGE = b"<!doctype html><title>elsewhere</title><iframe name=frame></iframe>"

#: Each gives "in" if it got an answer that it could read, or could speak.
TRIES = """async (port) => {
  const room = `http://127.0.0.1:${port}`;
  const said = "HACKED\\r\\n/nick mallory\\r\\nHACKED\\r\\n";
  const outcome = {};
  const attempt = async (name, deed) => {
    try {
      outcome[name] = (await deed()) ?? "in";
    } catch {
      outcome[name] = "out";
    }
  };
  const post = { method: "POST", body: said, headers: { "content-type": "text/plain" } };
  await attempt("post", () => fetch(room + "/", post));
  await attempt("ws by post", () => fetch(room + "/ws", post));
  await attempt("fetch", () => fetch(room + "/healthz"));
  await attempt("blind", async () => (await fetch(room + "/", { ...post, mode: "no-cors" })).type);
  const socket = (protocols) => () =>
    new Promise((done, fail) => {
      const one = new WebSocket(`ws://127.0.0.1:${port}/ws`, protocols);
      one.onopen = () => {
        one.send('{"nick":"mallory"}\\n{"kind":"message","text":"HACKED"}');
        one.onmessage = () => done();
      };
      one.onerror = fail;
    });
  await attempt("socket", socket([]));
  await attempt("socket with protocol", socket(["chatroom.v1"]));
  await attempt("image", () =>
    new Promise((done, fail) => {
      const one = new Image();
      one.onload = () => done();
      one.onerror = fail;
      one.src = room + "/icon.svg?HACKED";
    }));
  await attempt("beacon", async () => String(navigator.sendBeacon(room + "/", said)));
  const form = document.createElement("form");
  form.action = room + "/";
  form.method = "POST";
  form.enctype = "text/plain";
  form.target = "frame";
  const field = document.createElement("input");
  field.name = said;
  field.value = said;
  form.append(field);
  document.body.append(form);
  const frame = document.querySelector("iframe");
  await new Promise((done) => {
    frame.onload = done;
    form.submit();
  });
  await new Promise((done) => {
    frame.onload = done;
    frame.src = room + "/";
  });
  await attempt("frame", async () => frame.contentDocument.title);
  return outcome;
}"""


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody wants to know."""


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """The port of a server that has nothing to do with the room."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_nothing_reaches_the_room(browser: Browser, server: ServerProcess, elsewhere: int) -> None:
    page = browser.new_page()
    with server.enter("witness") as witness:
        page.goto(f"http://127.0.0.1:{elsewhere}/")
        outcome = page.evaluate(TRIES, server.port)
        assert outcome == {
            "post": "out",
            "ws by post": "out",
            "fetch": "out",
            "blind": outcome["blind"],
            "socket": "out",
            "socket with protocol": "out",
            "image": "out",
            "beacon": "true",
            "frame": "out",
        }
        assert outcome["blind"] in ("opaque", "out")  # sent, and answered with nothing to read
        witness.say("/who", "/ping")
        heard = []
        while (line := witness.line()) != "-- pong":
            heard.append(line)
        assert heard == ["-- 1 here:", "--   witness"]
    page.close()
