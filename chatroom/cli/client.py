"""`chatroom client`: the room for a person at a terminal, and for shell scripts."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chatroom.cli.numbers import refuse_nan
from chatroom.settings import DEFAULT_GROUP, DEFAULT_HOST, DEFAULT_PORT

if TYPE_CHECKING:
    from chatroom.client.options import ConnectOptions


class ClientMode(StrEnum):
    tcp = "tcp"
    multicast = "multicast"


def client(
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="Say this, and end when it is acked.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHATROOM_HOST",
            metavar="HOST[:PORT]",
            show_default=DEFAULT_HOST,
            help="Address or name of the server, unix:PATH, or ws://HOST:PORT/ws; several times"
            " for a room on several servers.",
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_PORT", min=1, max=65535, help="Its TCP port, where none is with it."
        ),
    ] = DEFAULT_PORT,
    nick: Annotated[
        str | None,
        typer.Option(envvar="CHATROOM_NICK", help="Your name; without it you are a guest."),
    ] = None,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            envvar="CHATROOM_CLIENT_TLS",
            help="Encrypted; whom no authority vouches for is known by its key, as with SSH.",
        ),
    ] = False,
    tls_ca: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_TLS_CA",
            metavar="FILE",
            show_default="this machine's",
            help="Encrypted; this authority (PEM) has to vouch for the server.",
        ),
    ] = None,
    tls_fingerprint: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_TLS_FINGERPRINT",
            metavar="sha256:…",
            show_default="none",
            help="Encrypted; the server's certificate has to be this one.",
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_ACCOUNT", help="Log in to this account; its password is asked for."
        ),
    ] = None,
    password_command: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_PASSWORD_COMMAND",
            metavar="COMMAND",
            show_default="the keyring's, if there is one",
            help="A command whose first line of output is the password.",
        ),
    ] = None,
    secret_file: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_SECRET_FILE",
            metavar="FILE",
            help="Its first line is the room's secret; nobody else may be able to read it.",
        ),
    ] = None,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON Lines.")] = False,
    last: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1000,
            show_default="20 on a terminal, else 0",
            help="Events of the past to show at the beginning.",
        ),
    ] = None,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--no-follow",
            show_default="as above",
            help="Whether to go on listening when the input has ended.",
        ),
    ] = None,
    retry: Annotated[
        float | None,
        typer.Option(
            callback=refuse_nan,
            min=0,
            metavar="SECONDS",
            show_default="for ever on a terminal, else 30",
            help="How long to try to come back when the connection is lost.",
        ),
    ] = None,
    mode: Annotated[
        ClientMode, typer.Option(help="Talk over TCP, or only listen to the multicast feed.")
    ] = ClientMode.tcp,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP[:PORT]",
            show_default=f"{DEFAULT_GROUP}, port: the TCP port + 1",
            help="With multicast: the feed's group; several times where several have the same.",
        ),
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|NAME", show_default="loopback", help="With multicast: where to listen."
        ),
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            show_default="where the feed comes from, the feed's port + 1",
            help="With multicast: where to ask for what is missing.",
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="live|N|start", help="With multicast: the first event wanted."
        ),
    ] = "live",
) -> None:
    """Talk in a room.

    On a terminal: type, and read. Tab completes names and commands, /help lists the commands,
    Ctrl-D leaves.

    On a pipe: each line of the input is a message (a / has no meaning), each event is a line of
    the output. When the input has ended and every line is acked the program ends; if there was no
    input at all, as with < /dev/null, it goes on listening until Ctrl-C or the end of the server.

    With --mode multicast: each event of the feed is a line, also where some are lost for good;
    /stats on a terminal, and stderr at the end, tell what was missing and what was repaired.

    Exit code: 0 after a clean end; 1 when the room cannot be entered, is lost for good, or
    refused a line, or when it was stopped before all that it had read was acked.
    """
    from functools import partial

    import trio

    from chatroom.cli.trust import tls_wanted
    from chatroom.client.options import ConnectOptions

    on_terminal = _on_terminal() and not json
    if retry is None and not on_terminal:
        retry = 30.0
    hosts = host or [DEFAULT_HOST]
    options_of = partial(
        ConnectOptions,
        hosts=hosts,
        port=port,
        nick=nick,
        resume=True,
        give_up_seconds=retry,
        tls=tls_wanted(tls=tls, authority=tls_ca, fingerprint=tls_fingerprint),
        secret=None if secret_file is None else _secret(secret_file),
        account=account,
        password=_password(account, password_command, _first_server(hosts, port)),
    )
    if mode is ClientMode.multicast:
        if message is not None:
            raise typer.BadParameter("the feed is to listen only: leave MESSAGE or --mode out")
        from chatroom.cli.listening import ListeningOptions, listen_to_feed

        rooms = [options_of(hosts=[one]) for one in hosts]
        asks = bool(rooms[0].credentials or rooms[0].tls) or hosts != [DEFAULT_HOST]
        listen_to_feed(
            ListeningOptions(port, group or (), interface, request, start, rooms if asks else ()),
            on_terminal=on_terminal,
            color=not no_color,
            json=json,
        )
        return
    if message is not None:
        from chatroom.client.terminal.pipe import say_once

        trio.run(say_once, options_of(receive=False, presence=False), message)
    elif on_terminal:
        _at_terminal(options_of(echo=True), color=not no_color, last=20 if last is None else last)
    else:
        from chatroom.client.terminal.pipe import PipeSettings, converse_on_pipe

        settings = PipeSettings(json=json, last=last or 0, follow=follow)
        status = trio.run(converse_on_pipe, options_of(), settings)
        if status:
            raise typer.Exit(status)


def _on_terminal() -> bool:
    """Whether there is a person at both ends, and a terminal that can do more than type."""
    import os

    from chatroom.client.terminal.streams import STDIN, STDOUT

    return os.isatty(STDIN) and os.isatty(STDOUT) and os.environ.get("TERM", "dumb") != "dumb"


def _at_terminal(options: ConnectOptions, *, color: bool, last: int) -> None:
    import os
    from functools import partial

    import trio

    from chatroom.client.terminal.colours import Colours
    from chatroom.client.terminal.conversation import converse

    colours = Colours.for_terminal(os.environ, wanted=color)
    trio.run(partial(converse, options, colours=colours, last=last))


def _first_server(hosts: list[str], port: int) -> str:
    """The first of them, `host:port`, once all are known to be such. Raises
    `typer.BadParameter`.
    """
    from chatroom.client.options import ConnectOptions

    try:
        return str(ConnectOptions(hosts=hosts, port=port).address)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--host'") from None


def _secret(path: str) -> str:
    from chatroom.access.secret import read_secret

    return read_secret(path)


def _password(account: str | None, command: str | None, where: str) -> str | None:
    """The password of the account, never from the command line. Raises `ChatroomError`."""
    from chatroom.cli.password import ask, from_command, from_keyring

    if account is None:
        if command is not None:
            raise typer.BadParameter("give --account too.", param_hint="'--password-command'")
        return None
    if command is not None:
        return from_command(command)
    return from_keyring(account, where) or ask(account)
