"""What stands in the log that several servers share, and what comes of it. Sans I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from chatroom.room.charter import Charter
from chatroom.room.commands import Command, Outcome

#: Of the entries and of the snapshot. Servers that speak different ones can't share a room: each
#: must do the same with the same entry. Raise it when that changes.
VERSION = 2

#: Commands in an entry: what a busy turn has, in some 60 KB.
MAX_COMMANDS = 512

#: Of text in an entry, unless one command alone has more: 128 KB at most.
MAX_CHARACTERS = 32 * 1024

#: An epoch's members have numbers of their own: `epoch << EPOCH_SHIFT | number`.
EPOCH_SHIFT = 32

#: So those numbers have 63 bits. A higher epoch is none.
MAX_EPOCH = 2**31 - 1


class Position(NamedTuple):
    """Where in the log: an entry's id in Redis. The log's own clock, and a number within."""

    ms: int  #: since 1970, by the clock of whatever keeps the log
    number: int


#: Before the first entry.
ORIGIN = Position(0, 0)


class Rules(msgspec.Struct, frozen=True):
    """What all servers must agree on to decide alike; those of the last that entered hold."""

    max_members: int
    presence_limit: int
    governed: bool = False


class Origin(msgspec.Struct, frozen=True):
    """Who wrote an entry: one server, in the time from one entering to its end."""

    server: str
    epoch: int  #: no other entering into this log has it


class Enter(msgspec.Struct, frozen=True, tag=str.lower):
    """A server begins, or begins again after it was held for gone."""

    origin: Origin
    instance: str  #: the process: another one of the same name has to wait until this is gone
    addresses: tuple[str, ...]  #: where clients find it
    rules: Rules
    run: str  #: which life of the log's keeper it talks to
    proven: bool  #: the keeper cannot have lost anything from one life to the next
    heard: int  #: the highest number that it has ever given out
    lost: str  #: the session in which it applied entries that the log has no more; or empty
    session: str  #: the name of a new one, should it come to that
    charter: Charter  #: what a new room begins with


class Resume(msgspec.Struct, frozen=True, tag=str.lower):
    """A server that is here, and misses nothing, talks to another life of the log's keeper."""

    origin: Origin
    run: str  #: this and the rest as in `Enter`
    proven: bool
    heard: int
    session: str


class Batch(msgspec.Struct, frozen=True, tag=str.lower):
    """What a server asks of the room, at most `MAX_COMMANDS`; without commands it is a heartbeat.

    The commands' `time` is not looked at: that of the entry holds.
    """

    origin: Origin
    counter: int  #: 1, 2, 3, … in each epoch; the next is applied, any other is ignored
    commands: tuple[Command, ...] = ()


class Quit(msgspec.Struct, frozen=True, tag=str.lower):
    """A server ends in good order: whoever is left on it leaves with `shutdown`."""

    origin: Origin
    counter: int  #: as in `Batch`


Entry = Enter | Resume | Batch | Quit

encode_entry = msgspec.msgpack.Encoder().encode

_decode: Callable[[bytes], Entry] = msgspec.msgpack.Decoder(Entry).decode


def decode_entry(data: bytes) -> Entry:
    """What `encode_entry` has made of it. Raises `ValueError` for anything else."""
    try:
        return _decode(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class Done(NamedTuple):
    """A command, and what the room made of it."""

    command: Command
    outcome: Outcome


class Applied(NamedTuple):
    """What came of an entry; the same on every server."""

    position: Position
    entry: Entry
    #: It counts. If not it was written by who is held for gone, or it stands in the log already, or
    #: before it something is missing that its writer will write again.
    valid: bool = True
    time: str = ""  #: of all its events
    #: Those whose server is gone (or, by a `Quit`, goes) leave, before anything is `done`.
    lost: tuple[Done, ...] = ()
    gone: tuple[Origin, ...] = ()  #: those servers, for whatever reason
    #: The entry's commands, one for one.
    done: tuple[Done, ...] = ()
    #: Before all else a new session began: its first number is one above this. None: none did.
    began_after: int | None = None
