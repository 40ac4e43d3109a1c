"""Who speaks HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chatroom.protocol.session import first_line
from chatroom.settings import MAX_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.protocol.session import Session, Visit
    from chatroom.room.refused import Refused

#: A request line. Browsers send any token as a method, also in lower case, to where they think the
#: page came from: as they can be led here under another's name (DNS rebinding), a whole line of
#: this shape is no talk, however unusual the method. With an ordinary method, what is behind the
#: version does not matter either.
_REQUEST_LINE = re.compile(
    rb"[A-Z]{3,16} [^ \t]+ HTTP/\d\.\d|[-!#$%&'*+.^_`|~0-9A-Za-z]+ [^ \t]+ HTTP/\d\.\d[ \t]*\r?\Z"
)

#: The beginning of a request line that has no end where one has to be.
_ENDLESS = re.compile(rb"[A-Z]{3,16} [^ \t]+(?: [^ \t]*)?\Z")


class HttpWay:
    """See `chatroom.protocol.session.WayIn`."""

    name = "http"
    late = False

    def claims(self, head: bytes) -> bool | None:
        line = first_line(head)
        if line is not None:
            return _REQUEST_LINE.match(line) is not None
        if len(head) > MAX_LINE_BYTES:  # to be told so in its own protocol
            return _ENDLESS.match(head[:MAX_LINE_BYTES]) is not None
        return None

    def open(self, visit: Visit, *, entered: bool) -> Session:
        # Once, at the first: 15 ms of a start that a room without browsers need not wait for.
        from chatroom.protocol.http.session import HttpSession  # noqa: PLC0415 - see above

        return HttpSession(visit)

    def turn_away(self, refused: Refused) -> bytes:
        from chatroom.protocol.http.response import refuse  # noqa: PLC0415 - as above

        return refuse(refused)
