"""Planted in what the room decides: names, voices, mutes and bans."""

from tests.mutants.mutant import Mutant

_TESTS = ("tests/room",)

ROOM = (
    Mutant(
        "a voice stays with the name that was given up",
        "chatroom/room/room.py",
        "            self._state.voices.remove(member.key)\n",
        "",
        _TESTS,
    ),
    Mutant(
        "a voice is inherited from who has left",
        "chatroom/room/state.py",
        "        self.voices.discard(member.key)\n",
        "",
        _TESTS,
    ),
    Mutant(
        "a mute that is over can be lifted",
        "chatroom/room/state.py",
        "        del self.mutes[member.key]\n",
        "",
        _TESTS,
    ),
    Mutant(
        "who is muted talks by going",
        "chatroom/room/room.py",
        "text = self._state.last_words(member, leave.text, leave.time)",
        "text = leave.text",
        _TESTS,
    ),
    Mutant(
        "joins are announced again while the room closes",
        "chatroom/room/state.py",
        "if not self.closing and len(self.members) * 2",
        "if len(self.members) * 2",
        _TESTS,
    ),
    Mutant(
        "the nick of a new account is anybody's",
        "chatroom/room/room.py",
        "account, join.role, join.address\n        self._own(join.account)\n",
        "account, join.role, join.address\n",
        _TESTS,
    ),
    Mutant(
        "who logs in does not own its nick",
        "chatroom/room/room.py",
        "log_in.role\n        self._own(log_in.account)\n",
        "log_in.role\n",
        _TESTS,
    ),
    Mutant(
        "a ban of an address never ends",
        "chatroom/room/bans.py",
        "if peer in network and ban.holds(now):",
        "if peer in network:",
        _TESTS,
    ),
    Mutant(
        "a ban by itself is lifted with a nick",
        "chatroom/room/bans.py",
        "if old_one is None or old_one.nick:",
        "if True:",
        _TESTS,
    ),
    Mutant(
        "a name that is reserved takes no place",
        "chatroom/room/room.py",
        "if self.names_held - (holder",
        "if len(self._members) - (holder",
        _TESTS,
    ),
    Mutant(
        "who is banned comes in under the name that it had reserved",
        "chatroom/room/room.py",
        "self._check_ban(Newcomer(member.key, member.account, member.address), join.time)",
        "pass",
        (*_TESTS, "tests/irc"),
    ),
    Mutant(
        "a snapshot turns the speakers round",
        "chatroom/room/snapshot.py",
        "in reversed(snapshot.members)",
        "in snapshot.members",
        _TESTS,
    ),
)
