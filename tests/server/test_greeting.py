"""Newcomers are let in without a task, in the epoll mode, whether they have spoken before they are
accepted or after it, and nobody notices the difference.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from chatroom.event import CloseReason
from chatroom.journal import Page
from chatroom.journal.memory import MemoryJournal
from chatroom.protocol.opening import Opening
from chatroom.server.serving import taskless
from chatroom.server.serving.conversation import Intake
from chatroom.server.serving.expecting import Expecting
from chatroom.server.serving.greeting import Greeter
from chatroom.server.turn.inlet import Inlet
from chatroom.settings import ENTER_SECONDS, RateSettings
from chatroom.transport.epoll import EpollOutbox
from tests.visiting import House, Visitor, open_house

IRC = b"NICK %b\r\nUSER u 0 * :r\r\nJOIN #lobby\r\n"


class Served(trio.abc.Instrument):
    """Counts the clients that are served in a task."""

    def __init__(self) -> None:
        self.count = 0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.count += task.name.endswith("Clients._serve")


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[House]:
    house = await open_house(nursery, "epoll")
    yield house
    house.close()


@pytest.fixture
async def served(house: House) -> AsyncIterator[Served]:
    served = Served()
    trio.lowlevel.add_instrument(served)
    yield served
    trio.lowlevel.remove_instrument(served)


Call = Callable[[House, bytes], Awaitable[Visitor]]


@pytest.fixture(params=["before", "after"])
def call(request: pytest.FixtureRequest) -> Call:
    """Connects and says something, before the server has a chance to accept or after it has."""

    async def call(house: House, said: bytes) -> Visitor:
        connections = house.service.statistics().connections
        sock = socket.create_connection(("127.0.0.1", house.service.port))
        if request.param == "after":
            await house.until(lambda: house.service.statistics().connections > connections)
        sock.sendall(said)
        sock.setblocking(False)
        called = trio.socket.from_stdlib_socket(sock)
        house.closes(called)
        return Visitor(trio.SocketStream(called))

    return call


async def read_until(visitor: Visitor, end: str) -> str:
    while end not in (line := await visitor.line()):
        pass
    return line


HELLOS = {
    "plain": (b"/nick %b\n", "you are "),
    "json": (b'/json {"nick":"%b"}\n', '"kind":"welcome"'),
    "irc": (IRC, " 366 "),
}


@pytest.mark.parametrize("form", HELLOS)
async def test_a_crowd_takes_no_task(call: Call, house: House, served: Served, form: str) -> None:
    hello, welcome = HELLOS[form]
    visitors = [await call(house, hello % b"member%d" % number) for number in range(70)]
    for visitor in visitors:
        await read_until(visitor, welcome)
    assert house.service.statistics().members == 70
    assert served.count == 0
    for visitor in visitors:
        await visitor.aclose()
    await house.until(lambda: not house.service.statistics().connections)


async def test_history_that_is_on_the_disk_takes_one(
    call: Call, house: House, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await house.enter("bob")
    await bob.say("hello")
    await bob.settle()
    before = served.count
    in_memory = await call(house, IRC % b"alice")
    await read_until(in_memory, "bob: hello")
    assert served.count == before
    monkeypatch.setattr(MemoryJournal, "before_nowait", lambda journal, seq, limit: None)
    monkeypatch.setattr(MemoryJournal, "before", _of_disk)
    on_disk = await call(house, IRC % b"carol")
    await read_until(on_disk, "bob: hello")
    assert served.count == before + 1


async def _of_disk(journal: MemoryJournal, seq: int, limit: int) -> Page:
    await trio.sleep(0)
    return Page(journal.recent.before(seq, limit), more=False)


async def test_who_says_nothing_takes_none_either(house: House, served: Served) -> None:
    visitors = [await house.knock() for _ in range(70)]
    for visitor in visitors:
        assert "you are guest" in await visitor.line()
    assert served.count == 0
    await visitors[0].say("hello")
    await read_until(visitors[1], "guest1: hello")


async def test_without_memory_for_the_silent_they_are_at_the_end_of_the_stream(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Greeter, "expire", _no_memory)
        visitor = await house.knock()
        assert await visitor.rest() == []
    await house.enter("bob")
    await house.until(lambda: house.service.statistics().connections == 1)


async def test_what_could_not_be_heard_ends_that_connection(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await house.knock()
    await house.until(lambda: house.service.statistics().connections == 1)
    with monkeypatch.context() as patch:
        patch.setattr(Greeter, "hear", _no_memory)
        await visitor.say("/nick alice")
        assert await visitor.rest() == []
    await house.enter("bob")
    await house.until(lambda: house.service.statistics().connections == 1)


@pytest.mark.parametrize("hello", [b"/nick alice\n", b'/json {"nick":"alice"}\n'])
async def test_what_is_said_behind_the_hello_is_heard_once(
    call: Call, house: House, hello: bytes
) -> None:
    bob = await house.enter("bob")
    lines = [f"line {number}" for number in range(300)]
    objects = [json.dumps({"kind": "message", "text": line}) for line in lines]
    said = lines if hello.startswith(b"/nick") else objects
    alice = await call(house, hello + "".join(f"{line}\n" for line in said).encode())
    assert await bob.line() == "-- alice joined"
    for line in lines:
        assert await bob.line() == f"alice: {line}"
    await alice.aclose()


async def test_a_hello_that_comes_in_pieces_is_one(call: Call, house: House) -> None:
    alice = await call(house, b"/ni")
    await trio.testing.wait_all_tasks_blocked(0.01)
    await alice.send(b"ck alice\n")
    assert "you are alice " in await alice.line()


async def test_what_is_said_later_is_heard(call: Call, house: House) -> None:
    alice, bob = await call(house, b"/nick alice\n"), await call(house, b"/nick bob\n")
    assert "you are alice " in await alice.line()
    assert "you are bob " in await bob.line()
    await bob.say("hello")
    await read_until(alice, "bob: hello")


async def test_a_resume_has_all_that_was_missed(call: Call, house: House) -> None:
    bob = await house.enter("bob")
    await bob.say("one", "two")
    await bob.settle()
    alice = await call(house, b'/json {"nick":"alice","after":0}\n')
    welcome = await alice.object()
    assert welcome["resumed"] == "complete"
    events = [await alice.object() for _ in range(4)]
    assert [event["seq"] for event in events] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("said", "last"),
    [
        (b"/quit\n", "-- bye (quit)"),
        (b'/json {"nick":""}\n', '"reason":"protocol_error"'),
        (b"SSH-2.0-x\n", "-- this port speaks"),
        (b"NICK guest1\r\nUSER u 0 * :r\r\nQUIT\r\n", "ERROR :Closing link: (quit)"),
        (b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "Not Found"),
    ],
)
async def test_who_is_not_let_in_reads_why(
    call: Call, house: House, said: bytes, last: str
) -> None:
    visitor = await call(house, said)
    assert last in "\n".join(await visitor.rest())
    await house.until(lambda: not house.service.statistics().connections)


@pytest.mark.parametrize(
    "said",
    [
        b"/nick alice\nhello\n",
        b'/json {"nick":"alice"}\n{"kind":"message","text":"hello"}\n',
        IRC % b"alice" + b"PRIVMSG #lobby :hello\r\n",
    ],
    ids=["plain", "json", "irc"],
)
async def test_what_is_said_before_one_hangs_up_is_heard(
    call: Call, house: House, said: bytes
) -> None:
    bob = await house.enter("bob")
    alice = await call(house, said)
    alice.stream.socket.shutdown(socket.SHUT_WR)
    assert await read_until(bob, "hello") == "alice: hello"
    assert await read_until(bob, "left") == "-- alice left (quit)"


async def test_who_hangs_up_behind_the_hello_leaves(call: Call, house: House) -> None:
    bob = await house.enter("bob")
    alice = await call(house, b"/nick alice\n")
    alice.stream.socket.shutdown(socket.SHUT_WR)
    assert await bob.line() == "-- alice joined"
    assert await bob.line() == "-- alice left (quit)"


async def test_who_has_gone_before_it_is_accepted_was_never_there(call: Call, house: House) -> None:
    (await call(house, b"")).reset()
    bob = await house.enter("bob")
    await bob.settle()
    assert house.service.statistics().members == 1
    await house.until(lambda: house.service.statistics().connections == 1)


async def test_a_full_channel_keeps_nobody_out(
    call: Call, house: House, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inlet, "put_nowait", lambda inlet, read: False)
    visitors = [await call(house, b"/nick member%d\n" % number) for number in range(5)]
    for number, visitor in enumerate(visitors):
        assert f"you are member{number} " in await visitor.line()
    assert served.count == 5


async def test_a_burst_counts_once(call: Call, nursery: trio.Nursery) -> None:
    """Whoever is served after all has not paid twice for what it had said already."""
    house = await open_house(nursery, "epoll", rates=RateSettings(talk_per_second=1, talk_burst=9))
    bob = await house.enter("bob")
    alice = await call(house, b"/nick alice\n" + b"hello\n" * 9)
    await read_until(bob, "alice joined")
    for _ in range(9):
        assert await bob.line() == "alice: hello"
    assert house.service.statistics().slowed == {**house.service.statistics().slowed, "messages": 0}
    await alice.aclose()
    house.close()


@pytest.mark.parametrize("where", [(Opening, "feed"), (Intake, "take_nowait")])
async def test_a_fault_of_ours_ends_that_connection_alone(
    call: Call,
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: tuple[type, str],
) -> None:
    bob = await house.enter("bob")

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(*where, fail)
        assert (await (await call(house, b"/nick alice\n")).rest())[-1].startswith(
            "-- bye (protocol_error)"
        )
    assert "fault in the server" in caplog.text
    caplog.clear()
    await bob.settle()
    await house.until(lambda: house.service.statistics().connections == 1)
    assert house.service.statistics().ended == {CloseReason.PROTOCOL_ERROR: 1}


async def test_without_memory_for_the_end_either_one_is_at_the_end_of_the_stream(
    call: Call, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Opening, "feed", _no_memory)
        patch.setattr(logging.getLogger("chatroom.server"), "exception", _no_memory)
        assert await (await call(house, b"/nick alice\n")).rest() == []
    await house.enter("bob")
    await house.until(lambda: house.service.statistics().connections == 1)


async def test_who_could_not_be_settled_for_want_of_memory_is_so_later(
    call: Call, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taskless, "REST_SECONDS", 0.01)
    house = await open_house(nursery, "epoll")
    with monkeypatch.context() as patch:
        patch.setattr(EpollOutbox, "size_bytes", property(_no_memory))
        alice = await call(house, b"/nick alice\n")
        await read_until(alice, "you are alice")
    bob = await house.enter("bob")
    await alice.say("hi")
    await read_until(bob, "alice: hi")
    house.close()


def _no_memory(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("passes", range(6))
async def test_nobody_is_forgotten_when_the_server_is_stopped_at_once(
    call: Call, passes: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with trio.open_nursery() as nursery:
        house = await open_house(nursery, "epoll")
        for number in range(40):
            await call(house, IRC % b"member%d" % number)
        for _ in range(passes):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert house.service.statistics().connections == 0
    assert not caplog.records
    house.close()


@pytest.mark.parametrize("passes", range(6))
async def test_everybody_is_told_when_the_server_drains(
    call: Call, nursery: trio.Nursery, passes: int
) -> None:
    house = await open_house(nursery, "epoll")
    visitors = [await call(house, b"/nick member%d\n" % number) for number in range(20)]
    while house.service.statistics().connections < len(visitors):  # who is not accepted is not told
        await trio.lowlevel.checkpoint()
    for _ in range(passes):
        await trio.lowlevel.checkpoint()
    house.service.drain()
    async with trio.open_nursery() as reading:
        for visitor in visitors:
            reading.start_soon(partial(_is_told, visitor))
    house.close()


async def _is_told(visitor: Visitor) -> None:
    assert (await visitor.rest())[-1].startswith("-- bye (shutdown)")


class Held:
    """What greeted clients hand over is held back from the room until `go_on`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._steps: list[Callable[[], bool]] = []
        self._take = Intake.take_nowait

        def hold(intake: Intake, *given: Any) -> bool:
            self._steps.append(partial(self._take, intake, *given))
            return True

        patch.setattr(Intake, "take_nowait", hold)

    async def wait(self) -> None:
        """Until something is held."""
        with trio.fail_after(20):
            while not self._steps:
                await trio.sleep(0.001)

    def go_on(self) -> None:
        steps, self._steps = self._steps, []
        for step in steps:
            assert step()


