"""`chatroom backup`: a copy of the journal while a server runs."""

from __future__ import annotations

from typing import Annotated

import typer

from chatroom.settings import DEFAULT_JOURNAL


def backup(
    copy: Annotated[
        str, typer.Argument(metavar="FILE", help="Where to; a file that is not there.")
    ],
    journal: Annotated[
        str, typer.Option(envvar="CHATROOM_JOURNAL", metavar="FILE", help="The journal.")
    ] = DEFAULT_JOURNAL,
) -> None:
    """Copy the journal to FILE, also while a server is running."""
    from pathlib import Path

    from chatroom.journal.backup import back_up

    size = back_up(Path(journal), Path(copy))
    typer.echo(f"{copy}: {size:,} bytes")
