"""Planted in answers: the feed's, IRC's, and what operators and the administrator are told."""

from tests.mutants.mutant import Mutant

_FEED = ("tests/feed/test_serving.py",)
_HISTORY = ("tests/irc/test_history.py",)

ANSWERS = (
    Mutant(
        "a new session has the last one's messages",
        "chatroom/feed/broadcast.py",
        "        self._store.clear(first_seq)\n",
        "",
        _FEED,
    ),
    Mutant(
        "a key that was revoked shortens the next one's time",
        "chatroom/feed/broadcast.py",
        "            self._sealer.revoke()\n"
        "            self._keys_until = trio.current_time() + KEY_SECONDS\n",
        "            self._sealer.revoke()\n",
        _FEED,
    ),
    Mutant(
        "a flood of requests has no pause",
        "chatroom/feed/broadcast.py",
        "is_flood = self._answer_some() == REQUESTS_AT_ONCE",
        "is_flood = self._answer_some() > REQUESTS_AT_ONCE",
        _FEED,
    ),
    Mutant(
        "history has no limit",
        "chatroom/protocol/irc/history.py",
        "return min(int(text), IRC_HISTORY) or IRC_HISTORY",
        "return int(text) or IRC_HISTORY",
        _HISTORY,
    ),
    Mutant(
        "who is not in the channel learns when there was talk",
        "chatroom/protocol/irc/history.py",
        "if client.joined and start[:23]",
        "if start[:23]",
        _HISTORY,
    ),
    Mutant(
        "a newcomer has the whole history read",
        "chatroom/protocol/irc/history.py",
        ", TALK, pages=FEW_PAGES)",
        ", TALK)",
        _HISTORY,
    ),
    Mutant(
        "only the first line of a long list is in its batch",
        "chatroom/protocol/irc/asked.py",
        "if texts and not self.label:",
        "if texts:",
        ("tests/irc/test_capabilities.py",),
    ),
    Mutant(
        "the last page of the bans is never the last",
        "chatroom/server/turn/operators.py",
        "more = request.offset + len(page) < len(bans)",
        "more = len(page) < len(bans)",
        ("tests/server/test_operators.py",),
    ),
    Mutant(
        "the quietest are named as the busiest",
        "chatroom/server/administration.py",
        "key=lambda item: item[1], reverse=True)",
        "key=lambda item: item[1])",
        ("tests/access/test_control.py",),
    ),
    Mutant(
        "what was said before one looks counts",
        "chatroom/server/administration.py",
        "connection.received_bytes - before.get(connection, 0)",
        "connection.received_bytes",
        ("tests/access/test_control.py",),
    ),
    Mutant(
        "what was cut out counts as sent",
        "chatroom/server/fanout/audience.py",
        "len(framed) * (len(sends) - len(edits))",
        "len(framed) * len(sends)",
        ("tests/server/test_audience.py",),
    ),
    Mutant(
        "the boot's id is not looked at where systemd tells it",
        "chatroom/journal/mark.py",
        'boot_id = os.environb.get(b"CHATROOM_BOOT_ID") or BOOT_ID.read_bytes()',
        'boot_id = b"" if b"CHATROOM_BOOT_ID" in os.environb else BOOT_ID.read_bytes()',
        ("tests/journal/test_mark.py",),
    ),
    Mutant(
        "a bye does not wait for the acks that are due",
        "chatroom/server/fanout/farewell.py",
        "if connection.owed and reason not in _DEAF:",
        "if False and reason not in _DEAF:",
        ("tests/journal/test_last_acks.py",),
    ),
    Mutant(
        "a bye comes with the first of several acks",
        "chatroom/server/fanout/farewell.py",
        "if not connection.owed and connection in self._waiting:",
        "if connection in self._waiting:",
        ("tests/server/test_farewell.py",),
    ),
    Mutant(
        "a bye waits for acks as long as it takes",
        "chatroom/server/fanout/farewell.py",
        "with trio.move_on_after(seconds):",
        "with trio.move_on_after(60.0):",
        ("tests/journal/test_last_acks.py",),
    ),
)
