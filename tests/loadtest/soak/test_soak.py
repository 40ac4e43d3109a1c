"""The soak's own parts: what is drawn, what stands in a server's way, and what it tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic_ns

import pytest
import trio
import trio.testing

from chatroom.errors import ChatroomError
from chatroom.event import Event
from chatroom.journal.sqlite import open_journal
from chatroom.settings import JournalSettings
from chatroom.swarm.wire.payload import SMALLEST_TEXT_BYTES, Mark, Payload
from loadtest.soak.faults import FAULTS, Ground, chosen
from loadtest.soak.history import History
from loadtest.soak.lag import Lag, _waited_us
from loadtest.soak.ledger import Late, Ledger
from loadtest.soak.network import place
from loadtest.soak.obstacles import Obstacles
from loadtest.soak.report import grown, is_good, report
from loadtest.soak.server import Place, Server, Size
from loadtest.soak.soak import Result, plan
from tests.journal.talk import said, store
from tests.visiting import open_house

_PLACE = Place(1, "239.255.90.9", 2, "127.0.0.1")


def ledger() -> Ledger:
    return Ledger(Payload("4f2a", SMALLEST_TEXT_BYTES))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    obstacles = Obstacles(tmp_path)
    return Ground(Server(tmp_path, _PLACE, obstacles), obstacles, ledger(), True)


def test_the_seed_decides_the_faults_and_each_has_its_turn(ground: Ground) -> None:
    drawn = [list(islice(plan(Random(seed), ground), 2 * len(FAULTS))) for seed in (1, 1, 2)]
    first, again, other = [[(fault.name, vars(fault)) for fault in faults] for faults in drawn]
    assert first == again != other
    assert {type(fault) for fault in drawn[0][: len(FAULTS)]} == set(FAULTS)


def test_only_the_faults_that_are_asked_for_strike(ground: Ground) -> None:
    kinds = chosen(["no memory", "kill -9"])
    names = {fault.name for fault in islice(plan(Random(1), ground, kinds), 8)}
    assert names == {"no memory", "kill -9"}
    assert chosen([]) == FAULTS
    with pytest.raises(ChatroomError, match=r"no fault is called 'rain'; there are: .*disk full"):
        chosen(["rain"])


def test_without_a_network_of_its_own_no_interface_goes_down(ground: Ground) -> None:
    here = Ground(ground.server, ground.obstacles, ground.ledger, False)
    names = {fault.name for fault in islice(plan(Random(1), here), 2 * len(FAULTS))}
    assert "interface down" not in names
    assert len(names) == len(FAULTS) - 1
    assert place(is_own_network=False).port > 0


def write_in(obstacles: Obstacles, path: Path) -> str:
    """A program's write through SQLite, and its clock."""
    script = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
try:
    connection.execute("CREATE TABLE t (x)")
    print("written", time.time())
except sqlite3.OperationalError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(path)]
    environment = {**os.environ, **obstacles.environment}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_obstacles_stand_in_a_programs_way_and_go_again(tmp_path: Path) -> None:
    obstacles = Obstacles(tmp_path)
    obstacles.put(disk_full=True)
    assert "full" in write_in(obstacles, tmp_path / "full.db")
    obstacles.put(clock_back_seconds=10**9)
    late = float(write_in(obstacles, tmp_path / "late.db").split()[1])
    obstacles.clear()
    now = float(write_in(obstacles, tmp_path / "now.db").split()[1])
    assert abs(now - late - 10**9) < 60
    obstacles.close()


def test_a_result_is_good_if_every_promise_was_kept() -> None:
    result = Result(7, ledger())
    result.sizes["epoll"] = [Size(10**8, 30), Size(10**8, 30)]
    assert is_good(result)
    assert any(line.startswith("lost ") and line.endswith(" 0") for line in report(result))
    result.ledger.faults.add("lost", "#1 is not there")
    assert not is_good(result)
    assert "FAULT        lost: #1 is not there" in list(report(result))


