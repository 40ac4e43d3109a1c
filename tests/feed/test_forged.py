"""A feed without keys, and somebody else in its group: what cannot be told apart is few."""

from __future__ import annotations

from chatroom.feed.reassembly import Outcome, Reassembly, SessionBegan, SessionEnded
from chatroom.feed.stream import Delivered, Lost
from chatroom.protocol import moldudp64 as mold

TRUE, FORGED = b"ABCDEFGHIJ", b"0123456789"
SERVER, ATTACKER = ("10.0.0.1", 5000), ("10.0.0.9", 5000)


def data(session: bytes, sequence: int, *messages: bytes) -> bytes:
    (packet,) = mold.packets(session, sequence, [mold.block(one) for one in messages], 1452)
    return packet


class Table:
    """A listener that has heard the first event."""

    def __init__(self) -> None:
        self.listener = Reassembly()
        self.now = 0.0
        assert self.deal(SERVER, data(TRUE, 1, b"one"))[1:] == [Delivered(1, b"one")]

    def deal(self, source: object, *datagrams: bytes) -> list[Outcome]:
        for one in datagrams:
            self.listener.receive(one, self.now, source)
        return self.listener.take_outcomes()


def test_another_source_is_not_believed_near_the_present_number() -> None:
    table = Table()
    assert table.deal(ATTACKER, data(TRUE, 2, b"forged"), mold.end_of_session(TRUE, 2)) == []
    assert table.deal(SERVER, data(TRUE, 2, b"two")) == [Delivered(2, b"two")]
    assert table.listener.statistics.ignored == 2


def test_a_source_that_falls_silent_is_succeeded() -> None:
    table = Table()
    table.now = 3.0
    assert table.deal(ATTACKER, data(TRUE, 2, b"two")) == [Delivered(2, b"two")]
    assert table.deal(SERVER, data(TRUE, 3, b"three")) == []


def test_a_forged_end_and_a_session_after_it_lose_nothing() -> None:
    """The end comes by the server's own address, which UDP lets anybody write there."""
    table = Table()
    assert table.deal(SERVER, mold.end_of_session(TRUE, 2)) == [SessionEnded("ABCDEFGHIJ", 2)]
    assert table.deal(ATTACKER, data(FORGED, 1, b"x")) == [
        SessionBegan("0123456789", 1),
        Delivered(1, b"x"),
    ]
    # Two true events were lost on the network meanwhile.
    outcomes = table.deal(SERVER, data(TRUE, 4, b"four"), data(TRUE, 5, b"five"))
    assert outcomes == [SessionBegan("ABCDEFGHIJ", 2)]
    table.now += 0.1
    assert [one.packet for one in table.listener.poll(table.now)] == [mold.request(TRUE, 2, 2)]
    table.listener.receive_answer(data(TRUE, 2, b"two", b"three"), table.now)
    assert table.deal(SERVER) == [
        Delivered(2, b"two"),
        Delivered(3, b"three"),
        Delivered(4, b"four"),
        Delivered(5, b"five"),
    ]
    # And the attacker is a stranger again.
    assert table.deal(ATTACKER, data(FORGED, 2, b"y")) == []


def test_what_cannot_be_had_any_more_is_said() -> None:
    table = Table()
    table.deal(SERVER, mold.end_of_session(TRUE, 2))
    table.deal(ATTACKER, data(FORGED, 1, b"x"))
    outcomes = table.deal(SERVER, data(TRUE, 4, b"four"))
    for _ in range(100):
        table.now += 0.1
        table.listener.poll(table.now)
        outcomes += table.deal(SERVER, mold.heartbeat(TRUE, 5))
    assert outcomes == [SessionBegan("ABCDEFGHIJ", 2), Lost(2, 3), Delivered(4, b"four")]


def test_a_true_end_stays_one() -> None:
    table = Table()
    table.deal(SERVER, mold.end_of_session(TRUE, 2))
    table.deal(SERVER, data(FORGED, 1, b"restarted"))
    late = [data(TRUE, 1, b"one"), mold.end_of_session(TRUE, 2), mold.heartbeat(TRUE, 2)]
    assert table.deal(SERVER, *late) == []
    assert table.deal(SERVER, data(FORGED, 2, b"more")) == [Delivered(2, b"more")]


def test_what_is_no_name_of_a_session_begins_none() -> None:
    for name in (b"AB-DEFGHIJ", b"\xc4BCDEFGHIJ", b" ABCDEFGHI", b" " * 10):
        table = Table()
        table.now = 3.0
        assert table.deal(SERVER, data(name, 1, b"x")) == []
    assert table.deal(SERVER, data(b"AB        ", 1, b"x"))[1:] == [Delivered(1, b"x")]
