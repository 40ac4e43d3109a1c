"""The command line: options to settings, `trio.run`, exit codes; nothing else.

Exit codes: 0 a clean end, 1 something that the line on stderr tells how to put right, 2 usage.
Commands import what is heavy when they run, so that `chatroom --help` is quick.
"""

from __future__ import annotations

import sys
from typing import Annotated, TypeVar

import typer

from chatroom.cli.account import account
from chatroom.cli.admin import admin
from chatroom.cli.backup import backup
from chatroom.cli.client import client
from chatroom.cli.history import history
from chatroom.cli.serve import serve
from chatroom.cli.service import service
from chatroom.cli.streams import lost_output, open_standard_streams
from chatroom.cli.swarm import swarm
from chatroom.errors import ChatroomError

_E = TypeVar("_E", bound=BaseException)

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
app.command()(backup)
app.command()(swarm)
app.command()(service)
app.add_typer(account)
app.add_typer(admin)


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


#: What the command line itself complains of. Typer has it from Click, or from a copy of its own;
#: of both it exports only this descendant.
_UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]


def main() -> None:
    """Run the command line. Never returns; shows no traceback for what a user can put right."""
    open_standard_streams()
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except* ChatroomError as group:
        from chatroom.room.visible import visible  # of what a server or a file has said, too

        for line in dict.fromkeys(map(str, _leaves(group))):
            print(f"chatroom: {visible(line)}", file=sys.stderr)
        sys.exit(1)
    except* _UsageError as usage:
        for error in _leaves(usage):
            _explain(error)
        sys.exit(2)
    except* OSError as lost:
        text = lost_output(_leaves(lost))
        if text is None:
            raise
        if text:
            print(f"chatroom: {text}", file=sys.stderr)
        sys.exit(1)
    except* (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    sys.exit(status)


def _leaves(group: BaseExceptionGroup[_E]) -> list[_E]:
    leaves = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _explain(error: typer.BadParameter) -> None:
    text = error.format_message()
    if "\n" not in text:  # else it is a help page, where no command was named
        command = "chatroom" if error.ctx is None else error.ctx.command_path
        text = text.replace(": Value error, ", ": ")  # whose words those are no user knows
        text = f"chatroom: {text.rstrip('.')}; see {command} --help"
    print(text, file=sys.stderr)
