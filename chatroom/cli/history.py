"""`chatroom history`: what was said, from the journal's file."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chatroom.settings import DEFAULT_JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from chatroom.event import Event, Gap

_TIME_HELP = "a date, a date and time, a time of today, or so long ago: 90s, 10m, 2h, 3d, 1w."
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

#: Without another condition this many are shown: about a screen or two.
_LAST = 50


def history(
    journal: Annotated[
        str, typer.Option(envvar="CHATROOM_JOURNAL", metavar="FILE", help="The journal.")
    ] = DEFAULT_JOURNAL,
    last: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Only the newest N.",
            show_default=f"{_LAST}, with --since or --until all",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"From then on: {_TIME_HELP}")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Up to then, written like --since.")
    ] = None,
    nick: Annotated[
        str | None, typer.Option(metavar="NAME", help="What NAME said and did.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Texts with all of these words; word* is a beginning."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Events as JSON Lines.")] = False,
) -> None:
    """Show what was said, also while a server is running."""
    from pathlib import Path

    from chatroom.journal.browse import Wanted, browse

    if last is None and since is None and until is None:
        last = _LAST
    if search is not None and not search.strip("* "):
        raise typer.BadParameter("some word is needed", param_hint="--search")
    wanted = Wanted(
        last=last,
        since=_as_events_carry_it(since, "--since"),
        until=_as_events_carry_it(until, "--until"),
        same_nick=None if nick is None else _is_nick(nick),
        words=search,
    )
    render = _json if json else _line
    _show(render(event) for event in browse(Path(journal), wanted))


def _show(lines: Iterator[bytes]) -> None:
    import os

    try:
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; nor should Python complain when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json(event: Event | Gap) -> bytes:
    """The event's JSON; what would harm a terminal is an escape in it."""
    from chatroom.event import encode_event
    from chatroom.room.visible import json_safe

    return json_safe(encode_event(event))


def _line(event: Event | Gap) -> bytes:
    """One line for a person, with the local time; whoever wrote the text, or the file, it is safe
    for a terminal.
    """
    from datetime import datetime

    from chatroom.event import Gap
    from chatroom.protocol.plain.render import PLAIN
    from chatroom.room.visible import visible

    if isinstance(event, Gap):
        return f"-- {event.text}".encode()
    said = PLAIN.event(event, b"").decode().removesuffix("\n")
    when = datetime.fromisoformat(event.time).astimezone()
    return f"{when:%Y-%m-%d %H:%M:%S} {visible(said)}".encode()


def _is_nick(name: str) -> Callable[[str], bool]:
    """Whether another name is the same, by the rule of the room."""
    from chatroom.room.nick import NickInvalid, parse_nick

    try:
        _, key = parse_nick(name)
    except NickInvalid as error:
        raise typer.BadParameter(str(error), param_hint="--nick") from None

    def same(other: str) -> bool:
        try:
            return parse_nick(other)[1] == key
        except NickInvalid:
            return False

    return same


def _as_events_carry_it(time: str | None, option: str) -> str | None:
    from datetime import UTC

    if time is None:
        return None
    return f"{_moment(time, option).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _moment(time: str, option: str) -> datetime:
    from datetime import UTC, datetime, timedelta

    try:
        if ago := re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smhdw])", time):
            amount, unit = ago.groups()
            return datetime.now(UTC) - timedelta(**{_UNITS[unit]: float(amount)})
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?", time):
            time = f"{datetime.now().astimezone():%Y-%m-%d} {time}"
        return datetime.fromisoformat(time).astimezone()  # without a zone it is the local time
    except (ValueError, OverflowError):
        text = f"{time} is not a time; write {_TIME_HELP}"
        raise typer.BadParameter(text, param_hint=option) from None
