"""`chatroom client --mode multicast`: from options to the listener."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

import trio
import typer

from chatroom.cli.groups import parse_group
from chatroom.client.feed.listening import listen_with
from chatroom.client.options import ConnectOptions
from chatroom.client.terminal.colours import Colours
from chatroom.errors import ChatroomError
from chatroom.feed.group import split_host_port
from chatroom.feed.listener import Listener, ListenOptions, Place, open_listener


class ListeningOptions(NamedTuple):
    """The options, as typed."""

    tcp_port: int
    groups: Sequence[str]
    interface: str | None
    request: str | None
    start: str
    #: Who say where the feed is, and by which keys it opens.
    rooms: Sequence[ConnectOptions] = ()

    def opening(self) -> AbstractAsyncContextManager[Listener]:
        """The listener, to be entered. Raises `typer.BadParameter`."""
        options = self._options()
        groups = [parse_group(group, "--group") for group in self.groups]
        if self.rooms:
            port = self.tcp_port + 1 if groups else None
            return listen_with(self.rooms, options, groups or None, port)
        usual = self.tcp_port + 1
        places = [Place(group, port or usual) for group, port in groups]
        return open_listener(options, places or [Place(port=usual)])

    def _options(self) -> ListenOptions:
        if self.request is not None:
            try:
                split_host_port(self.request)
            except ValueError as error:
                raise typer.BadParameter(f"{error}.", param_hint="'--request'") from None
        return ListenOptions(
            interface=self.interface,
            request=self.request,
            start=self._first(),
        )

    def _first(self) -> int | None:
        match self.start:
            case "live":
                return None
            case "start":
                return 1
            case number if number.isdecimal() and int(number) > 0:
                return int(number)
        raise typer.BadParameter(
            f"{self.start!r} is neither live, start nor a number.", param_hint="'--from'"
        )


def listen_to_feed(
    listening: ListeningOptions, *, on_terminal: bool, color: bool, json: bool
) -> None:
    """Show or print the feed until its reader leaves. Raises `ChatroomError`."""
    opening = listening.opening()
    try:
        if on_terminal:
            from chatroom.client.feed.screen import listen_at_terminal

            colours = Colours.for_terminal(os.environ, wanted=color)
            trio.run(partial(listen_at_terminal, opening, colours=colours))
        else:
            from chatroom.client.feed.pipe import listen_on_pipe

            trio.run(partial(listen_on_pipe, opening, json=json))
    except OSError as error:
        raise ChatroomError(f"cannot listen to the feed: {error.strerror or error}") from error
