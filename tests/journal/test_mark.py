"""Numbers after a crash: above all that anybody was told of, and no further where that is known."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatroom.event import encode_event
from chatroom.journal import mark as mark_module
from chatroom.journal.limits import RESERVE_EVENTS
from chatroom.journal.sqlite import open_journal
from chatroom.journal.store import Store
from chatroom.server.counters import Counters
from chatroom.server.fanout.fanout import Fanout
from chatroom.settings import Durability
from tests.journal.talk import numbers, said, settings_for, store, talk, until


@pytest.fixture(autouse=True)
def marks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the marks of these tests are."""
    directory = tmp_path_factory.mktemp("marks")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(directory))
    return directory


def opened(path: Path) -> tuple[Store, int]:
    """The journal, and the number after which it goes on."""
    file = Store(path, Durability.PROCESS)
    return file, file.begin(0).last_seq


def write(file: Store, first: int, last: int) -> None:
    events = talk(first, last)
    file.write(events, [encode_event(event) for event in events])


def crash_at(path: Path, number: int) -> None:
    """A server has given out `number`, stored half of that, and is gone."""
    file, _ = opened(path)
    file.given_out[0] = number
    write(file, 1, number // 2)
    file.close()


def begins_after(path: Path) -> int:
    file, last_seq = opened(path)
    file.close()
    return last_seq


def test_what_was_told_and_not_stored_is_the_gap(path: Path) -> None:
    crash_at(path, 10)
    file, last_seq = opened(path)
    assert last_seq == 10
    assert file.connection.execute("SELECT * FROM gap").fetchall() == [(6, 10)]
    file.close()


def test_a_crash_in_silence_leaves_no_gap_but_begins_a_session(path: Path, marks: Path) -> None:
    sessions = []
    for _ in range(4):
        file = Store(path, Durability.PROCESS)
        begun = file.begin(0)
        sessions.append(begun.session)
        assert begun.last_seq == 0
        assert not begun.gaps.count(1, RESERVE_EVENTS)
        assert list(begun.sessions) == sessions  # in order, though all begin with the same number
        assert len(os.listdir(marks)) == 1
        file.close()
    assert len(set(sessions)) == 4


def test_a_clean_end_leaves_no_mark(path: Path, marks: Path) -> None:
    file, _ = opened(path)
    assert [entry.stat().st_mode & 0o777 for entry in marks.iterdir()] == [0o600]
    file.end(0)
    file.close()
    assert os.listdir(marks) == []


def test_a_disk_that_takes_nothing_for_longer_than_was_reserved(path: Path) -> None:
    crash_at(path, 2)
    file, last_seq = opened(path)
    file.given_out[0] = last_seq + 3 * RESERVE_EVENTS
    file.close()
    assert begins_after(path) == last_seq + 3 * RESERVE_EVENTS


def _link(found: Path) -> None:
    other = found.with_name("elsewhere")
    found.rename(other)
    found.symlink_to(other)


def _change(content: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda found: found.write_bytes(content(found.read_bytes()))


def _make_pipe(found: Path) -> None:
    found.unlink()
    os.mkfifo(found)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        _link,
        _make_pipe,
        _change(lambda content: b""),
        _change(lambda content: content[:-1]),
        _change(lambda content: content + b"x"),
        _change(lambda content: content[:8] + os.urandom(len(content) - 8)),
        _change(lambda content: b"\xff" * 8 + content[8:]),
        _change(lambda content: bytes(8) + content[8:]),
    ],
    ids=["gone", "link", "pipe", "empty", "short", "long", "garbage", "huge", "small"],
)
def test_what_is_not_our_mark_is_not_believed(
    path: Path, marks: Path, spoil: Callable[[Path], object]
) -> None:
    crash_at(path, 10)
    (found,) = marks.iterdir()
    spoil(found)
    assert begins_after(path) == RESERVE_EVENTS
    assert not found.exists()


