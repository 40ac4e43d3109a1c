"""`chatroom swarm` as its user meets it: a real server, the real command, its files."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHATROOM = [sys.executable, "-m", "chatroom"]


@pytest.fixture(name="path", scope="module")
def _path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "room.sock"


@pytest.fixture(name="port", scope="module")
def _port(path: Path) -> Iterator[str]:
    command = [*CHATROOM, "serve", "--port", "0", "--journal", ":memory:", "--unix", str(path)]
    command += ["--talk-rate", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = next((line for line in server.stderr if " ready " in line), "")
        try:
            yield ready.split("tcp=127.0.0.1:")[1].split(",")[0]
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)


def swarm(port: str, *options: str) -> subprocess.CompletedProcess[str]:
    short = ["--bots", "8", "--rate", "400", "--warmup", "0.1", "--duration", "0.25"]
    return subprocess.run(
        [*CHATROOM, "swarm", "--port", port, *short, *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("kind", "delivered"),
    [("plain", 700), ("json", 700), ("ws", 700), ("mixed", None)],  # a process's talkers are heard
)
def test_a_run_ends_with_a_verdict_and_every_delivery(
    port: str, kind: str, delivered: int | None
) -> None:
    done = swarm(port, "--format", kind, "--json", "--talkers", "3")
    assert done.returncode in (0, 4), done.stderr
    result = json.loads(done.stdout)
    assert (result["schema"], result["sent"]) == (1, 100)
    assert result["delivered"] == result["expected"]
    assert result["expected"] == (delivered or result["expected"])
    assert result["expected"] >= 500
    assert result["audit"]["faults"] == dict.fromkeys(result["audit"]["faults"], 0)
    assert result["settings"]["dialect"] == kind


@pytest.mark.usefixtures("port")
def test_a_swarm_comes_in_by_a_unix_socket(path: Path) -> None:
    done = swarm("9", "--host", f"unix:{path}", "--json")
    assert done.returncode in (0, 4), done.stderr
    result = json.loads(done.stdout)
    assert result["delivered"] == result["expected"] == 700
    assert result["audit"]["faults"] == dict.fromkeys(result["audit"]["faults"], 0)


def test_where_no_unix_socket_is_one_line_says_so(tmp_path: Path) -> None:
    place = f"unix:{tmp_path}/nothing"
    done = swarm("9", "--host", place)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"chatroom: nobody answers at {place}: start")


def test_several_processes_see_one_order(port: str) -> None:
    done = swarm(port, "--processes", "2", "--json", "--talkers", "3")
    assert done.returncode in (0, 4), done.stderr
    result = json.loads(done.stdout)
    assert result["same_order"]
    assert result["sent"] > 90
    assert result["delivered"] == result["expected"] == result["sent"] * 7


def test_the_report_has_its_files(port: str, tmp_path: Path) -> None:
    done = swarm(port, "--report", str(tmp_path / "new"), "--threshold", "p50<1us")
    assert done.returncode in (4, 99), done.stderr
    assert "threshold p50<1us: crossed" in done.stdout
    assert "one order for all" in " ".join(done.stdout.split())
    run = json.loads((tmp_path / "new/run.json").read_text())
    assert run["latency"]["count"] == run["delivered"] == 700
    lines = (tmp_path / "new/latency.hgrm").read_text().splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    last = [line for line in lines if line and not line.startswith("#")][-1].split()
    assert (last[1], last[2], last[3]) == ("1.000000000000", "700", "inf")
    with (tmp_path / "new/series.csv").open() as file:
        assert next(csv.reader(file))[:2] == ["second", "sent"]
    for picture in ("latency.svg", "timeline.svg"):
        assert "<svg" in (tmp_path / "new" / picture).read_text()


def test_ctrl_c_ends_it_early_with_a_report(port: str) -> None:
    command = [*CHATROOM, "swarm", "--port", port, "--bots", "5", "--warmup", "0"]
    with subprocess.Popen(
        [*command, "--duration", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        while "measuring" not in run.stderr.readline():
            pass
        run.send_signal(signal.SIGINT)
        output, errors = run.communicate(timeout=60)
    assert run.returncode in (4, 130), errors
    assert "it was stopped early" in " ".join(output.split())
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rate", "5", "--in-flight", "5"], "exclude each other"),
        (["--talkers", "9"], "are more than --bots"),
        (["--threshold", "p99<5"], "needs a unit"),
        (["--size", "10"], "--size"),
        (["--mode", "pigeon"], "pigeon"),
    ],
)
def test_what_can_t_be_meant_is_a_usage_error(options: list[str], complaint: str) -> None:
    done = swarm("9", *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_server_one_line_says_what_to_do() -> None:
    done = swarm("9", "--host", "127.0.0.1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("chatroom: nobody answers at 127.0.0.1:9:")
    assert "Traceback" not in done.stderr


def test_a_room_is_loaded_by_two_ways_at_once(port: str, path: Path) -> None:
    places = ["--server", f"127.0.0.1:{port}", "--server", f"unix:{path}"]
    done = swarm("9", *places, "--json", "--talkers", "2")
    assert done.returncode in (0, 4), done.stderr
    servers = [one["server"] for one in json.loads(done.stdout)["servers"]]
    assert servers == [f"127.0.0.1:{port}", f"unix:{path}"]


@pytest.mark.parametrize("name", ["a:b", "ws://a:1/ws"])
def test_a_server_has_a_name_and_a_port(name: str) -> None:
    done = swarm("9", "--server", name)
    assert done.returncode == 2
    assert "--server" in done.stderr
