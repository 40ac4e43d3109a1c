"""The multicast group that an option names."""

from __future__ import annotations

import typer


def parse_group(text: str, option: str) -> tuple[str, int | None]:
    """The group and port that an option names. Raises `typer.BadParameter`."""
    from chatroom.feed.group import split_group

    try:
        return split_group(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint=f"'{option}'") from None
