"""A real link that loses packets, and what standard tools say about the feed.

The tests in namespaces exist where root may make them. Loss is tested everywhere over a relay, in
`test_live_feed`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtest.namespaces import Cable, Side, cable, forbidden
from loadtest.started import started


@contextmanager
def served(link: Cable, *options: str) -> Iterator[None]:
    """A room at the near end."""
    near = link.near
    serve = [sys.executable, "-m", "chatroom", "serve", "--journal", ":memory:", *options]
    serve += ["--talk-rate", "0"]
    serve += ["--host", near.address, "--multicast-interface", near.interface]
    with started(near.command(serve)) as server:
        server.wait_for(" ready ")
        yield


def swarm(link: Cable, *options: str) -> dict[str, Any]:
    """Run listeners at the far end; the result."""
    far = link.far
    command = [sys.executable, "-m", "chatroom", "swarm", "--mode", "multicast", "--json"]
    command += ["--host", link.near.address, "--interface", far.interface, *options]
    done = subprocess.run(
        far.command(command), capture_output=True, timeout=60, check=False, env=os.environ
    )
    assert done.stdout, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if not forbidden():

    @pytest.mark.parametrize("group", ["239.255.90.9:9010", "[ff15::9009]:9010"])
    def test_a_tenth_lost_between_two_hosts_and_every_event_arrives(group: str) -> None:
        pace = ("--bots", "5", "--rate", "400", "--warmup", "0.1", "--duration", "0.7")
        with cable(loss_percent=10) as link, served(link, "--multicast", group):
            result = swarm(link, *pace, "--group", group)

        assert result["audit"]["faults"]["lost"] == 0
        assert result["audit"]["readers"] == 5
        for listener in result["feed"]["listeners"]:
            assert listener["repaired"] > 0.02 * listener["received"]
            assert listener["lost"] == 0
            assert listener["requests"] <= 3 * listener["repaired"]

    def test_tshark_finds_every_packet_in_order_and_none_malformed(tmp_path: Path) -> None:
        assert shutil.which("tshark"), "the README's test command installs tshark"
        with cable(loss_percent=0) as link:
            capture = tmp_path / "feed.pcap"
            with capturing(link.far, capture), served(link):
                result = swarm(
                    link, "--bots", "1", "--rate", "300", "--warmup", "0.2", "--duration", "0.7"
                )
            packets = decoded(capture)

        assert result["audit"]["faults"]["lost"] == 0
        expected = 1
        for packet in packets:
            assert int(packet["sequence"]) == expected
            assert packet["session"] == packets[0]["session"]
            count = int(packet["count"])
            if count == 0xFFFF:
                break
            numbers = [int(number) for number in packet["msgseq"].split(",") if number]
            assert numbers == list(range(expected, expected + count))
            expected += count
        assert packets[-1]["count"] == END_OF_SESSION  # the end of the session
        assert expected > 200
        assert all(packet["faults"] == "" for packet in packets)

    def test_the_interface_comes_back_with_another_address(tmp_path: Path) -> None:
        """And what is lost then is asked for, and answered, there."""
        room = str(tmp_path / "room.sock")
        listen = [sys.executable, "-m", "chatroom", "client", "--mode", "multicast", "--from", "1"]
        with cable(loss_percent=30) as link, served(link, "--unix", room):
            near, far = link.near, link.far
            listen += ["--interface", far.interface]
            with started(far.command(listen)) as listener:
                say(room, "before")
                listener.wait_for("bob: before")
                change = (
                    f"ip addr del {near.address}/24 dev {near.interface}; "
                    f"ip addr add 10.93.0.77/24 dev {near.interface}"
                )
                subprocess.run(near.command(["sh", "-c", change]), check=True)
                for number in range(20):
                    say(room, f"after {number}")
                for number in range(20):
                    listener.wait_for(f"bob: after {number}")


def say(room: str, text: str) -> None:
    """Say something in a room by its Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(room)
        sock.sendall(f"/nick bob\n{text}\n/quit\n".encode())
        while sock.recv(4096):
            pass


END_OF_SESSION = "65535"  # the count of a packet that says so


@contextmanager
def capturing(side: Side, file: Path) -> Iterator[None]:
    """Capture what arrives on UDP port 9010, until the end of the session was seen."""
    command = ["tshark", "-l", "-P", "-i", side.interface, "-f", "udp port 9010", "-w", str(file)]
    command += ["-d", "udp.port==9010,moldudp64", "-T", "fields", "-e", "moldudp64.count"]
    with started(side.command(command)) as capture:
        capture.wait_for("Capturing on")
        yield
        capture.wait_for(END_OF_SESSION)


FIELDS = {
    "session": "moldudp64.session",
    "sequence": "moldudp64.sequence",
    "count": "moldudp64.count",
    "msgseq": "moldudp64.msgseq",
    "malformed": "_ws.malformed",
    "length": "moldudp64.msglen.invalid",
    "extra": "moldudp64.end_of_session_extra",
    "countfault": "moldudp64.count.invalid",
}


def decoded(file: Path) -> list[dict[str, str]]:
    """What tshark makes of the packets in a file."""
    fields = [option for field in FIELDS.values() for option in ("-e", field)]
    command = ["tshark", "-r", str(file), "-d", "udp.port==9010,moldudp64", "-T", "fields", *fields]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    packets = [dict(zip(FIELDS, row, strict=False)) for row in rows]
    for packet in packets:
        faults = ("malformed", "length", "extra", "countfault")
        packet["faults"] = "".join(packet.get(fault, "") for fault in faults)
    return packets
