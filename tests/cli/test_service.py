"""The units that `chatroom service` prints."""

from __future__ import annotations

import re
from configparser import RawConfigParser

import pytest

from chatroom.cli.service import _quoted
from tests.cli.test_usage import RunMain, run_main

__all__ = ["run_main"]  # a fixture


def printed(run_main: RunMain, *options: str) -> RawConfigParser:
    code, out, err = run_main("service", *options)
    assert (code, err) == (0, "")
    unit = RawConfigParser(strict=False)  # a filter of system calls stands in several lines
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(out)
    return unit


def test_the_service_has_no_rights_beyond_its_own_folder(run_main: RunMain) -> None:
    unit = printed(run_main, "--config", "/etc/chatroom.toml")["Service"]
    assert unit["Type"] == "notify"
    assert unit["ExecStart"].endswith(" serve --config /etc/chatroom.toml")
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert unit["CapabilityBoundingSet"] == ""
    assert unit["Environment"].startswith("CHATROOM_JOURNAL=%S/chatroom/chatroom.db ")
    for key in ("DynamicUser", "NoNewPrivileges", "PrivateUsers", "RestrictNamespaces"):
        assert unit[key] == "yes"
    assert unit["ProtectSystem"] == "strict"


def test_of_what_changes_the_machine_only_its_own_threads_are_placed(run_main: RunMain) -> None:
    _, out, _ = run_main("service")
    assert re.findall("^SystemCallFilter=(.*)", out, re.MULTILINE) == [
        "@system-service",
        "~@privileged @resources",
        "sched_setaffinity",  # see chatroom.server.fanout.elsewhere
    ]


def test_what_outlives_a_crash_is_kept_for_the_restart(run_main: RunMain) -> None:
    unit = printed(run_main)["Service"]
    assert unit["RuntimeDirectory"] == "chatroom"
    assert unit["RuntimeDirectoryMode"] == "0700"
    assert unit["RuntimeDirectoryPreserve"] == "restart"
    assert unit["Environment"].endswith(" CHATROOM_BOOT_ID=%b")


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "0.0.0.0:9019"), ("::", "[::]:9019")])
def test_the_socket_listens_where_it_is_told(run_main: RunMain, host: str, address: str) -> None:
    unit = printed(run_main, "--unit", "socket", "--host", host, "--port", "9019")
    assert unit["Socket"]["ListenStream"] == address


@pytest.mark.parametrize(
    ("word", "quoted"),
    [("/opt/chatroom", "/opt/chatroom"), ("/a b/%c", '"/a b/%%c"'), ('$x"', '$$x\\"')],
)
def test_words_are_written_as_systemd_reads_them(word: str, quoted: str) -> None:
    assert _quoted(word) == quoted
