"""What is behind HTTP: the page, health and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chatroom.web.contract import SOCKET_PATH, UPGRADE_HEADERS, WebRequest, WebResponse
from chatroom.web.files import WebFile, load_page
from chatroom.web.health import answer_health
from chatroom.web.loading import Loading
from chatroom.web.metrics import answer_metrics
from chatroom.web.names import Names

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from chatroom.settings import WebSettings
    from chatroom.web.health import Health
    from chatroom.web.metrics import Metrics

_NOT_FOUND = WebResponse(404, b"There is nothing here.\n")
_NOT_LOCAL = WebResponse(403, b"This is answered on the server's own machine only.\n")
_MISDIRECTED = WebResponse(421, b"This server is not called so; see --web-host.\n")
_FOREIGN = WebResponse(403, b"This page's scripts may not come in; see --web-origin.\n")
_NO_SOCKET = WebResponse(426, b"Here is a WebSocket.\n", headers=UPGRADE_HEADERS)

#: By these a proxy says that it passes a request on: its own machine has not asked.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class RoomSite:
    """See `chatroom.web.contract.Site`. Everything it serves is in memory."""

    def __init__(
        self,
        settings: WebSettings | None,
        *,
        open_figures: bool,
        health: Health,
        metrics: Metrics | None = None,
        page: Traversable | None = None,
    ) -> None:
        """Without settings there is no page and no WebSocket. `open_figures`: health and figures
        are answered to other machines too. Reads the page's files.
        """
        self._web = settings is not None
        self._open_figures = open_figures
        self._names = Names() if settings is None else Names(settings.hosts, settings.origins)
        self._page: Mapping[str, WebFile] = {} if settings is None else load_page(page)
        self._loading = Loading()
        self._figures: dict[str, Callable[[], WebResponse]] = {
            "/healthz": lambda: answer_health(health())
        }
        if metrics is not None:
            self._figures["/metrics"] = lambda: answer_metrics(metrics())

    def respond(self, request: WebRequest) -> WebResponse:
        """The answer to a GET or a HEAD."""
        figures = self._figures.get(request.path)
        if figures is not None and self._open_figures:
            return figures()  # to everybody: by whatever name they ask
        if (misdirected := self.refuse_name(request)) is not None:
            return misdirected
        if figures is not None:
            return figures() if _is_local(request) else _NOT_LOCAL
        file = self._page.get(request.path)
        if file is not None:
            self._loading.note(request)
            return file.respond(request)
        if request.path == SOCKET_PATH and self._web:
            return _NO_SOCKET
        return _NOT_FOUND

    def refuse_name(self, request: WebRequest) -> WebResponse | None:
        """What answers a request, whatever its method, that names another server; None: it names
        this one, or none.
        """
        host = request.headers.get("host")
        return None if host is None or self._names.is_own(host) else _MISDIRECTED

    def refuse_socket(self, request: WebRequest) -> WebResponse | None:
        """Why `request` may not become a WebSocket; None if it may."""
        if (misdirected := self.refuse_name(request)) is not None:
            return misdirected
        if not self._web:
            return _NOT_FOUND
        origin = request.headers.get("origin")
        # Who sends none is no browser, and speaks for nobody but itself.
        if origin is not None and not self._names.lets_in(origin, request.headers.get("host", "")):
            return _FOREIGN
        return None

    def is_loading(self, peer: str) -> bool:
        """Whether a browser on the machine of `peer` is just loading the page."""
        return self._loading.is_loading(peer)


def _is_local(request: WebRequest) -> bool:
    return request.local and not any(name in request.headers for name in _FORWARDED)
