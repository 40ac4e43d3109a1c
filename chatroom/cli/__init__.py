"""The command line: options to settings, `trio.run`, exit codes; nothing else.

Exit codes: 0 a clean end, 1 something that the line on stderr tells how to put right, 2 usage.
Commands import what is heavy when they run, so that `chatroom --help` is quick.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from chatroom.cli.client import client
from chatroom.cli.history import history
from chatroom.cli.serve import serve
from chatroom.cli.swarm import swarm
from chatroom.errors import ChatroomError

app = typer.Typer(
    name="chatroom",
    help="A low-latency group chat room for people and programs on one network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # without it --help does not import rich: 100 ms
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(client)
app.command()(history)
app.command()(swarm)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"chatroom {version('chatroom')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. Never returns; shows no traceback for what a user can put right."""
    try:
        app()
    except* ChatroomError as group:
        for line in dict.fromkeys(_texts(group)):
            print(f"chatroom: {line}", file=sys.stderr)
        sys.exit(1)
    except* KeyboardInterrupt:
        sys.exit(130)


def _texts(group: BaseExceptionGroup[ChatroomError]) -> list[str]:
    texts = []
    for error in group.exceptions:
        texts += _texts(error) if isinstance(error, BaseExceptionGroup) else [str(error)]
    return texts
