"""Planted in what several servers of one room share."""

from tests.mutants.mutant import Mutant

_WHOLE = ("tests/order/test_whole.py", "tests/order/test_shared.py")
_OUTAGES = ("tests/room/test_snapshot.py", "tests/cluster/test_outages.py")
_FOLLOWING = "chatroom/order/following.py"

SHARED_LOG = (
    Mutant(
        "a room that is read again keeps those it had",
        "chatroom/room/room.py",
        "        self._be(read(snapshot))\n",
        "        had = list(self._members)\n        self._be(read(snapshot))\n"
        "        for one in had:\n            self._members.add(one)\n",
        _OUTAGES,
    ),
    Mutant(
        "who is not in the room that was read again is taken to be",
        "chatroom/server/cluster/cluster.py",
        "connection.inside and connection.who not in known",
        "False",
        _OUTAGES,
    ),
    Mutant(
        "a room that begins anew gives members' numbers out again",
        "chatroom/order/attendance.py",
        "replica.epoch + 1, self._epoch + 1)",
        "replica.epoch + 1)",
        _WHOLE,
    ),
    Mutant(
        "a log that was cut in front of who was stopped is read on",
        _FOLLOWING,
        "len(rows) == PAGE or any(",
        "any(",
        _WHOLE,
    ),
    Mutant(
        "what another log begins with is applied",
        _FOLLOWING,
        "len(rows) == PAGE or any(isinstance(entry, Enter) for entry in entries)",
        "len(rows) == PAGE",
        _WHOLE,
    ),
    Mutant(
        "entries are not counted",
        _FOLLOWING,
        "if had != extent.added:",
        "if False:",
        _WHOLE,
    ),
    Mutant(
        "a heartbeat begins a log in the place of one that is gone",
        "chatroom/order/redis.py",
        'how = () if begins else (b"NOMKSTREAM",)',
        "how = ()",
        ("tests/order/test_redis.py",),
    ),
    Mutant(
        "who leaves waits for a room that has forgotten it",
        "chatroom/order/attendance.py",
        "self.stage = Stage.LEFT if self.is_leaving else Stage.OUTSIDE",
        "self.stage = self.stage if self.is_leaving else Stage.OUTSIDE",
        _WHOLE,
    ),
)
