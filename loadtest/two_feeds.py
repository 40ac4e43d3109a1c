"""The feed of a room on two servers, each on a group of its own, over a network that loses a tenth:
what is left to ask for when a listener takes both, and when it takes one.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from chatroom.settings import DEFAULT_GROUP
from loadtest.namespaces import Side, cable
from loadtest.redis import redis_server
from loadtest.serving import serving, swarm
from loadtest.started import Started, started

LOSS_PERCENT = 10
_RATE = 1000
_COUNTS = re.compile(r"(\d+) (received|repaired|lost)\b")


class Heard(NamedTuple):
    """What a listener has counted, in messages."""

    received: int
    repaired: int
    lost: int

    @property
    def repaired_percent(self) -> float:
        """Of what it has received."""
        return 100 * self.repaired / max(1, self.received)


def listen(seconds: float) -> tuple[Heard, Heard]:
    """What a listener to one group has heard, and what one to both, of the same talk. Needs root.
    Raises `ChatroomError` if it is not possible.
    """
    with cable(LOSS_PERCENT) as link, redis_server("everysec") as url, ExitStack() as stack:
        near, far = link.near, link.far
        options = ["--host", near.address, "--multicast-interface", near.interface]
        options += ["--cluster", url, "--name"]
        ports = [
            stack.enter_context(serving(near.command([]), *options, name)).port for name in "ab"
        ]
        one = stack.enter_context(started(_listening(far, ports[:1])))
        both = stack.enter_context(started(_listening(far, ports)))
        _talk(near, ports, seconds)
        return _counts(one), _counts(both)


def _listening(side: Side, ports: Sequence[int]) -> list[str]:
    command = [sys.executable, "-m", "chatroom", "client", "--mode", "multicast"]
    groups = [part for port in ports for part in ("--group", f"{DEFAULT_GROUP}:{port + 1}")]
    return side.command([*command, "--interface", side.interface, *groups])


def _talk(side: Side, ports: Sequence[int], seconds: float) -> None:
    servers = [part for port in ports for part in ("--server", f"{side.address}:{port}")]
    load = ("--bots", "2", "--talkers", "1", "--rate", str(_RATE), "--duration", str(seconds))
    swarm(side.command([]), *servers, *load, "--warmup", "0.1", "--processes", str(len(ports)))


def _counts(listener: Started) -> Heard:
    """Have it end, and say its counts."""
    listener.process.send_signal(signal.SIGINT)
    lines = [listener.wait_for(word) for word in (" received, ", " repaired, ")]
    counts = {word: int(number) for number, word in _COUNTS.findall(" ".join(lines))}
    return Heard(counts["received"], counts["repaired"], counts["lost"])