async def call_alice(house: House, patch: pytest.MonkeyPatch) -> tuple[Visitor, Held]:
    """She speaks after she has been accepted, and is being greeted."""
    connections = house.service.statistics().connections
    alice = await house.knock()
    await house.until(lambda: house.service.statistics().connections > connections)
    held = Held(patch)
    await alice.say("/nick alice")
    await held.wait()
    return alice, held


async def test_what_is_said_while_one_is_greeted_is_heard_afterwards(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await house.enter("bob")
    with monkeypatch.context() as patch:
        alice, held = await call_alice(house, patch)
        await alice.say("hello")
        with trio.fail_after(20):  # nothing goes round and round because of it
            await trio.testing.wait_all_tasks_blocked(0.01)
    held.go_on()
    assert await bob.line() == "-- alice joined"
    assert await bob.line() == "alice: hello"


async def test_who_is_made_to_end_while_it_is_greeted_is_served_once(
    house: House, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await house.enter("bob")
    (of_bob,) = house.service._connections
    with monkeypatch.context() as patch:
        alice, held = await call_alice(house, patch)
        (connection,) = house.service._connections - {of_bob}
        connection.stop_reading()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert served.count == 0
        held.go_on()
    assert "you are alice " in await alice.line()
    assert (await alice.rest())[-1].startswith("-- bye (quit)")
    assert await bob.line() == "-- alice joined"
    assert await bob.line() == "-- alice left (quit)"
    assert served.count == 1


async def test_who_has_spoken_in_time_is_not_overdue(
    call: Call, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue: list[object] = []
    monkeypatch.setattr(Greeter, "expire", lambda greeter, caller: overdue.append(caller))
    alice = await call(house, b"/nick alice\n")
    assert "you are alice " in await alice.line()
    await trio.sleep(1.2 * ENTER_SECONDS)
    assert overdue == []


@pytest.mark.parametrize("number", range(6))  # Trio takes tasks of one turn in any order
async def test_who_has_spoken_in_time_is_heard_though_the_server_looks_late(
    house: House, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("chatroom.protocol.opening.ENTER_SECONDS", 0.05)
    caller = await house.knock()
    await house.until(lambda: house.service.statistics().connections == 1)
    await caller.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    time.sleep(0.06)  # noqa: ASYNC251 - the loop stands still
    assert (await caller.line()).startswith("HTTP/1.1 ")


async def test_without_memory_to_look_for_the_silent_they_are_let_in_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Expecting._pass
    failed = False

    def fail_once(expecting: Expecting[Any], overdue: Callable[[Any], None]) -> None:
        nonlocal failed
        if not failed:
            failed = True
            raise MemoryError
        look(expecting, overdue)

    monkeypatch.setattr(Expecting, "_pass", fail_once)
    silent = await house.knock()
    assert "you are guest1 " in await silent.line()
    assert failed


async def test_without_memory_to_wake_who_is_to_end_it_ends_all_the_same(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taskless, "REST_SECONDS", 0.01)
    house = await open_house(nursery, "epoll")
    alice = await house.enter("alice")
    await alice.settle()
    (connection,) = house.service._connections
    await house.until(lambda: connection.reader._scope is None)  # type: ignore[attr-defined]
    without_task = connection.reader._mode.taskless  # type: ignore[attr-defined]
    wake, failed = without_task._wake, False

    def fail_once(line: Any) -> None:
        nonlocal failed
        if not failed:
            failed = True
            raise MemoryError
        wake(line)

    monkeypatch.setattr(without_task, "_wake", fail_once)
    assert house.service._parts is not None
    house.service._parts.endings.soon(connection, CloseReason.IDLE, "asleep")
    await house.until(lambda: not house.service.statistics().connections)
    assert failed
    house.close()
