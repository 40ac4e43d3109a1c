"""`chatroom admin`: what the administrator of the machine asks a running server for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from chatroom.settings import DEFAULT_JOURNAL, control_beside

admin = typer.Typer(
    name="admin",
    help="Look after a running server, by its control socket.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Journal = Annotated[
    str,
    typer.Option(envvar="CHATROOM_JOURNAL", metavar="FILE", help="The server's journal."),
]
_Control = Annotated[
    str | None,
    typer.Option(
        envvar="CHATROOM_CONTROL",
        metavar="PATH",
        show_default="the journal's, and .control",
        help="The server's control socket.",
    ),
]
_Nick = Annotated[str, typer.Argument(metavar="NICK")]
_Mask = Annotated[str, typer.Argument(metavar="NICK|ADDRESS[/BITS]|account:NAME")]
_Reason = Annotated[str, typer.Argument(metavar="[REASON]", show_default=False)]
_Time = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="For so long: 10m, 2h, 7d.", show_default="ever"),
]

#: A server answers within a second, unless it is stuck.
_PATIENCE_SECONDS = 15.0


@admin.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
    journal: _Journal = DEFAULT_JOURNAL,
    control: _Control = None,
) -> None:
    """Show who is there, who does not keep up reading, and who talks most."""
    import msgspec

    answer = _ask(journal, control, kind="status")
    if json:
        print(msgspec.json.encode(answer).decode())
    else:
        for line in _status_lines(answer):
            print(line)


@admin.command()
def kick(
    nick: _Nick, reason: _Reason = "", journal: _Journal = DEFAULT_JOURNAL, control: _Control = None
) -> None:
    """Close somebody's connection."""
    _do(journal, control, kind="kick", nick=nick, text=reason)


@admin.command()
def ban(
    mask: _Mask,
    reason: _Reason = "",
    time: _Time = None,
    journal: _Journal = DEFAULT_JOURNAL,
    control: _Control = None,
) -> None:
    """Show somebody out, and keep them out."""
    _do(journal, control, kind="ban", mask=mask, text=reason, seconds=_seconds(time))


@admin.command()
def unban(mask: _Mask, journal: _Journal = DEFAULT_JOURNAL, control: _Control = None) -> None:
    """Lift a ban."""
    _do(journal, control, kind="unban", mask=mask)


@admin.command()
def bans(journal: _Journal = DEFAULT_JOURNAL, control: _Control = None) -> None:
    """Show all bans."""
    for each in _ask(journal, control, kind="bans")["bans"]:
        until = f" until {each['until']}" if "until" in each else ""
        text = f": {each['text']}" if "text" in each else ""
        print(f"{each['mask']}{until}, by {each['by']} at {each['time']}{text}")


@admin.command()
def mute(
    nick: _Nick, time: _Time = None, journal: _Journal = DEFAULT_JOURNAL, control: _Control = None
) -> None:
    """Let a name listen, and not talk."""
    _do(journal, control, kind="mute", nick=nick, seconds=_seconds(time))


@admin.command()
def unmute(nick: _Nick, journal: _Journal = DEFAULT_JOURNAL, control: _Control = None) -> None:
    """Let a name talk again."""
    _do(journal, control, kind="unmute", nick=nick)


@admin.command()
def delete(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1)],
    journal: _Journal = DEFAULT_JOURNAL,
    control: _Control = None,
) -> None:
    """Take what was said in an event out of the history; its number stays."""
    _do(journal, control, kind="redact", of=seq)


@admin.command()
def topic(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Empty: none any more.")],
    journal: _Journal = DEFAULT_JOURNAL,
    control: _Control = None,
) -> None:
    """Say what the room is about."""
    _do(journal, control, kind="topic", text=text)


@admin.command()
def drain(journal: _Journal = DEFAULT_JOURNAL, control: _Control = None) -> None:
    """End the server in good order, as SIGTERM does."""
    _do(journal, control, kind="drain")


@admin.command()
def reload(journal: _Journal = DEFAULT_JOURNAL, control: _Control = None) -> None:
    """Read secret and accounts anew; who is here by an account that is gone is shown out."""
    _do(journal, control, kind="reload")


def _do(journal: str, control: str | None, **request: Any) -> None:
    print(_ask(journal, control, **request)["text"])


def _ask(journal: str, control: str | None, **request: Any) -> Mapping[str, Any]:
    """The server's answer. Raises `ChatroomError` if it refuses, or if there is none."""
    import msgspec

    from chatroom.errors import ChatroomError

    path = control or control_beside(journal)
    line = msgspec.json.encode({key: value for key, value in request.items() if value is not None})
    try:
        answer: Mapping[str, Any] = msgspec.json.decode(_exchange(path, line + b"\n"))
    except (OSError, msgspec.MsgspecError) as error:
        reason = getattr(error, "strerror", None) or "no answer"
        raise ChatroomError(
            f"no server answers at {path}: {reason}; give --control or --journal as it has them"
        ) from error
    if answer["kind"] == "error":
        raise ChatroomError(f"{answer['text']} ({answer['code']})")
    return answer


def _exchange(path: str, line: bytes) -> bytes:
    import socket

    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_PATIENCE_SECONDS)
        sock.connect(path)
        sock.sendall(line)
        with sock.makefile("rb") as lines:
            return lines.readline()


def _seconds(time: str | None) -> int | None:
    from chatroom.protocol.plain.operators import parse_seconds

    if time is None:
        return None
    seconds = parse_seconds(time)
    if seconds is None:
        raise typer.BadParameter("a time is written as 10m, 2h or 7d.", param_hint="'--for'")
    return seconds


def _status_lines(status: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{status['room']}: {status['members']} members, {status['connections']} connections,"
        f" the last event is #{status['seq']} of session {status['session']}"
    )
    if status["not_stored"]:
        yield f"{status['not_stored']} events could not be stored"
    slowed = ", ".join(f"{of} {count}" for of, count in sorted(status["slowed"].items()) if count)
    if slowed:
        yield f"held back now: {status['held_back']}; times that one was slowed down: {slowed}"
    ended = ", ".join(f"{count} {reason}" for reason, count in sorted(status["ended"].items()))
    yield f"connections that have ended: {ended or 'none'}"
    if status["turned_away"]:
        why = ", ".join(f"{count} {why}" for why, count in sorted(status["turned_away"].items()))
        yield f"newcomers turned away: {why}"
    yield from _named("slowest readers, and what waits for them", status["slowest"], "bytes")
    yield from _named("busiest talkers", status["busiest"], "bytes a second")


def _named(title: str, connections: list[dict[str, Any]], unit: str) -> Iterator[str]:
    yield f"{title}:" if connections else f"{title}: nobody"
    for each in connections:
        figure = each.get("waiting_bytes", each.get("bytes_per_second"))
        yield f"  {each['nick'] or '(not in the room)'} from {each['peer']}: {figure} {unit}"
