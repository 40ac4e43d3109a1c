"""What is answered to whom: the page, the WebSocket, health and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from chatroom.settings import WebSettings
from chatroom.web.contract import WebRequest
from chatroom.web.site import RoomSite

WEB = WebSettings(hosts=("chat.example.org",), origins=("https://chat.example.org",))


class Server:
    """What a site is told by the server."""

    def __init__(self) -> None:
        self.status = "ok"

    def health(self) -> Mapping[str, object]:
        return {"status": self.status}

    def metrics(self) -> str:
        return "# HELP chatroom_members Members.\n"


def _site(
    page: Path, *, web: WebSettings | None = WEB, everybody: bool = False, figures: bool = True
) -> tuple[RoomSite, Server]:
    server = Server()
    page.joinpath("index.html").write_text("<!doctype html>")
    metrics = server.metrics if figures else None
    site = RoomSite(web, open_figures=everybody, health=server.health, metrics=metrics, page=page)
    return site, server


def _asks(path: str = "/", *, local: bool = True, **headers: str) -> WebRequest:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return WebRequest("GET", path, {"host": "localhost:9009", **named}, local)


def test_the_page_and_nothing_else(tmp_path: Path) -> None:
    site, _ = _site(tmp_path)
    page = site.respond(_asks())
    assert (page.status, page.body) == (200, b"<!doctype html>")
    assert site.respond(_asks(local=False)).status == 200
    for path in ("/index.html", "/x", "//", "/../site.py", "/%2e%2e/site.py", "*", "", "/healthz/"):
        assert site.respond(_asks(path)).status == 404


@pytest.mark.parametrize("path", ["/", "/ws", "/healthz", "/metrics", "/nowhere"])
def test_under_another_name_there_is_nothing(tmp_path: Path, path: str) -> None:
    site, _ = _site(tmp_path)
    assert site.respond(_asks(path, host="evil.example:9009")).status == 421
    refused = site.refuse_socket(_asks(path, host="evil.example:9009"))
    assert refused is not None
    assert refused.status == 421


def test_a_client_of_http_1_0_need_not_say_whom_it_asks(tmp_path: Path) -> None:
    site, _ = _site(tmp_path)
    assert site.respond(WebRequest("GET", "/healthz", {}, True)).status == 200


def test_health_is_what_the_server_says(tmp_path: Path) -> None:
    site, server = _site(tmp_path)
    well = site.respond(_asks("/healthz"))
    assert (well.status, json.loads(well.body)) == (200, {"status": "ok"})
    assert well.content_type == "application/json"
    server.status = "draining"
    ill = site.respond(_asks("/healthz"))
    assert (ill.status, json.loads(ill.body)) == (503, {"status": "draining"})


def test_figures_are_there_if_the_server_has_any(tmp_path: Path) -> None:
    site, _ = _site(tmp_path)
    figures = site.respond(_asks("/metrics"))
    assert (figures.status, figures.body) == (200, b"# HELP chatroom_members Members.\n")
    assert figures.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert _site(tmp_path, figures=False)[0].respond(_asks("/metrics")).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_figures_are_for_this_machine_unless_they_are_for_everybody(
    tmp_path: Path, path: str
) -> None:
    site, _ = _site(tmp_path)
    assert site.respond(_asks(path)).status == 200
    assert site.respond(_asks(path, local=False)).status == 403
    # A proxy on this machine asks for somebody else.
    for header in ("forwarded", "x_forwarded_for", "x_forwarded_host", "x_real_ip", "via"):
        assert site.respond(_asks(path, local=True, **{header: "192.0.2.1"})).status == 403
    site, _ = _site(tmp_path, everybody=True)
    assert site.respond(_asks(path, local=False)).status == 200
    assert site.respond(_asks(path, local=False, host="room.internal:9009")).status == 200


def test_a_socket_is_for_the_pages_own_scripts_and_for_programs(tmp_path: Path) -> None:
    site, _ = _site(tmp_path)
    assert site.refuse_socket(_asks("/ws")) is None
    assert site.refuse_socket(_asks("/ws", origin="http://localhost:9009")) is None
    assert site.refuse_socket(_asks("/ws", origin="https://chat.example.org")) is None
    for origin in ("http://localhost:8000", "http://evil.example", "null", ""):
        refused = site.refuse_socket(_asks("/ws", origin=origin))
        assert refused is not None
        assert refused.status == 403


def test_who_only_gets_it_is_told_that_it_is_a_socket(tmp_path: Path) -> None:
    site, _ = _site(tmp_path)
    told = site.respond(_asks("/ws"))
    assert told.status == 426
    assert told.headers == {"Upgrade": "websocket", "Connection": "Upgrade"}


def test_without_web_there_are_health_and_figures_only(tmp_path: Path) -> None:
    site, _ = _site(tmp_path, web=None)
    for path in ("/", "/ws"):
        assert site.respond(_asks(path)).status == 404
    refused = site.refuse_socket(_asks("/ws"))
    assert refused is not None
    assert refused.status == 404
    assert site.respond(_asks("/healthz")).status == 200
    assert site.respond(_asks("/metrics")).status == 200
    assert site.respond(_asks("/healthz", host="evil.example")).status == 421
