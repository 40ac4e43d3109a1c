"""Planted in how a journal is let go of, saved and begun anew while others have it open."""

from tests.mutants.mutant import Mutant

_TESTS = (
    "tests/journal/test_letting_go.py",
    "tests/journal/test_beginning_anew.py",
    "tests/journal/test_tampering.py",
)

LETTING_GO = (
    Mutant(
        "a journal begun anew takes the old one's index",
        "chatroom/journal/holding.py",
        "            elif begun_here:\n",
        "            elif not begun_here:\n",
        _TESTS,
    ),
    Mutant(
        "half a log counts as saved",
        "chatroom/journal/holding.py",
        "        return not is_read\n",
        "        return True\n",
        _TESTS,
    ),
    Mutant(
        "a log that was cut short while it was saved is given up",
        "chatroom/journal/holding.py",
        "                if is_read:\n                    self._seal.copied()\n",
        "                if is_read:\n                    pass\n",
        _TESTS,
    ),
    Mutant(
        "a file that was moved away lacks its log",
        "chatroom/journal/holding.py",
        "            if self._seal.lacks_log_only() or self._is_moved():\n",
        "            if self._seal.lacks_log_only():\n",
        _TESTS,
    ),
    Mutant(
        "what was overwritten and moved gets our log",
        "chatroom/journal/holding.py",
        "            and self._seal.is_intact_elsewhere()\n",
        "",
        _TESTS,
    ),
    Mutant(
        "a damaged log is saved",
        "chatroom/journal/seal.py",
        "            self._changed = self._changed or log.id == self._log.id\n",
        "",
        _TESTS,
    ),
    Mutant(
        "what took the place of a saved file is ours",
        "chatroom/journal/holding.py",
        "if self._state is not _State.RESCUED or self._lock.id != file_id(self.path):",
        "if self._state is not _State.RESCUED:",
        _TESTS,
    ),
    Mutant(
        "what is begun by halves stays",
        "chatroom/journal/holding.py",
        "                self._give_lock_back(begun_here=True)\n"
        "                self._state = _State.GONE\n",
        "                pass\n",
        _TESTS,
    ),
    Mutant(
        "another file's log is deleted",
        "chatroom/journal/opening.py",
        "        if file_id(self._path) != self.id:\n            return\n",
        "",
        _TESTS,
    ),
    Mutant(
        "a page is read from what is at the path",
        "chatroom/journal/opening.py",
        "        if file_id(path) == file:\n",
        "        if True:\n",
        _TESTS,
    ),
    Mutant(
        "a file that was moved has no log while somebody reads",
        "chatroom/journal/holding.py",
        "            if self._is_moved():\n                self._save_log()\n",
        "            if self._is_moved():\n",
        _TESTS,
    ),
    Mutant(
        "another log is overwritten",
        "chatroom/journal/log_file.py",
        "and found[:_HEADER_BYTES] != header",
        "and False",
        _TESTS,
    ),
    Mutant(
        "a log without its file is deleted",
        "chatroom/journal/holding.py",
        "                self._put_log_aside()\n",
        "                pass\n",
        _TESTS,
    ),
    Mutant(
        "in a silence nothing is copied",
        "chatroom/journal/writer.py",
        "while not self._is_copied and seconds > SILENCE_SECONDS:",
        "while False:",
        _TESTS,
    ),
    Mutant(
        "an old log stays beside a file that is back",
        "chatroom/journal/holding.py",
        "            self._take_copy_away()  # the file is back",
        "            pass  # the file is back",
        _TESTS,
    ),
    Mutant(
        "a log is copied into its file before it is saved",
        "chatroom/journal/holding.py",
        "            copy = put_beside(place, self._seal.log_id, before)\n",
        "            if self._copy_all():\n                return\n"
        "            copy = put_beside(place, self._seal.log_id, before)\n",
        _TESTS,
    ),
)
