"""Planted in the one order."""

from tests.mutants.mutant import Mutant

_TESTS = (
    "tests/server/test_broadcaster.py",
    "tests/server/test_conversation_json.py",
    "tests/server/test_conversation_plain.py",
    "tests/server/test_one_order.py",
    "tests/server/test_catching_up.py",
    "tests/server/test_inlet.py",
    "tests/server/test_endings.py",
)
_TESTS_2 = (
    "tests/room",
    "tests/server/test_broadcaster.py",
    "tests/server/test_conversation_json.py",
    "tests/server/test_conversation_plain.py",
    "tests/server/test_one_order.py",
    "tests/server/test_catching_up.py",
    "tests/server/test_inlet.py",
    "tests/server/test_endings.py",
)

ORDER = (
    Mutant(
        "a read overtakes what waits",
        "chatroom/server/turn/broadcaster.py",
        "if not self._inlet.waiting and self._last_batch_reads",
        "if self._last_batch_reads",
        _TESTS,
    ),
    Mutant(
        "a batch is dealt with backwards",
        "chatroom/server/turn/broadcaster.py",
        "for read in batch])",
        "for read in reversed(batch)])",
        _TESTS,
    ),
    Mutant(
        "reads are forgotten in the count of those that wait",
        "chatroom/server/turn/broadcaster.py",
        "inlet.waiting -= len(batch)",
        "inlet.waiting = 0",
        _TESTS,
    ),
    Mutant(
        "a query is not waited for",
        "chatroom/server/turn/broadcaster.py",
        "            await done.wait()",
        "            pass",
        _TESTS,
    ),
    Mutant(
        "a cancelled read is lost",
        "chatroom/server/turn/inlet.py",
        "                await self._send.send(read)\n            if patience",
        "                pass\n            if patience",
        _TESTS,
    ),
    Mutant(
        "a batch has no bound",
        "chatroom/server/turn/inlet.py",
        "len(batch) < BATCH_READS and weight < BATCH_WEIGHT",
        "True",
        _TESTS,
    ),
    Mutant(
        "a number is left out",
        "chatroom/room/room.py",
        "event = Event(state.seq + 1, time, kind, member.nick, text)\n        if notice:",
        "event = Event(state.seq + 2, time, kind, member.nick, text)\n        if notice:",
        _TESTS_2,
    ),
    Mutant(
        "a rename has the number before it",
        "chatroom/room/room.py",
        "        self._state.seq += 1\n        return Outcome(Event(self._state.seq, time",
        "        return Outcome(Event(self._state.seq, time",
        _TESTS_2,
    ),
)
