"""What only a real network shows: a peer that vanishes, and one that comes from another machine.

In namespaces, where root may make them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadtest.namespaces import Cable, cable, cut, forbidden
from loadtest.started import Started, started

PORT = "9009"  # nobody else is in the namespace

LOST_SECONDS = 4.0  # the shortest that there is


@contextmanager
def served(link: Cable, mode: str, *options: str) -> Iterator[Started]:
    """A room on all addresses of the near end."""
    serve = [sys.executable, "-m", "chatroom", "serve", "--journal", ":memory:", "--no-multicast"]
    serve += ["--host", "0.0.0.0", "--port", PORT, "--mode", mode, *options]
    with started(link.near.command(serve)) as server:
        server.wait_for(" ready ")
        yield server


def say(link: Cable, text: str, *, far: bool = False) -> str:
    """Say a line, from one of the ends; what is heard until the server closes."""
    side = link.far if far else link.near
    command = side.command(["nc", "-N", link.near.address, PORT])
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, check=False, timeout=20
    )
    return done.stdout.decode()


if not forbidden():

    @pytest.mark.parametrize("talking", [False, True])
    def test_a_peer_whose_link_is_cut_is_lost(mode: str, talking: bool) -> None:
        with cable(loss_percent=0) as link, served(link, mode, "--lost-timeout", "4"):
            silent = ["nc", "-d", link.near.address, PORT]
            with started(link.near.command(silent)) as witness:
                witness.wait_for("you are guest1")
                with started(link.far.command(silent)):
                    witness.wait_for("guest2 joined")
                    began = time.monotonic()
                    cut(link.far)
                    if talking:
                        say(link, "hello\n")
                    witness.wait_for("guest2 left (lost)", LOST_SECONDS + 10)
                    took = time.monotonic() - began
        # On a busy machine it is seen late.
        assert LOST_SECONDS / 2 - 0.5 < took < LOST_SECONDS + 8

    def test_another_machine_has_its_share_of_connections(mode: str) -> None:
        limits = ("--address-connections", "2", "--address-rate", "0")
        with cable(loss_percent=0) as link, served(link, mode, *limits):
            stays = ["nc", "-d", link.near.address, PORT]
            with started(link.near.command(stays)) as witness:
                witness.wait_for("you are guest1")
                with started(link.far.command(stays)), started(link.far.command(stays)):
                    witness.wait_for("guest2 joined")
                    witness.wait_for("guest3 joined")
                    assert say(link, "hello\n", far=True) == (
                        "-- too many connections from your address (too_many_connections)\n"
                    )
                witness.wait_for("guest2 left")
                witness.wait_for("guest3 left")
            assert "(quit)" in say(link, "/quit\n", far=True)

    def test_another_machine_has_its_share_of_newcomers_and_this_one_all(mode: str) -> None:
        with (
            cable(loss_percent=0) as link,
            served(link, mode, "--address-rate", "1") as server,
        ):
            assert "(quit)" in say(link, "/quit\n", far=True)
            assert say(link, "NICK ann\r\n", far=True) == (
                "ERROR :Closing link: (too_many_connections) too many new connections from your"
                " address: wait a minute\r\n"
            )
            # What comes over its own address to itself is another address, and has its own share.
            assert "(quit)" in say(link, "/quit\n")
            server.wait_for(f"newcomers are turned away, {link.far.address}")
