"""Threads that help sending: what happens is the same, and they come and go with the room."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import trio

from chatroom.server.fanout.elsewhere import Elsewhere, this_core
from chatroom.server.fanout.senders import (
    _ROUNDS_ALONE,
    LEAST_AUDIENCE,
    Senders,
    _Helper,
    _Round,
    senders_of,
    threads_by_cores,
)
from chatroom.settings import ServerSettings
from tests.conftest import OpenHouse

READERS = 7
TALKERS = 3


def sender_threads() -> int:
    return sum(thread.name == "sender" for thread in threading.enumerate())


async def test_each_socket_gets_its_own_once_whoever_sends(nursery: trio.Nursery) -> None:
    senders = Senders(2)
    await nursery.start(senders.run)
    pairs = [socket.socketpair() for _ in range(READERS)]
    for near, far in pairs:
        near.setblocking(False)
        far.setblocking(False)
    pairs[3][1].close()  # a peer that has gone
    near, far = pairs[4]
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    unsent = senders.send([near.send for near, _ in pairs], b"x" * 50_000)
    left = dict(unsent)
    assert set(left) == {3, 4}
    assert isinstance(left[3], BrokenPipeError)
    assert isinstance(left[4], int)
    assert 0 <= left[4] < 50_000
    for number, (near, far) in enumerate(pairs):
        if number not in left:
            assert len(far.recv(100_000, socket.MSG_WAITALL)) == 50_000
            with pytest.raises(BlockingIOError):
                far.recv(1)
        near.close()
        far.close()


async def test_what_is_no_socket_s_is_left_to_trio_s_thread(nursery: trio.Nursery) -> None:
    senders = Senders(1)
    await nursery.start(senders.run)

    def send(records: bytes) -> int:
        raise AssertionError("an outbox is not for a thread")

    ways: list[Callable[[bytes], int]] = [len, send, len, send]
    assert sorted(senders.send(ways, b"hello\n")) == [(1, None), (3, None)]


async def test_a_fault_in_a_thread_is_the_turn_s(nursery: trio.Nursery) -> None:
    senders = Senders(1)
    await nursery.start(senders.run)
    faulty: Callable[[bytes], int] = {}.__getitem__  # type: ignore[assignment]  # raises KeyError
    for ways in ([len, faulty], [faulty, len]):
        with pytest.raises(KeyError):
            senders.send(ways, b"hello\n")
    assert senders.send([len, len], b"hello\n") == []  # and the next turn goes on


def test_after_a_fault_nothing_more_is_begun() -> None:
    sent: list[bytes] = []
    sends = [[].index, *[sent.append] * 1000]  # what raises no OSError, then many others
    round_ = _Round(sends, b"x")  # type: ignore[arg-type]
    round_.help()
    assert isinstance(round_.fault, ValueError)
    round_.help()  # by a helper that comes later
    assert not sent


def test_nothing_piles_up_for_a_thread_that_comes_late() -> None:
    helper = _Helper()  # its thread is not running: it does not come at all
    for _ in range(3):
        helper.give(_Round([len], b"x"))
    assert helper._to_do.qsize() == 1


async def test_a_thread_that_comes_late_is_not_waited_for(nursery: trio.Nursery) -> None:
    senders = Senders(1)
    await nursery.start(senders.run)
    (helper,) = senders._helpers
    helper._is_free = False  # it has not come to the last round yet
    pairs = [socket.socketpair() for _ in range(READERS)]
    for number in range(3):
        assert senders.send([near.send for near, _ in pairs], b"%d\n" % number) == []
    for near, far in pairs:
        assert far.recv(100) == b"0\n1\n2\n"
        near.close()
        far.close()


async def test_what_a_helper_has_begun_is_waited_for_whatever_fails(nursery: trio.Nursery) -> None:
    """Nothing is sent after the turn, and nobody waits for what was not begun."""
    senders = Senders(1)
    await nursery.start(senders.run)
    near, far = socket.socketpair()
    with suppress(BlockingIOError):
        near.setblocking(False)
        while True:
            near.send(b"x" * 65_536)
    near.setblocking(True)  # the helper's first send does not return before something is read
    begun = threading.Event()

    class Sends(list[Callable[[bytes], int]]):
        def __getitem__(self, portion: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                assert begun.wait(30)
                threading.Timer(0.05, lambda: far.recv(1 << 20, socket.MSG_WAITALL)).start()
                raise MemoryError
            begun.set()
            return super().__getitem__(portion)

    with pytest.raises(MemoryError):
        senders.send(Sends([near.send] * 64), b"last\n")
    (helper,) = senders._helpers
    assert not helper._at_work.locked()
    near.close()
    far.close()


async def test_without_memory_for_a_helper_all_is_sent(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def put(self, _: object) -> None:
            raise MemoryError

    senders = Senders(1)
    await nursery.start(senders.run)
    (helper,) = senders._helpers
    near, far = socket.socketpair()
    with near, far, monkeypatch.context() as patch:
        patch.setattr(helper, "_to_do", Full())
        assert senders.send([near.send], b"hello\n") == []
        assert far.recv(100) == b"hello\n"
    assert helper._is_free


async def test_who_is_held_up_does_without_for_a_while(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    senders = Senders(2)
    await nursery.start(senders.run)
    turns = 0
    given: list[int] = []
    monkeypatch.setattr(_Helper, "give", lambda *_: given.append(turns))
    took = iter([0.0, 1.0, 1.4, 2.0, 3.0, 3.6])  # begun, helped, finished
    monkeypatch.setattr("chatroom.server.fanout.senders.perf_counter", lambda: next(took, 0.0))
    while turns < 2 + _ROUNDS_ALONE + 1:
        assert senders.send([len, len], b"hello\n") == []
        turns += 1
    assert given == [0, 0, 1, 1, 2 + _ROUNDS_ALONE, 2 + _ROUNDS_ALONE]


async def test_without_a_thread_to_spare_none_is_left(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sender_threads()
    start = threading.Thread.start

    def start_two(thread: threading.Thread) -> None:
        if thread.name == "sender" and sender_threads() == before + 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_two)
        with pytest.raises(RuntimeError):
            await nursery.start(Senders(3).run)
    assert sender_threads() == before


async def test_they_are_there_while_the_room_is(nursery: trio.Nursery) -> None:
    senders = Senders(3)
    assert senders.least > 10**9
    before = sender_threads()
    async with trio.open_nursery() as room:
        await room.start(senders.run)
        assert senders.least == LEAST_AUDIENCE
        assert sender_threads() == before + 3
        room.cancel_scope.cancel()
    assert sender_threads() == before
    assert senders.least > 10**9


@pytest.mark.parametrize(("cores", "threads"), [(1, 0), (2, 0), (3, 1), (4, 2), (64, 3)])
def test_two_cores_have_other_work(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert threads_by_cores() == threads


async def test_a_room_with_them_has_one_order_for_all(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.server.fanout.senders.LEAST_AUDIENCE", 1)
    house = await open_room(send_threads=2)
    readers = [await house.enter(f"reader{number}") for number in range(READERS)]
    talkers = [await house.enter(f"talker{number}") for number in range(TALKERS)]
    await readers[0].aclose()
    for number in range(50):
        for talker in talkers:
            await talker.say(f"line {number}")
    await talkers[0].say("/quit")

    heard: list[list[str]] = []
    for reader in readers[1:]:
        lines: list[str] = []
        while not lines or "talker0 left" not in lines[-1]:
            lines.append(await reader.line())
        heard.append([line for line in lines if line.startswith("talker")])
    assert all(lines == heard[0] for lines in heard)
    own = [line for line in heard[0] if line.startswith("talker0: ")]
    assert own == [f"talker0: line {line}" for line in range(50)]


def test_the_thread_mode_has_none() -> None:
    senders = senders_of(ServerSettings(mode="thread", send_threads=3))
    assert senders.send([len, len], b"hello\n") == []
    assert senders._threads == 0
    assert senders_of(ServerSettings(send_threads=3))._threads == 3


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A thread that does nothing."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert thread.native_id is not None
    yield thread.native_id
    end.set()
    thread.join()


def test_a_thread_is_kept_off_the_core_of_who_wakes_it(sleeper: int) -> None:
    cores = os.sched_getaffinity(0)
    for core in sorted(cores):
        Elsewhere([sleeper], lambda: core).keep()  # noqa: B023 - called here
        assert os.sched_getaffinity(sleeper) == (cores - {core} or cores)
    assert os.sched_getaffinity(0) == cores


def test_it_is_moved_only_when_that_core_is_another(
    sleeper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[tuple[int, set[int]]] = []
    cores = {0, 1, 2}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *how: moved.append(how))
    runs_on = iter([0, 0, 2, 2, 2, 0])
    elsewhere = Elsewhere([sleeper, 7], lambda: next(runs_on))
    for _ in range(6):
        elsewhere.keep()
    assert moved == [(thread, cores - {core}) for core in (0, 2, 0) for thread in (sleeper, 7)]


def test_without_another_core_or_the_right_to_it_stays_where_it_is(
    sleeper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    cores = os.sched_getaffinity(sleeper)
    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_setaffinity", refuse)
        Elsewhere([sleeper], lambda: 1).keep()
        patch.setattr(os, "sched_getaffinity", lambda _: {1})
        Elsewhere([sleeper], lambda: 1).keep()  # which is not even tried
    Elsewhere([sleeper], lambda: -1).keep()  # where it is not known
    Elsewhere([1 << 22], lambda: 1).keep()  # which has ended
    assert os.sched_getaffinity(sleeper) == cores


def test_this_core_is_one_of_ours() -> None:
    assert this_core() in os.sched_getaffinity(0)
