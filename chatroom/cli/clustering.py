"""`chatroom serve --cluster`: this server's part in a room that is on several."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from chatroom.journal import Journal
    from chatroom.server.cluster.cluster import Cluster
    from chatroom.settings import ServerSettings

#: It stands in figures, in the log and in what `who` says.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")

#: Addresses of a server; more would only make each welcome longer.
_MOST_ADDRESSES = 8

_EVERYWHERE = frozenset({"", "0.0.0.0", "::", "*"})


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Where the room's log is, and who this server is in it."""

    url: str
    name: str
    addresses: tuple[str, ...]  #: where clients find it
    password_file: Path | None
    power: bool  #: only a log that survives a power failure will do

    @property
    def journal(self) -> str:
        """The file of a server that was not told another one."""
        return f"chatroom-{self.name}.db"


def is_chosen(context: typer.Context, parameter: str) -> bool:
    """Whether it was given, in whichever way."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name != "DEFAULT"


def cluster_options(
    url: str | None,
    name: str | None,
    advertised: Sequence[str],
    password_file: str | None,
    *,
    listens: tuple[str, int],
    power: bool,
) -> ClusterOptions | None:
    """What was chosen; None for one server alone. `listens`: the host and the port. Raises
    `typer.BadParameter`.
    """
    if url is None:
        for value, option in ((name, "--name"), (advertised, "--advertise")):
            if value:
                raise typer.BadParameter("give --cluster too.", param_hint=f"'{option}'")
        if password_file is not None:
            raise typer.BadParameter("give --cluster too.", param_hint="'--cluster-password-file'")
        return None
    if name is None or not _NAME.fullmatch(name):
        text = "each server of a cluster has a name of its own: up to 32 letters, digits, . _ -"
        raise typer.BadParameter(text, param_hint="'--name'")
    addresses = tuple(advertised)
    if not addresses and listens[1] and listens[0] not in _EVERYWHERE:
        host = f"[{listens[0]}]" if ":" in listens[0] else listens[0]
        addresses = (f"{host}:{listens[1]}",)
    if len(addresses) > _MOST_ADDRESSES or not all(map(_is_address, addresses)):
        text = f"at most {_MOST_ADDRESSES} addresses, each as HOST:PORT."
        raise typer.BadParameter(text, param_hint="'--advertise'")
    return ClusterOptions(
        url=url,
        name=name,
        addresses=addresses,
        password_file=None if password_file is None else Path(password_file),
        power=power,
    )


@asynccontextmanager
async def open_part(
    options: ClusterOptions | None, settings: ServerSettings, journal: Journal
) -> AsyncIterator[Cluster | None]:
    """This server in the room's log; None for one server alone. Blocks for the library. Raises
    `ChatroomError`, also in a group, if the log cannot be used.
    """
    if options is None:
        yield None
        return
    from chatroom.journal import new_session
    from chatroom.order.contract import Rules
    from chatroom.order.opening import open_store
    from chatroom.order.part import Part
    from chatroom.server.cluster.cluster import open_cluster
    from chatroom.server.entrance import Entrance

    charter = Entrance(settings.access).charter(journal.recent.last_seq)
    part = Part(
        room=settings.room,
        server=options.name,
        addresses=options.addresses,
        rules=Rules(settings.max_clients, settings.presence_limit, charter.governed),
        charter=charter,
        heard=journal.recent.last_seq,
        new_session=new_session,
    )
    store = open_store(
        options.url, settings.room, password_file=options.password_file, power=options.power
    )
    async with open_cluster(store, part, journal) as cluster:
        yield cluster


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and text.isprintable() and port.isdecimal() and 0 < int(port) < 65536
