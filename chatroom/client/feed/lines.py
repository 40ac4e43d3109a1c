"""What a listener of the feed is shown, as lines."""

from __future__ import annotations

import msgspec

from chatroom.client.terminal.render import plain
from chatroom.event import decode_event
from chatroom.feed.reassembly import Outcome, SessionBegan, SessionEnded
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Delivered, Lost
from chatroom.room.visible import json_safe

#: Said once, where what comes is no event.
UNREADABLE = "what comes cannot be read: a sealed feed takes --account or --secret-file"

#: Said each time, with what came next.
REJOINED = "the interface was gone and has come back: the feed is heard again"

_encode = msgspec.json.Encoder().encode


def notice(outcome: Lost | SessionBegan | SessionEnded) -> str:
    """What is to be said when it is no event."""
    match outcome:
        case Lost(first, last) if first == last:
            return f"1 message lost (#{first})"
        case Lost(first, last):
            return f"{last - first + 1} messages lost (#{first}–#{last})"  # noqa: RUF001
        case SessionBegan(session, sequence):
            return f"listening to the log {session}, from #{sequence}"
        case SessionEnded(session, sequence):
            return f"the log {session} has ended with #{sequence - 1}"


def plain_line(outcome: Outcome) -> str:
    """One line as the server's plain format has it; empty for what is no event of this project's.

    Raises `msgspec.MsgspecError` for a message that is not an event.
    """
    if isinstance(outcome, Delivered):
        return plain(decode_event(outcome.message))
    return f"-- {notice(outcome)}"


def json_line(outcome: Outcome) -> bytes:
    """One line of JSON: an event as it came, or an object with another `kind`.

    Raises `msgspec.MsgspecError` for a message that is not an event.
    """
    match outcome:
        case Delivered(_, message):
            decode_event(message)  # whatever else a sender in this group puts there is no line
            return json_safe(message.replace(b"\n", b" "))
        case Lost(first, last):
            return _encode({"kind": "lost", "from": first, "to": last})
        case SessionBegan(session, sequence):
            return _encode({"kind": "session", "session": session, "seq": sequence})
        case SessionEnded(session, sequence):
            return _encode({"kind": "session_end", "session": session, "seq": sequence - 1})


def statistics_lines(counts: ListenerStatistics) -> list[str]:
    """The answer to `/stats`, and the last words of a run."""
    figures = counts.as_dict()
    times = [figures["repair_p50_ms"], figures["repair_p99_ms"]]
    p50, p99 = ("n/a" if time is None else f"{time:g} ms" for time in times)
    return [
        f"{counts.received} received, {counts.duplicates} duplicates,"
        f" {counts.reordered} out of order",
        f"{counts.gaps} gaps, {counts.repaired} repaired, {counts.lost} lost,"
        f" {counts.requests} requests, repair time p50 {p50}, p99 {p99}",
        f"{counts.datagrams} datagrams, {counts.ignored} ignored, {counts.unopened} not opened,"
        f" {counts.kernel_drops} dropped by the kernel",
    ]
