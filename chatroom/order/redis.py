"""A log kept in Redis (7 or newer) or Valkey, in a stream. Importing this takes half a second.

CLUSTER.md lists the keys.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import trio
from coredis.exceptions import (
    AuthenticationError,
    AuthenticationRequiredError,
    AuthorizationError,
    RedisError,
    ResponseError,
    WrongTypeError,
)

from chatroom.order.contract import MAX_EPOCH, ORIGIN, VERSION, Position
from chatroom.order.promises import read_promises
from chatroom.order.redis_connection import Connection, dial
from chatroom.order.store import (
    NO_VERSION,
    PAGE,
    AwayError,
    Extent,
    Keeping,
    NotKeptError,
    Row,
    UnfitError,
    UnusableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatroom.order.address import RedisAddress

#: For a connection and for an answer. A Redis that is alive needs some milliseconds.
ANSWER_SECONDS = 5.0

#: For all that a Sentinel has to do: there are others, and the first may be off.
SENTINEL_SECONDS = 1.0

#: How long a read waits for something to come; each server writes every second.
_READ_WAIT_MS = 1000

_FIELD = b"%d" % VERSION
_VERSION_DIGITS = 4

# These are words and no codes, as Redis 7.0.15 says them. Where a version says them otherwise, a
# log that is not there is waited for, and so is what stays as it is.

#: What Redis says of a stream that is not there.
_NO_KEY = "no such key"

#: And of what stays as it is.
_FINAL = frozenset({"DB index is out of range", "increment or decrement would overflow"})

#: Never an older snapshot in the place of a newer one, whoever is late; and what stands in the log
#: before the snapshot that one would begin with is not needed any more.
_KEEP = b"""
local function parts(id)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(number)
end
local kept = redis.call('HGET', KEYS[1], 'position')
if kept then
  local ms, number = parts(ARGV[1])
  local kept_ms, kept_number = parts(kept)
  if kept_ms > ms or (kept_ms == ms and kept_number >= number) then return 0 end
  redis.call('HSET', KEYS[1], 'before', redis.call('HGET', KEYS[1], 'state'),
             'before_position', kept)
  redis.call('XTRIM', KEYS[2], 'MINID', kept)
