"""Sealed blocks: opened by who has the key, and nothing that was changed, moved or forged is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.errors import ChatroomError
from chatroom.feed.reassembly import Outcome, Reassembly, SessionBegan, SessionEnded
from chatroom.feed.seal import OVERHEAD_BYTES, Keyring, Sealer
from chatroom.feed.sessions import Introduction
from chatroom.feed.stream import Delivered, Lost
from chatroom.protocol import moldudp64 as mold
from chatroom.protocol.answers import FeedKey

SESSION, OTHER = b"ABCDEFGHIJ", b"0123456789"


def keyring_of(sealer: Sealer) -> Keyring:
    keyring = Keyring()
    keyring.take([sealer.key, sealer.next_key], 0.0)
    return keyring


def datagram(sealer: Sealer, sequence: int, *messages: bytes, session: bytes = SESSION) -> bytes:
    (packet,) = mold.packets(session, sequence, sealer.blocks(sequence, messages), 1452)
    return packet


def opened(keyring: Keyring, data: bytes) -> list[bytes] | None:
    packet = keyring.unseal(mold.decode_packet(data), 0.0)
    return None if packet is None else list(packet.messages)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 2**62))
def test_what_is_sealed_is_opened(messages: list[bytes], sequence: int) -> None:
    sealer = Sealer(SESSION)
    data = datagram(sealer, sequence, *messages)
    assert opened(keyring_of(sealer), data) == messages
    assert len(data) == 20 + sum(2 + OVERHEAD_BYTES + len(message) for message in messages)


@given(st.data(), st.binary(min_size=1, max_size=60))
def test_nothing_that_was_changed_is_opened(data: st.DataObject, message: bytes) -> None:
    sealer = Sealer(SESSION)
    whole = bytearray(datagram(sealer, 7, message))
    place = data.draw(st.integers(22, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    keyring = keyring_of(sealer)
    assert opened(keyring, bytes(whole)) is None
    assert keyring.unopened == 1


@given(st.binary(max_size=80))
def test_nothing_that_was_made_up_is_opened(block: bytes) -> None:
    (packet,) = mold.packets(SESSION, 1, [mold.block(block)], 1452)
    assert opened(keyring_of(Sealer(SESSION)), packet) is None


def test_a_block_stands_for_no_other_number_and_in_no_other_log() -> None:
    sealer = Sealer(SESSION)
    keyring, block = keyring_of(sealer), sealer.blocks(7, [b"hello"])
    for session, sequence, result in [
        (SESSION, 7, [b"hello"]),
        (SESSION, 8, None),
        (OTHER, 7, None),
    ]:
        (packet,) = mold.packets(session, sequence, block, 1452)
        assert opened(keyring, packet) == result


@pytest.mark.parametrize("change", [Sealer.turn, Sealer.revoke, lambda sealer: None])
def test_no_nonce_comes_twice_under_a_key(change: Callable[[Sealer], None]) -> None:
    sealer = Sealer(SESSION)
    nonces = set()
    for number in range(50):
        # The same event again, as when its text was taken back, and as an answer.
        for block in [*sealer.blocks(7, [b"hello"] * 2), sealer.last_block(7, b"hello")]:
            nonces.add(block[2:14])
        if number % 10 == 0:
            change(sealer)
    assert len(nonces) == 150


def test_keys_turn_and_who_has_the_next_one_reads_on() -> None:
    sealer = Sealer(SESSION)
    keyring = keyring_of(sealer)
    first, second = sealer.key, sealer.next_key
    sealer.turn()
    assert (sealer.key, sealer.next_key != first) == (second, True)
    assert opened(keyring, datagram(sealer, 1, b"a")) == [b"a"]
    assert not keyring.lacks_key
    sealer.turn()
    assert opened(keyring, datagram(sealer, 2, b"b")) is None
    assert keyring.lacks_key


def test_who_is_not_to_read_on_has_no_key_any_more() -> None:
    sealer = Sealer(SESSION)
    banned, member = keyring_of(sealer), keyring_of(sealer)
    late = datagram(sealer, 1, b"on its way")
    sealer.revoke()
    member.take([sealer.key, sealer.next_key], 10.0)
    after = mold.decode_packet(datagram(sealer, 2, b"b"))
    assert banned.unseal(after, 10.0) is None
    assert member.unseal(after, 10.0) is not None
    # What was under way is opened for two seconds more.
    assert member.unseal(mold.decode_packet(late), 11.9) is not None
    assert member.unseal(mold.decode_packet(late), 12.1) is None


@pytest.mark.parametrize(
    "key",
    [
        FeedKey("00000000", "ROT13", ""),
        FeedKey("xyz", "AES-128-GCM", ""),
        FeedKey("00000000", "AES-128-GCM", "AAAA"),
        FeedKey("00000000", "AES-128-GCM", "?"),
    ],
)
def test_a_key_that_is_none_is_refused(key: FeedKey) -> None:
    with pytest.raises(ChatroomError):
        Keyring().take([key], 0.0)


def test_a_key_is_in_no_log() -> None:
    key = Sealer(SESSION).key
    assert key.secret not in repr(key)
    assert msgspec.json.decode(msgspec.json.encode(key), type=FeedKey) == key


# A listener with a key


class Table:
    """A listener with a key, and what it has been dealt."""

    def __init__(self) -> None:
        self.sealer = Sealer(SESSION)
        self.keyring = keyring_of(self.sealer)
        self.listener = Reassembly(keyring=self.keyring)
        self.now = 0.0
        self.introduce(first=1, seq=0)

    def introduce(self, *, first: int, seq: int, session: bytes = SESSION, server: int = 0) -> None:
        self.listener.introduce(Introduction(session.decode(), first, seq), self.now, server)

    def deal(self, *datagrams: bytes) -> list[Outcome]:
        for data in datagrams:
            self.listener.receive(data, self.now)
        return self.listener.take_outcomes()

    def hear(self, source: str, data: bytes) -> bool:
        return self.listener.receive(data, self.now, source)

    def wait(self, seconds: float, *datagrams: bytes) -> list[Outcome]:
        """Time passes, and requests get no answer."""
        outcomes = []
        end = self.now + seconds
        while self.now < end:
            self.now += 0.05
            self.listener.poll(self.now)
            outcomes += self.deal(*datagrams)
        return outcomes


def test_it_begins_where_the_server_says() -> None:
    table = Table()
    table.introduce(first=1, seq=0)
    assert table.deal(datagram(table.sealer, 1, b"a", b"b")) == [
        SessionBegan("ABCDEFGHIJ", 1),
        Delivered(1, b"a"),
        Delivered(2, b"b"),
    ]


def test_a_forged_heartbeat_costs_nothing_and_reports_no_loss() -> None:
    table = Table()
    table.deal(datagram(table.sealer, 1, b"a"))
    forged = mold.heartbeat(SESSION, 2**40)
    assert table.wait(15.0, forged) == []
    assert table.deal(datagram(table.sealer, 2, b"b")) == [Delivered(2, b"b")]
    assert table.listener.statistics.lost == 0


def test_a_heartbeat_says_where_to_ask() -> None:
    table = Table()
    table.deal(mold.heartbeat(SESSION, 3))
    table.now += 0.1
    assert [one.packet for one in table.listener.poll(table.now)] == [mold.request(SESSION, 1, 2)]
    table.listener.receive_answer(datagram(table.sealer, 1, b"a", b"b"), table.now)
    assert table.deal() == [Delivered(1, b"a"), Delivered(2, b"b")]


def test_what_is_missing_below_a_sealed_message_is_lost_in_the_open() -> None:
    table = Table()
    table.deal(datagram(table.sealer, 1, b"a"))
    outcomes = table.deal(datagram(table.sealer, 3, b"c")) + table.wait(10.0)
    assert outcomes == [Lost(2, 2), Delivered(3, b"c")]


def test_a_forged_end_and_a_session_of_the_attackers_own_are_not_believed() -> None:
    table = Table()
    table.deal(datagram(table.sealer, 1, b"a"))
    stranger = Sealer(OTHER)
    attack = [
        mold.end_of_session(SESSION, 2),
        mold.heartbeat(OTHER, 1),
        datagram(stranger, 1, b"x", session=OTHER),
        next(mold.packets(OTHER, 2, [mold.block(b"y")], 1452)),
    ]
    assert table.wait(5.0, *attack) == []
    assert table.listener.puzzled
    assert table.deal(datagram(table.sealer, 2, b"b")) == [Delivered(2, b"b")]


def test_a_stranger_that_beats_first_keeps_no_sealed_message_out() -> None:
    table = Table()
    for number in range(1, 20):
        table.now += 0.5
        table.hear("stranger", mold.heartbeat(SESSION, number))
        assert table.hear("server", datagram(table.sealer, number, b"true"))
    delivered = [one for one in table.listener.take_outcomes() if isinstance(one, Delivered)]
    assert delivered == [Delivered(number, b"true") for number in range(1, 20)]


def test_neither_heartbeats_nor_replays_of_a_stranger_change_whom_to_ask() -> None:
    table = Table()
    once = datagram(table.sealer, 1, b"a")
    assert table.hear("server", once)
    for _ in range(10):
        table.now += 0.5
        assert not table.hear("stranger", mold.heartbeat(SESSION, 9))
        assert not table.hear("stranger", once)
        assert table.hear("server", mold.heartbeat(SESSION, 2))


def test_while_nobody_is_vouched_for_whoever_beats_is_asked() -> None:
    table = Table()
    assert table.hear("stranger", mold.heartbeat(SESSION, 3))
    assert table.hear("server", mold.heartbeat(SESSION, 3))


def test_a_message_that_waits_for_others_says_whom_to_ask_for_them() -> None:
    table = Table()
    table.hear("stranger", mold.heartbeat(SESSION, 1))
    beyond = datagram(table.sealer, 3, b"c")
    assert table.hear("server", beyond)
    assert not table.hear("stranger", mold.heartbeat(SESSION, 1))
    assert not table.hear("stranger", beyond)


def test_a_server_with_another_address_is_asked_there() -> None:
    table = Table()
    assert table.hear("server", datagram(table.sealer, 1, b"a"))
    assert table.hear("moved", datagram(table.sealer, 2, b"b"))
    table.now += 3.0
    assert table.hear("moved again", mold.heartbeat(SESSION, 3))


def test_no_heartbeat_brings_a_session_back_whose_end_was_sealed() -> None:
    table = Table()
    table.hear("server", datagram(table.sealer, 1, b"a"))
    (last,) = mold.packets(SESSION, 1, [table.sealer.last_block(1, b"a")], 1452)
    table.hear("server", last)
    assert table.deal()[-1] == SessionEnded("ABCDEFGHIJ", 2)
    sealer = Sealer(OTHER)
    table.keyring.take([sealer.key], 0.0)
    table.introduce(first=1, seq=0, session=OTHER)
    assert table.deal() == [SessionBegan("0123456789", 1)]
    assert not table.hear("server", mold.heartbeat(SESSION, 99))
    assert table.deal(datagram(sealer, 1, b"b", session=OTHER)) == [Delivered(1, b"b")]


def test_the_end_is_believed_of_a_sealed_block() -> None:
    table = Table()
    table.deal(datagram(table.sealer, 1, b"a"))
    (last,) = mold.packets(SESSION, 2, [table.sealer.last_block(2, b"b")], 1452)
    assert table.deal(mold.end_of_session(SESSION, 3), last, last) == [
        Delivered(2, b"b"),
        SessionEnded("ABCDEFGHIJ", 3),
    ]


def test_the_next_server_is_followed_from_its_first_number_and_the_old_one_is_over() -> None:
    table = Table()
    old = datagram(table.sealer, 1, b"a")
    table.deal(old)
    sealer = Sealer(OTHER)
    table.keyring.take([sealer.key], 0.0)
    table.introduce(first=101, seq=102, session=OTHER)
    assert table.deal(datagram(sealer, 103, b"c", session=OTHER)) == [
        SessionBegan("0123456789", 101)
    ]
    # What the old server sealed may be sent again by anybody.
    assert table.deal(datagram(table.sealer, 2, b"old"), old) == []
    table.listener.receive_answer(datagram(sealer, 101, b"a", b"b", session=OTHER), 0.1)
    assert table.deal() == [Delivered(101, b"a"), Delivered(102, b"b"), Delivered(103, b"c")]


def test_what_was_sealed_in_another_session_only_puzzles() -> None:
    """By the same key, as a server has it that began its log anew while it ran."""
    table = Table()
    table.sealer.session = OTHER
    recorded = datagram(table.sealer, 7, b"old", session=OTHER)
    table.sealer.session = SESSION
    table.deal(datagram(table.sealer, 1, b"a"))
    assert not table.listener.puzzled
    assert table.deal(recorded) == []
    assert table.listener.puzzled
    table.introduce(first=1, seq=1)
    assert not table.listener.puzzled
    assert table.deal(datagram(table.sealer, 2, b"b")) == [Delivered(2, b"b")]


def test_of_two_servers_that_differ_the_one_that_is_behind_is_not_followed() -> None:
    table = Table()
    table.introduce(first=1, seq=0, server=1)
    table.introduce(first=11, seq=10, session=OTHER)
    table.deal()
    table.introduce(first=1, seq=5, server=1)
    assert table.deal() == []
    table.introduce(first=11, seq=10, session=OTHER, server=1)  # it has caught up
    table.sealer.session = OTHER
    assert table.deal(datagram(table.sealer, 11, b"a", session=OTHER)) == [Delivered(11, b"a")]


def test_of_two_servers_the_one_that_is_behind_may_be_asked_first_or_last() -> None:
    for order in ((0, 1), (1, 0)):
        listener = Reassembly(keyring=Keyring())
        words = (Introduction("NEW1234567", 11, 10), Introduction("OLD1234567", 1, 10))
        for server in order:
            listener.introduce(words[server], 0.0, server)
        began = listener.take_outcomes()[-1]
        assert isinstance(began, SessionBegan)
        assert began.session == "NEW1234567"


def test_a_session_that_is_named_and_heard_no_more_is_left_for_the_one_that_is() -> None:
    """The server that has named it is gone, and another has begun anew."""
    table = Table()
    table.deal(datagram(table.sealer, 1, b"a"))
    table.now = 29.0
    table.introduce(first=1, seq=0, session=OTHER, server=1)
    assert table.deal() == []  # the other may be asked in a moment
    table.now = 31.0
    table.introduce(first=1, seq=0, session=OTHER, server=1)
    assert table.deal() == [SessionBegan("0123456789", 1)]


@pytest.mark.parametrize("named", [True, False])
def test_a_session_that_is_named_or_heard_is_not_left_for_one_that_is_behind(named: bool) -> None:
    table = Table()
    table.now = 29.0
    if named:
        table.introduce(first=1, seq=0)
    else:
        table.deal(datagram(table.sealer, 1, b"a"))
    table.deal()
    table.now = 31.0
    table.introduce(first=1, seq=0, session=OTHER, server=1)
    assert table.deal() == []


def test_a_server_may_take_back_its_word() -> None:
    """As one does that keeps its log in memory, and was started again."""
    table = Table()
    table.introduce(first=101, seq=110, session=OTHER)
    table.introduce(first=1, seq=0)
    assert table.deal()[-1] == SessionBegan("ABCDEFGHIJ", 1)


def test_one_of_two_servers_on_a_group_ends_alone() -> None:
    table = Table()
    table.hear("a", datagram(table.sealer, 1, b"a"))
    table.hear("b", datagram(table.sealer, 1, b"a"))
    table.deal()
    (last,) = mold.packets(SESSION, 1, [table.sealer.last_block(1, b"a")], 1452)
    table.hear("a", last)
    assert table.deal() == []
    table.hear("b", datagram(table.sealer, 2, b"b"))
    assert table.deal() == [Delivered(2, b"b")]


@given(st.lists(st.binary(max_size=60) | st.sampled_from(["beat", "end", "data"]), max_size=12))
def test_no_forger_makes_it_deliver_or_lose_anything(forged: list[bytes | str]) -> None:
    table = Table()
    table.deal(datagram(table.sealer, 1, b"a"))
    stranger = Sealer(SESSION)
    kinds = {
        "beat": mold.heartbeat(SESSION, 9),
        "end": mold.end_of_session(SESSION, 2),
        "data": datagram(stranger, 2, b"x"),
    }
    for one in forged:
        data = kinds[one] if isinstance(one, str) else mold.HEADER.pack(SESSION, 2, 1) + one
        assert table.wait(0.3, data) == []
    assert table.deal(datagram(table.sealer, 2, b"b")) == [Delivered(2, b"b")]


def test_the_keys_of_one_server_end_none_of_anothers() -> None:
    ring = Keyring()
    first, second = Sealer(SESSION), Sealer(SESSION)
    ring.take([first.key], 0, server=0)
    ring.take([second.key], 0, server=1)
    ring.take([second.next_key], 1, server=1)
    (of_first,) = mold.packets(SESSION, 1, first.blocks(1, [b"one"]), 1400)
    (of_second,) = mold.packets(SESSION, 1, second.blocks(1, [b"one"]), 1400)
    opened = ring.unseal(mold.decode_packet(of_first), 9)
    assert opened is not None
    assert opened.messages == [b"one"]
    assert ring.unseal(mold.decode_packet(of_second), 9) is None
    assert ring.lacks_key