def test_nor_the_mark_of_another_start_of_the_machine(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at(path, 10)
    other = tmp_path / "boot_id"
    other.write_text("00000000-0000-0000-0000-000000000000\n")
    monkeypatch.setattr(mark_module, "BOOT_ID", other)
    assert begins_after(path) == RESERVE_EVENTS


def test_a_service_that_sees_no_boot_id_is_told_it(
    path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark_module, "BOOT_ID", marks / "hidden")
    monkeypatch.setenv("CHATROOM_BOOT_ID", "0123456789abcdef0123456789abcdef")
    crash_at(path, 10)
    assert begins_after(path) == 10
    monkeypatch.setenv("CHATROOM_BOOT_ID", "fedcba9876543210fedcba9876543210")
    assert begins_after(path) == 10 + RESERVE_EVENTS


def test_one_that_is_not_told_it_has_no_mark(
    path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark_module, "BOOT_ID", marks / "hidden")
    crash_at(path, 10)
    assert begins_after(path) == RESERVE_EVENTS
    assert os.listdir(marks) == []


def test_a_service_with_several_directories_has_its_mark_in_the_first(
    path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{marks}:{marks / 'other'}")
    crash_at(path, 10)
    assert len(os.listdir(marks)) == 1
    assert begins_after(path) == 10


def test_without_a_directory_of_its_own_it_is_in_shared_memory(
    path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.setattr(mark_module, "DIRECTORY", str(marks))
    crash_at(path, 10)
    assert len(os.listdir(marks)) == 1


def test_nor_that_of_somebody_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash_at(path, 10)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert begins_after(path) == RESERVE_EVENTS


def test_nor_that_of_an_older_run(path: Path, marks: Path) -> None:
    crash_at(path, 10)
    (found,) = marks.iterdir()
    old = found.read_bytes()
    crash_at_next = begins_after(path) + 5
    file, last_seq = opened(path)
    file.given_out[0] = crash_at_next
    file.close()
    (newer,) = marks.iterdir()
    newer.unlink()
    found.write_bytes(old)
    assert begins_after(path) == last_seq + RESERVE_EVENTS


def test_a_name_that_a_forged_journal_gives_is_not_followed(path: Path, marks: Path) -> None:
    crash_at(path, 10)
    victim = marks / "chatroom-" / "victim"
    victim.parent.mkdir()
    victim.write_bytes(next(entry for entry in marks.iterdir() if entry.is_file()).read_bytes())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE state SET run = '/victim'")
    assert begins_after(path) == RESERVE_EVENTS
    assert victim.exists()


def test_a_copy_does_not_take_the_numbers_of_a_server_that_runs(path: Path) -> None:
    file, _ = opened(path)
    file.given_out[0] = 10
    copy = path.with_name("copy.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    assert begins_after(copy) == RESERVE_EVENTS
    file.given_out[0] = 11
    file.close()
    assert begins_after(path) == RESERVE_EVENTS  # nor does it let itself be continued twice


def test_where_no_mark_can_be_made(
    path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crash_at(path, 10)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(marks / "missing"))
    assert begins_after(path) == RESERVE_EVENTS
    assert len(caplog.records) == 1
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(marks))  # the stale one is there again
    assert begins_after(path) == 2 * RESERVE_EVENTS


def test_a_begin_that_fails_leaves_no_mark(
    path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Store(path, Durability.PROCESS)
    with monkeypatch.context() as context:
        context.setattr(file, "_note_run", lambda: file.connection.execute("nonsense"))
        with pytest.raises(sqlite3.OperationalError):
            file.begin(0)
    file.close()
    assert os.listdir(marks) == []


def test_the_mark_is_also_of_the_file_that_takes_the_place_of_one_deleted(path: Path) -> None:
    file, _ = opened(path)
    write(file, 1, 5)
    for left in path.parent.glob("room.db*"):
        left.unlink()
    file.given_out[0] = 8
    file.start_over({file._session: 1}, 6)
    file.close()
    assert begins_after(path) == 8


def test_the_log_elsewhere_gives_out_numbers_without_a_mark(path: Path, marks: Path) -> None:
    crash_at(path, 10)
    file = Store(path, Durability.PROCESS)
    assert file.begin(0, following=True).last_seq == 5
    file.given_out[0] = 7
    file.close()
    assert os.listdir(marks) == []


async def test_late_numbers_of_a_journal_that_is_closed_do_no_harm(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        journal.give_out(3)
        assert await store(journal, talk(1, 2))
        journal.abandon()
        await until(lambda: not journal._writer._thread.is_alive())
        journal.give_out(4)
    async with open_journal(settings_for(path)) as journal:
        assert journal.recent.last_seq == 4
        assert numbers(list((await journal.after(0, 9)).events)) == [1, 2, (3, 4)]


def test_a_number_is_given_out_before_anybody_has_it() -> None:
    given_out: list[int] = []

    class Ear:
        def send(self, first_seq: int, messages: object, /) -> None:
            assert given_out == [1, 2]
            given_out.append(0)

        def revoke_keys(self) -> None:
            """Told within a turn, before its end."""

        def redact(self, seq: int, /) -> None:
            raise AssertionError

        def begin_session(self, name: str, first_seq: int, /) -> None:
            raise AssertionError

    fanout = Fanout(Ear(), Counters(), given_out.append, keeps_json=True)
    fanout.publish(said(1))
    fanout.publish(said(2))
    fanout.revoke_feed_keys()
    assert given_out == [1, 2, 0]


STEP = st.sampled_from(["say", "say", "write", "crash", "crash", "end", "lose mark"])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, max_size=15))
def test_whatever_happens_no_number_is_told_twice(
    tmp_path_factory: pytest.TempPathFactory, marks: Path, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / "room.db"
    file, told = opened(path)
    stored, marked = 0, True
    for step in [*steps, "crash"]:
        if step == "say":
            told += 1
            file.given_out[0] = told
        elif step == "write" and told > stored:
            write(file, stored + 1, told)
            stored = told
        elif step == "lose mark":
            for found in marks.iterdir():
                found.unlink()
            marked = False
        elif step in ("crash", "end"):
            if step == "end":
                file.end(told)
            file.close()
            file, begun = opened(path)
            assert begun >= told
            assert begun == told or not (marked or step == "end")
            stored, told, marked = begun, begun, True
    file.end(told)
    file.close()