end
redis.call('HSET', KEYS[1], 'position', ARGV[1], 'state', ARGV[2])
return 1
"""


class RedisStore:
    """See `chatroom.order.store.Store`."""

    def __init__(self, address: RedisAddress, room: str, *, power: bool = False) -> None:
        """`power`: use only a Redis that loses nothing in a power failure."""
        self._address = address
        self._power = power
        self._sentinels = [*address.hosts]  # the one that answered last is asked first
        self.keys = Keys(room)

    @asynccontextmanager
    async def reach(self) -> AsyncIterator[RedisLink]:
        """See `Store.reach`."""
        async with trio.open_nursery() as nursery:
            with _translated():
                location = await self._locate(nursery)
                writing = await self._connect(nursery, location)
                promises = await read_promises(writing, failing_over=bool(self._address.service))
                promises.check(power=self._power)
                reading = await self._connect(nursery, location)
                await _answer(writing, b"EVAL", b"return 1", 0)  # else it is missed hours later
                await reading.read_oneself()
            yield RedisLink(writing, reading, self.keys, promises.keeping)
            nursery.cancel_scope.cancel()

    async def _locate(self, nursery: trio.Nursery) -> RedisAddress:
        """The address of the Redis itself, asked of the Sentinels where there are some."""
        address = self._address
        if not address.service:
            return address
        reason: Exception = AwayError(f"no Sentinel knows where {address.service} is")
        for host in self._sentinels:
            try:
                found = await self._ask_sentinel(nursery, host)
            except (AwayError, UnusableError) as error:  # another may do better
                reason = error
                continue
            if found:
                self._sentinels.remove(host)
                self._sentinels.insert(0, host)
                return address._replace(hosts=((found[0].decode(), int(found[1])),))
        raise reason

    async def _ask_sentinel(self, nursery: trio.Nursery, host: tuple[str, int]) -> Any:
        """Where it says that the Redis is; None: it does not know."""
        address = self._address._replace(hosts=(host,), db=0, username="", password="")
        with _translated(f"Sentinel {host[0]}:{host[1]}"), trio.fail_after(SENTINEL_SECONDS):
            connection = await self._connect(nursery, address)
            try:
                command = b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._address.service
                return await _answer(connection, *command)
            finally:
                connection.invalidate()

    async def _connect(self, nursery: trio.Nursery, address: RedisAddress) -> Connection:
        try:
            with trio.fail_after(ANSWER_SECONDS):
                connection = Connection(address, await dial(address))
                await nursery.start(connection.run)
        except trio.TooSlowError:
            if not address.tls:
                raise
            raise AwayError(f"{address} does not answer by TLS") from None  # as without it
        return connection


class Keys:
    """What a room has in Redis."""

    def __init__(self, room: str) -> None:
        self.log = f"chatroom:{room}:log"
        self.snapshot = f"chatroom:{room}:snapshot"
        self.epoch = f"chatroom:{room}:epoch"


class RedisLink:
    """See `chatroom.order.store.Link`. Two connections: one waits for news, one does the rest."""

    def __init__(
        self, writing: Connection, reading: Connection, keys: Keys, keeping: Keeping
    ) -> None:
        self.keeping = keeping
        self._writing = writing
        self._reading = reading
        self._keys = keys
        self._appended: deque[Awaitable[Any]] = deque()  # requests that are not answered yet
        self._news = trio.Event()  # of them

    def append(self, data: bytes, *, begins: bool = False) -> None:
        """See `Link.append`."""
        how = () if begins else (b"NOMKSTREAM",)
        entry = b"*", _FIELD, data
        request: Awaitable[Any]
        try:
            request = self._writing.create_request(b"XADD", self._keys.log, *how, *entry)
        except RedisError as error:
            request = _Failed(error)
        self._appended.append(request)
        self._news.set()

    async def read(self, after: Position, *, wait: bool) -> Sequence[Row]:
        """See `Link.read`."""
        block = (b"BLOCK", _READ_WAIT_MS) if wait else ()
        place = b"%d-%d" % after
        streams = (b"STREAMS", self._keys.log, place)
        command = (b"XREAD", b"COUNT", PAGE, *block, *streams)
        answer = await self._ask(self._reading, *command)
        return [] if answer is None else _rows(answer)

    async def extent(self) -> Extent:
        """See `Link.extent`."""
        with _translated(key=self._keys.log):
            try:
                said = await _answer(self._reading, b"XINFO", b"STREAM", self._keys.log)
            except ResponseError as error:
                if str(error) != _NO_KEY:
                    raise
                return Extent(0, 0, ORIGIN)
        last = _position(said[b"last-generated-id"])
        return Extent(said[b"entries-added"], said[b"length"], last)

    async def holds(self, position: Position) -> bool:
        """See `Link.holds`."""
        place = b"%d-%d" % position
        return bool(await self._ask(self._reading, b"XRANGE", self._keys.log, place, place))

    async def next_epoch(self) -> int:
        """See `Link.next_epoch`."""
        epoch = int(await self._ask(self._writing, b"INCR", self._keys.epoch))
        return epoch if epoch <= MAX_EPOCH else 0  # somebody else has been at it

    async def snapshots(self) -> Sequence[bytes]:
        """See `Link.snapshots`."""
        fields = b"before", b"state"
        answer = await self._ask(self._reading, b"HMGET", self._keys.snapshot, *fields)
        return [state for state in answer if state is not None]

    async def keep(self, position: Position, snapshot: bytes) -> None:
        """See `Link.keep`."""
        keys = 2, self._keys.snapshot, self._keys.log
        command = b"EVAL", _KEEP, *keys, b"%d-%d" % position, snapshot
        with _translated():
            try:
                await _answer(self._writing, *command)
            except ResponseError as error:
                raise NotKeptError(f"Redis: {error}") from None

    async def wait_broken(self) -> None:
        """See `Link.wait_broken`."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            while self._appended:
                with _translated(key=self._keys.log):
                    name = await self._appended.popleft()
                if name is None:
                    raise AwayError("Redis has the room's log no more")

    async def _ask(self, connection: Connection, *command: Any) -> Any:
        key = next(part for part in command if isinstance(part, str))
        with _translated(key=key):
            return await _answer(connection, *command)


class _Failed:
    """In the place of a request that could not be made."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __await__(self) -> Generator[None, None, None]:
        raise self._error
        yield  # which makes this a generator


async def _answer(connection: Connection, *command: Any) -> Any:
    with trio.fail_after(ANSWER_SECONDS + _READ_WAIT_MS / 1000):
        return await connection.ask(*command)


def _rows(answer: Any) -> list[Row]:
    """One stream's entries, as RESP3 has them."""
    ((_, entries),) = answer.items() if isinstance(answer, dict) else answer
    rows = []
    for name, fields in entries:
        rows.append(Row(_position(name), _version(fields[0]), fields[1]))
    return rows


def _version(field: bytes) -> int:
    """Of an entry with that field. Others may have put anything there."""
    return int(field) if len(field) <= _VERSION_DIGITS and field.isdigit() else NO_VERSION


def _position(name: bytes) -> Position:
    ms, _, number = name.partition(b"-")
    return Position(int(ms), int(number))


@contextmanager
def _translated(whose: str = "Redis", key: str = "") -> Iterator[None]:
    """The errors of Redis, or of what is named, and the network's, are ours from here on. `key`: it
    is asked about that.
    """
    try:
        yield
    except AuthenticationRequiredError:
        raise UnfitError(f"{whose} wants a password: --cluster-password-file FILE") from None
    except WrongTypeError:
        raise UnfitError(f"{whose}: {key} is of another type") from None
    except (AuthenticationError, AuthorizationError) as error:
        raise UnfitError(f"{whose} refuses this server: {error}") from None
    except trio.TooSlowError:
        raise AwayError(f"{whose} does not answer") from None
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        raise AwayError(f"{whose}: connection lost") from None
    except (RedisError, OSError) as error:
        said = str(error.__cause__ or error)
        raise (UnfitError if said in _FINAL else AwayError)(f"{whose}: {said}") from None
