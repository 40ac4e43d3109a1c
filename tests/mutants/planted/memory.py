"""Planted in what is done where there is no memory."""

from tests.mutants.mutant import Mutant

_TURN = ("tests/server/test_no_memory.py",)
_JOURNAL = ("tests/journal/test_no_memory.py",)
_OUTBOX = ("tests/transport/test_no_memory.py",)
_AUDIENCE = ("tests/server/test_audience.py",)

MEMORY = (
    Mutant(
        "a number that nobody was told of is passed over",
        "chatroom/server/turn/mending.py",
        "        self._announcer.make_up(self._room.seq)\n",
        "",
        _TURN,
    ),
    Mutant(
        "a format that an event cannot be rendered for goes without it",
        "chatroom/server/fanout/fanout.py",
        "                    audience.add(record, besides)\n            except MemoryError:\n"
        "                audience.break_off()\n",
        "                    audience.add(record, besides)\n            except MemoryError:\n"
        "                pass\n",
        _TURN,
    ),
    Mutant(
        "a batch that cannot be sent is forgotten",
        "chatroom/server/fanout/fanout.py",
        "                audience.flush()\n            except MemoryError:\n"
        "                audience.break_off()\n",
        "                audience.flush()\n            except MemoryError:\n                pass\n",
        _TURN,
    ),
    Mutant(
        "an event is in the history before it can be told",
        "chatroom/server/fanout/fanout.py",
        "        self._blocks.append(block)\n        self._events.append(event)\n",
        "        self._events.append(event)\n        self._blocks.append(block)\n",
        _TURN,
    ),
    Mutant(
        "a batch that the journal did not take is forgotten",
        "chatroom/server/fanout/announcer.py",
        "            self._fanout.put_back(events, blocks)\n",
        "",
        _TURN,
    ),
    Mutant(
        "acks of a batch that the journal did not take are forgotten",
        "chatroom/server/fanout/announcer.py",
        "            self._acks = acks\n            raise\n",
        "            raise\n",
        _TURN,
    ),
    Mutant(
        "turns are taken on in a room in doubt",
        "chatroom/server/turn/broadcaster.py",
        "        self._fault = fault\n        self._turn = _refuse\n        self._scope.cancel()\n",
        "        pass\n",
        _TURN,
    ),
    Mutant(
        "who is closed by itself keeps the others' batch",
        "chatroom/server/fanout/audience.py",
        "            self.parts, self.length, self.edits, self._cuts = [], 0, {}, 0\n"
        "        except MemoryError as error:\n",
        "        except MemoryError as error:\n",
        _AUDIENCE,
    ),
    Mutant(
        "a batch that is on the disk is written again",
        "chatroom/journal/writer.py",
        "        if group[-1].events[-1].seq <= self._store.written_to:\n",
        "        if False:\n",
        _JOURNAL,
    ),
    Mutant(
        "a batch that was not taken is waited for",
        "chatroom/journal/sqlite.py",
        "            self._pending.pop()\n",
        "",
        _JOURNAL,
    ),
    Mutant(
        "nobody looks whether the writer has ended",
        "chatroom/journal/sqlite.py",
        "            if self._writer.fault is not None:\n",
        "            if False:\n",
        _JOURNAL,
    ),
    Mutant(
        "an outbox without memory says nothing to its reader",
        "chatroom/transport/epoll.py",
        "        shut(self.transport.sock, socket.SHUT_RDWR)\n",
        "",
        _OUTBOX,
    ),
    Mutant(
        "who could not be awoken is not waited for any more",
        "chatroom/transport/idle.py",
        "                awake(whose)\n",
        "                self.remove(descriptor)\n                awake(whose)\n",
        _OUTBOX,
    ),
)