def test_a_process_that_grows_is_noticed() -> None:
    result = Result(7, ledger())
    result.sizes["epoll"] = [Size(10**8, 30), Size(2 * 10**8, 100)]
    assert grown(result) == ["epoll: memory has grown", "epoll: descriptors have grown"]
    assert not is_good(result)


def test_the_most_that_a_process_has_had_counts_whenever_that_was() -> None:
    assert Size(10, 40).most(Size(30, 20)) == Size(30, 40)


def test_a_latency_is_told_with_what_the_machine_took_of_it() -> None:
    result = Result(7, ledger())
    result.ledger.worst = Late(1_202_300, 4711, "reader-json-0", at_us=5_000_000)
    # Over before, over within, begun before its end, begun after it.
    for at_us, late_us in ((3_900_000, 990_000), (4_500_000, 400_000), (5_100_000, 628_000)):
        result.lag.note_late(at_us, late_us)
    result.lag.note_late(6_500_000, 999_000)
    for at_us, waited_us in ((3_900_000, 40_000), (4_200_000, 45_000), (4_900_000, 50_000)):
        result.lag.note_waited(at_us, waited_us)
    (line,) = (line for line in report(result) if line.startswith("worst"))
    assert "1,202.3   ms, outside faults: #4711 to reader-json-0" in line
    assert "the soak was up to 628 ms late, and the server waited 95 ms for a core" in line


async def test_what_a_process_waits_for_a_core_is_seen(
    autojump_clock: trio.testing.MockClock,
) -> None:
    lag = Lag()
    waited = iter([(7, 100_000), (7, 150_000), (8, 900_000), None, (8, 900_000), (8, 930_000)])
    with pytest.MonkeyPatch.context() as patch, trio.move_on_after(0.32):
        patch.setattr("loadtest.soak.lag._waited_us", lambda pid: next(waited))
        await lag.run(lambda: 7)
    now_us = monotonic_ns() // 1000
    assert lag.waited_us(now_us) == 50_000 + 30_000
    assert _waited_us(os.getpid()) is not None
    assert _waited_us(0) is None


def test_what_was_said_before_a_journal_is_destroyed_may_be_acked_still(ground: Ground) -> None:
    book = ground.ledger
    book.see(7, b"{}", None, "somebody")
    book.ack(5, 1, 1)
    book.endanger()
    assert book.endangered_to == 7


def test_what_nobody_foresaw_is_found_in_the_log(ground: Ground) -> None:
    log = ground.server.log
    log.write_text('{"message":"well"}\n{"exception":"Traceback (most"}\n')
    with ground.server.excused(), log.open("a") as file:
        file.write("Traceback of a MemoryError\n")
    with log.open("a") as file:
        file.write("Fatal Python error\n")
    assert ground.server.tracebacks() == ['{"exception":"Traceback (most"}', "Fatal Python error"]


async def test_what_was_acked_is_looked_for_in_the_history(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    book = ledger()
    renamed = Event(4, "2026-11-22T13:17:42.123456Z", "rename", "alice", to="bob")
    texts = {seq: book.payload.write(Mark(1, seq, 0)).decode() for seq in (1, 2, 3)}
    async with open_journal(JournalSettings(path=str(tmp_path / "room.db"))) as journal:
        assert await store(journal, [said(seq, text) for seq, text in texts.items()])
        assert await store(journal, [renamed])
        house = await open_house(nursery, "epoll", journal=journal)
        server = Server(tmp_path, Place(house.service.port, "", 0, ""), None)  # type: ignore[arg-type]
        history = History(server, book)
        for seq in (1, 2):
            book.ack(seq, 1, seq)
        await history.check()
        assert (history.checked, book.faults.counts) == (2, {})
        book.ack(4, 1, 4)  # it has come to a rename
        await history.check()
        assert book.faults.counts == {"lost": 1}
        history = History(server, book)
        book.acked.clear()
        book.ack(3, 1, 77)  # another message's number
        await history.check()
        assert book.faults.counts == {"lost": 2}
        house.close()
        house.service.drain()
