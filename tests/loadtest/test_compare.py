"""The harness itself, from its command to its table; no judgement on any figure."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatroom.errors import ChatroomError
from loadtest.compare import fits
from loadtest.peers import NULL, PEERS, chosen
from loadtest.work import DEFAULT_WORK, work_named


def loadtest(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "compare", *options],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_short_comparison_makes_a_table_results_and_a_picture(tmp_path: Path) -> None:
    assert shutil.which("cc"), "the C reference needs a C compiler"
    directory = tmp_path / "results"
    what = ("--short", "--peers", "epoll,c-epoll", "--work", "fanout")
    done = loadtest(*what, "--report", str(directory))
    assert done.returncode == 0, done.stderr
    assert "| C reference |" in done.stdout, done.stderr
    results = json.loads((directory / "results.json").read_text())
    assert results["schema"] == 1
    by_work = {
        work["work"]: [some["peer"] for some in work["figures"]] for work in results["works"]
    }
    assert by_work == {"fanout": ["null", "epoll", "c-epoll"]}
    figures = [some for work in results["works"] for some in work["figures"]]
    assert all(len(some["values"]["deliveries_per_second"]) == 1 for some in figures)
    assert all(some["faults"] == 0 and not some["notes"] for some in figures)
    assert (directory / "results.md").read_text() in done.stdout + "\n"
    assert "<svg" in (directory / "deliveries.svg").read_text()


def test_every_default_workload_has_a_name_that_is_understood() -> None:
    assert [work_named(name).name for name in DEFAULT_WORK] == list(DEFAULT_WORK)


def test_a_peer_runs_only_what_it_can() -> None:
    assert fits(PEERS["epoll"], work_named("fanout-json"))
    assert fits(PEERS["thread"], work_named("paced-1000-ws"))
    assert not fits(NULL, work_named("fanout-ws"))
    assert not fits(PEERS["redis"], work_named("fanout-json"))
    assert fits(PEERS["thread"], work_named("paced-1000"))
    assert not fits(PEERS["thread"], work_named("connected-10000"))
    assert not fits(PEERS["thread"], work_named("connect-storm"))


def test_what_there_is_not_is_refused_with_what_there_is() -> None:
    with pytest.raises(ChatroomError, match="there are fanout"):
        work_named("paced-")
    with pytest.raises(ChatroomError, match="there are epoll"):
        chosen(["irssi"])


def test_an_unknown_peer_is_one_line_and_no_traceback() -> None:
    done = loadtest("--peers", "telepathy")
    assert done.returncode == 1
    assert done.stderr.startswith("loadtest: no such peer: telepathy")


def test_a_peer_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.peers.PATH", "/nowhere")
    assert "apt-get install mosquitto" in PEERS["mosquitto"].missing()
    assert PEERS["epoll"].missing() == ""
