"""Two network namespaces joined by a cable that loses packets: a real network on one machine.

Needs root, `ip` (iproute2) and `nft` (nftables). Nothing outside the two namespaces is touched, and
they are removed again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from chatroom.errors import ChatroomError


@dataclass(frozen=True)
class Side:
    """One end: a namespace, its interface and its address."""

    namespace: str
    interface: str
    address: str

    def command(self, command: Sequence[str]) -> list[str]:
        """`command` as it is to be run to happen on this side."""
        return ["ip", "netns", "exec", self.namespace, *command]


@dataclass(frozen=True)
class Cable:
    """Both ends. What `far` receives by UDP is dropped by chance, multicast and unicast alike."""

    near: Side
    far: Side


def missing() -> str:
    """What is not here that namespaces and loss need; empty if all is."""
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return forbidden()


def forbidden() -> str:
    """Why namespaces may not be made here; empty if they may, or if there is no tool to try it."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which("ip") is None:
        return ""
    name = f"chatroom-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if tried.returncode == 0:
        _run("ip", "netns", "del", name)
        return ""
    return f"this machine allows no network namespaces: {tried.stderr.decode().strip()}"


@contextmanager
def cable(loss_percent: int) -> Iterator[Cable]:
    """A cable that drops so many of a hundred packets. Raises `ChatroomError` if it can't be made.

    The addresses are private to the namespaces, so several cables may exist at a time.
    """
    if why := missing():
        raise ChatroomError(why)
    with ExitStack() as cleaning:
        sides = []
        for number, letter in enumerate("ab", 1):
            side = Side(f"chatroom-{os.getpid()}-{letter}", f"cable-{letter}", f"10.93.0.{number}")
            _run("ip", "netns", "add", side.namespace)
            cleaning.callback(_run, "ip", "netns", "del", side.namespace)
            sides.append(side)
        near, far = sides
        _run(
            *("ip", "link", "add", near.interface, "netns", near.namespace, "type", "veth"),
            *("peer", "name", far.interface, "netns", far.namespace),
        )
        for side in sides:
            # Nobody else is there who could have the same IPv6 address: no wait to find that out.
            no_detection = f"echo 0 > /proc/sys/net/ipv6/conf/{side.interface}/accept_dad"
            _run(*side.command(["sh", "-c", no_detection]))
            for args in (
                ("link", "set", "lo", "up"),
                ("addr", "add", f"{side.address}/24", "dev", side.interface),
                ("link", "set", side.interface, "up"),
            ):
                _run("ip", "-n", side.namespace, *args)
        if loss_percent:
            _drop(far, loss_percent)
        yield Cable(near, far)


def cut(side: Side) -> None:
    """The cable's plug is pulled at this end: nothing goes through any more, and nobody is told."""
    rules = """
        table inet cut {
            chain input { type filter hook input priority 0; policy drop; }
            chain output { type filter hook output priority 0; policy drop; }
        }
    """
    _run(*side.command(["nft", "-f", "-"]), given=rules)


def mend(side: Side) -> None:
    """The plug is in again, after `cut`."""
    _run(*side.command(["nft", "delete", "table", "inet", "cut"]))


def _drop(side: Side, percent: int) -> None:
    rules = f"""
        table inet loss {{
            chain input {{
                type filter hook input priority 0;
                meta l4proto udp numgen random mod 100 < {percent} drop
            }}
        }}
    """
    _run(*side.command(["nft", "-f", "-"]), given=rules)


def _run(*command: str, given: str = "") -> None:
    done = subprocess.run(command, input=given.encode(), capture_output=True, check=False)
    if done.returncode:
        raise ChatroomError(f"{' '.join(command)}: {done.stderr.decode().strip()}")
