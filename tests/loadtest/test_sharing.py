"""What the comparison of one sending thread with two has to get right."""

from __future__ import annotations

import socket
import sys

import pytest

from loadtest import sharing


def test_shared_sends_reach_everybody_once() -> None:
    pairs = [socket.socketpair() for _ in range(5)]
    senders = sharing.Senders([ours.send for ours, _ in pairs])
    senders.send_all()
    senders.send_all()
    senders.stop()
    assert [reader.recv(65536) for _, reader in pairs] == [sharing.LINE * 2] * 5
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_a_row_for_each_audience_and_switch_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "AUDIENCES", (3, 4))
    monkeypatch.setattr(sharing, "RUN_SENDS", 20)
    before = sys.getswitchinterval()
    rows = list(sharing.measure(1, 1.0))
    assert [row.name.partition(",")[0] for row in rows] == ["3 readers"] * 2 + ["4 readers"] * 2
    assert sys.getswitchinterval() == before
