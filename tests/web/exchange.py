"""HTTP on paper: a connection's bytes in, responses out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chatroom.protocol.opening import Opening
from chatroom.protocol.requests import Ending, Reply, Speaks
from chatroom.protocol.session import Visit
from chatroom.protocol.silent import Silent
from chatroom.protocol.ways import WAYS
from chatroom.web.contract import WebRequest, WebResponse
from tests.protocol.test_sessions import RULES, Talk


@dataclass
class PaperSite:
    """See `chatroom.web.contract.Site`. Answers everything, and keeps what it was asked."""

    refusal: WebResponse | None = None
    loading: bool = False
    asked: list[WebRequest] = field(default_factory=list)

    def respond(self, request: WebRequest) -> WebResponse:
        self.asked.append(request)
        if request.path == "/304":
            return WebResponse(304, headers={"ETag": '"x"'})
        return WebResponse(200, f"body of {request.path}".encode())

    def refuse_name(self, request: WebRequest) -> WebResponse | None:
        return None

    def refuse_socket(self, request: WebRequest) -> WebResponse | None:
        self.asked.append(request)
        return self.refusal

    def is_loading(self, peer: str) -> bool:
        assert peer == "paper"
        return self.loading


@dataclass(frozen=True)
class Response:
    """What a client gets."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        (value,) = [value for key, value in self.headers if key.lower() == name.lower()]
        return value

    def has(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.headers)

    @property
    def closes(self) -> bool:
        return ("Connection", "close") in self.headers


class Exchange(Talk):
    """A connection that gets to a site."""

    def __init__(self, site: PaperSite | None = None, *, local: bool = True) -> None:
        super().__init__()
        self.site = site or PaperSite()
        visit = Visit(RULES, peer="paper", local=local, site=self.site)
        self.session = Opening(visit, WAYS)

    @property
    def sent(self) -> bytes:
        """All bytes that it was answered; the dates are left out."""
        sent = b"".join(draft.data for draft in self.drafts if type(draft) is Reply)
        return re.sub(rb"Date: [^\r]+ GMT\r\n", b"", sent)

    @property
    def responses(self) -> list[Response]:
        return read_responses(self.sent)

    @property
    def response(self) -> Response:
        """The only one."""
        (response,) = self.responses
        return response

    def assert_silent(self) -> None:
        """Nothing of it has come, or can come, to the room: it has no hello and no request."""
        assert self.drafts[0] in (Speaks(Silent("http")), Speaks(Silent("foreign")))
        assert {type(draft) for draft in self.drafts} <= {Speaks, Reply, Ending}


def exchange(*chunks: bytes, site: PaperSite | None = None) -> Exchange:
    """One in which that was said."""
    begun = Exchange(site)
    begun.feed(*chunks)
    return begun


def read_responses(data: bytes, *methods: str) -> list[Response]:
    """The responses in `data`, which has nothing else; those without a method are to a GET."""
    responses = []
    asked = iter(methods)
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, "a torn response"
        status, *lines = head.decode("ascii").split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        lengths = [int(value) for name, value in headers if name == "Content-Length"]
        length = 0 if next(asked, "GET") == "HEAD" else sum(lengths)
        assert len(data) >= length, "a torn body"
        match = re.fullmatch(r"HTTP/1\.1 (\d\d\d) [A-Z].*", status)
        assert match is not None, status
        body, data = data[:length], data[length:]
        responses.append(Response(int(match[1]), headers, body))
    return responses


def asks(target: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A request for this host."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers]
    return "\r\n".join([*lines, "\r\n"]).encode()
