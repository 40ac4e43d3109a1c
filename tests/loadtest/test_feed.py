"""The measurements of the feed run; what they find is not judged here."""

from __future__ import annotations

import json
import socket
import sys

import pytest

from chatroom.errors import ChatroomError
from loadtest.feed import latency
from loadtest.race import _TcpReader
from loadtest.rows import Row, table
from loadtest.serving import swarm


def test_a_short_race_has_a_row() -> None:
    (row,) = latency(repeat=1, seconds=0.2)

    assert row.figure.startswith("feed ")
    assert " µs, TCP " in row.figure


def test_the_table_says_what_is_reached() -> None:
    lines = table([Row("speed", "1 µs", "at most 2 µs", True), Row("loss", "1", "0", False)])

    assert list(lines)[2:] == [
        "| speed | 1 µs | at most 2 µs | yes |",
        "| loss | 1 | 0 | no |",
    ]


def test_a_line_that_comes_in_parts_is_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = _TcpReader.__new__(_TcpReader)
        connection = socket.create_connection(server.getsockname())
        room, _ = server.accept()
        with connection, room:
            reader.socket, reader.latencies_us, reader._partial = connection, [], b""
            for part in (b'{"text":"at 1', b'000"}\n{"text":"at 2000"}\n'):
                room.sendall(part)
                reader.read()
    assert len(reader.latencies_us) == 2


def test_a_run_with_faults_is_no_measurement() -> None:
    result = {"outcome": "faults", "reasons": ["3 deliveries lost"]}
    program = [sys.executable, "-c", f"print({json.dumps(result)!r})"]
    with pytest.raises(ChatroomError, match="the swarm found faults: 3 deliveries lost"):
        swarm(program)
