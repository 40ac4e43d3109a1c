"""What can go wrong for a client, each with the code that the protocol has for it."""

from __future__ import annotations

from chatroom.errors import ChatroomError
from chatroom.room.visible import visible


class RoomError(ChatroomError):
    """The room refused something, or can't be reached; `code` is a word to act on.

    Most codes are the protocol's (`text_too_long`, `nick_taken`, `too_fast`, …); those that arise
    here are `unreachable`, `lost`, `unconfirmed` and the reasons of a `bye`.

    Text and code are `visible`: a server says most of them, and whoever catches an error prints it.
    """

    code = "error"

    def __init__(self, text: str, *, code: str | None = None) -> None:
        super().__init__(visible(text))
        if code is not None:
            self.code = visible(code)


class NickTaken(RoomError):
    """Somebody in the room has this nick."""

    code = "nick_taken"


class NickInvalid(RoomError):
    """A nick can't be written like this."""

    code = "nick_invalid"


class TextTooLong(RoomError):
    """The text has more bytes than `room.text_limit_bytes`; nobody got it."""

    code = "text_too_long"


class TextEmpty(RoomError):
    """There is nothing to say in an empty text."""

    code = "text_empty"


class TooFast(RoomError):
    """The room takes no more from this client for a moment; nobody got it."""

    code = "too_fast"


class RoomFull(RoomError):
    """The server has as many clients as it takes."""

    code = "room_full"


class LoginNeeded(RoomError):
    """Nobody gets into this room who does not say its secret, or log in to an account."""

    code = "login_needed"


class LoginFailed(RoomError):
    """The secret is another one, or there is no such account, or its password is another one."""

    code = "login_failed"


class NotEncrypted(RoomError):
    """Others could read what is to be said to a server on another machine: it takes TLS."""

    code = "not_encrypted"


class Banned(RoomError):
    """An operator has said that one is to stay away."""

    code = "banned"


class Muted(RoomError):
    """One may listen, and not talk; nobody got it."""

    code = "muted"


class NotStored(RoomError):
    """The room has it, but the server's disk has not: it will be missing in the history."""

    code = "not_stored"


class Unreachable(RoomError):
    """No connection can be made, or what answers is no chatroom server."""

    code = "unreachable"


class KeyChanged(RoomError):
    """The server shows another certificate than the one that is known or was asked for."""

    code = "key_changed"


class Unconfirmed(RoomError):
    """The connection broke before the answer came, and whether the room got it can't be known."""

    code = "unconfirmed"


class RoomClosed(RoomError):
    """The connection has ended and does not come back; `code` is `lost` or the server's reason."""

    code = "lost"


_BY_CODE: dict[str, type[RoomError]] = {
    error.code: error
    for error in (
        NickTaken,
        NickInvalid,
        TextTooLong,
        TextEmpty,
        TooFast,
        RoomFull,
        LoginNeeded,
        LoginFailed,
        NotEncrypted,
        Banned,
        Muted,
        NotStored,
    )
}


def from_code(code: str, text: str) -> RoomError:
    """The error for a code of the protocol; one without a class of its own is a `RoomError`."""
    return _BY_CODE.get(code, RoomError)(text, code=code)
