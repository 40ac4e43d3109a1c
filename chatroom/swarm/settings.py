"""What a swarm is asked to do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

#: What a host begins with that is a Unix socket.
UNIX = "unix:"


class SwarmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The work of one run. Checked where it comes from, which is the command line."""

    host: str = "127.0.0.1"  #: or `unix:PATH`
    port: int = 9009
    #: Hosts and ports of the servers of one room, each with processes of its own; empty: `host`.
    servers: Sequence[tuple[str, int]] = ()
    mode: str = "tcp"
    dialect: str = "plain"  #: the name of a dialect; `--format` for this project's own server
    bots: int = 100
    talkers: int = 1  #: so many of the bots talk
    rate: float | None = 10.0  #: messages a second, all talkers together; None with `in_flight`
    in_flight: int | None = None  #: so many messages are on their way at any time
    ramp: float = 5000.0  #: connections begun in a second
    warmup_seconds: float = 1.0  #: the load runs, nothing is measured
    duration_seconds: float = 10.0
    size: int = 100  #: bytes of text in each message
    processes: int = 1
    #: Of the feed, with mode multicast; None: where the server sends by default.
    group: str | None = None
    feed_port: int | None = None
    interface: str | None = None
    #: Newcomers who connect all at once a quarter into the measured time, and only listen.
    #: The schema of `run.json` calls it `storm`.
    newcomers: int = msgspec.field(default=0, name="storm")
    formats: int = 1  #: that the processes of a server take turns with

    @property
    def place(self) -> str:
        """Where the server is, or the servers are, for people."""
        if self.servers:
            return ", ".join(_place(host, port) for host, port in self.servers)
        return _place(self.host, self.port)

    def at(self, rank: int) -> SwarmSettings:
        """The work of one process, whose bots are all on one server: so its figures are that
        server's, and the witnesses of all processes tell whether there is one order.
        """
        if not self.servers:
            return self
        # Each server has all of the formats, which change from process to process.
        host, port = self.servers[rank // self.formats % len(self.servers)]
        return msgspec.structs.replace(self, host=host, port=port, servers=())

    @property
    def unix_path(self) -> str | None:
        """The Unix socket of the server, where `host` names one."""
        return self.host.removeprefix(UNIX) if self.host.startswith(UNIX) else None

    @property
    def witness_apart(self) -> bool:
        """Do all bots talk? Then one more connection only listens, for the audit."""
        return self.talkers >= self.bots and not self.multicast

    @property
    def multicast(self) -> bool:
        """Do the bots listen to the feed? Then the talkers are others, on TCP."""
        return self.mode == "multicast"


def _place(host: str, port: int) -> str:
    if host.startswith(UNIX):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
