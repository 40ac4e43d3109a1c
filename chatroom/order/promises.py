"""What a Redis promises of what it is given, read from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from coredis.exceptions import ResponseError

from chatroom.order.store import AwayError, Keeping, UnusableError

if TYPE_CHECKING:
    from coredis.connection import BaseConnection

_OLDEST = (7, 0)

_SECTIONS = b"server", b"persistence", b"replication", b"memory"


class Promises(NamedTuple):
    """One life of a Redis."""

    run: str
    version: str
    role: str
    append_only: bool
    fsync: str  #: empty: it does not say
    eviction: str
    replicas: int
    failing_over: bool  #: another Redis may take its place, which need not know all

    def check(self, *, power: bool) -> None:
        """Raise `UnusableError` for a Redis that must not have the log, `AwayError` for a replica.

        Policies that only evict what has a time to live let the log be: it has none.
        """
        numbers = tuple(int(part) for part in self.version.split(".")[:2])
        if numbers < _OLDEST:
            raise UnusableError(f"Redis {self.version} is too old: 7.0 is needed")
        if self.role != "master":
            raise AwayError("this Redis is a replica")
        if self.eviction.startswith("allkeys"):
            raise UnusableError(
                f"Redis would throw the room's log away when memory is short: its maxmemory-policy "
                f"is {self.eviction}, set it to noeviction"
            )
        if power and self.survives != "power":
            raise UnusableError(
                "--durability power needs a Redis with appendonly yes and appendfsync always: "
                f"this one has {self._settings}"
            )

    @property
    def survives(self) -> str:
        """After what everything is still there: "power", "process" (its own end) or "nothing"."""
        if not self.append_only:
            return "nothing"
        return "power" if self.fsync == "always" else "process"

    @property
    def keeping(self) -> Keeping:
        """For those who use the log."""
        proven = self.survives == "power" and not self.failing_over
        replicas = f", {self.replicas} replicas" if self.replicas else ""
        return Keeping(self.run, self.survives, proven, f"{self._settings}{replicas}")

    @property
    def _settings(self) -> str:
        if not self.append_only:
            return "appendonly no"
        return f"appendonly yes, appendfsync {self.fsync or 'unknown'}"


async def read_promises(connection: BaseConnection, *, failing_over: bool) -> Promises:
    """Ask. Raises as the connection does."""
    # One by one: Redis 7 takes several sections, not every relative of it does.
    said: dict[str, str] = {}
    for section in _SECTIONS:
        answer: Any = await connection.create_request(b"INFO", section)
        text = answer.decode(errors="replace")
        said.update(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return Promises(
        run=said.get("run_id", ""),
        version=said.get("redis_version", "0"),
        role=said.get("role", ""),
        append_only=said.get("aof_enabled") == "1",
        fsync=await _fsync(connection),
        eviction=said.get("maxmemory_policy", ""),
        replicas=int(said.get("connected_slaves", 0)),
        failing_over=failing_over,
    )


async def _fsync(connection: BaseConnection) -> str:
    try:
        answer: Any = await connection.create_request(b"CONFIG", b"GET", b"appendfsync")
    except ResponseError:  # where others run it, it may not be asked
        return ""
    pairs = answer if isinstance(answer, dict) else dict(zip(*[iter(answer)] * 2, strict=True))
    return str(pairs.get(b"appendfsync", b"").decode())
