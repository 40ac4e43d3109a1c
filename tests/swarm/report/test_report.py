"""What came of a run is not thrown away because some of it cannot be told."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from chatroom.errors import ChatroomError
from chatroom.swarm import command
from chatroom.swarm.command import Invocation, run_command
from chatroom.swarm.figures.status import Phase, Status
from chatroom.swarm.report.files import prepare
from chatroom.swarm.report.live import _Log
from chatroom.swarm.report.pictures import draw
from chatroom.swarm.settings import SwarmSettings
from tests.swarm.figures.result import concluded

FILES = ("run.json", "latency.hgrm", "series.csv", "latency.svg", "timeline.svg")


@pytest.fixture
def _done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is over at once."""

    async def run_alone(*_: object) -> object:
        return concluded()

    monkeypatch.setattr(command, "run_alone", run_alone)


@pytest.fixture
def full() -> Iterator[TextIO]:
    """An output that takes nothing."""
    # What it has not taken is tried again when it is closed.
    with suppress(OSError), Path("/dev/full").open("w", encoding="utf-8") as device:
        yield device


@pytest.mark.parametrize("name", FILES)
def test_every_name_is_tried_before_the_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ChatroomError, match=r"cannot write to .+ Is a directory"):
        prepare(tmp_path)


def test_what_is_tried_leaves_nothing_and_harms_nothing(tmp_path: Path) -> None:
    prepare(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "run.json").write_text("before")
    prepare(tmp_path)
    assert (tmp_path / "run.json").read_text() == "before"


@pytest.mark.usefixtures("_done")
def test_what_cannot_be_written_has_been_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "write_files", fail)
    output = io.StringIO()
    with pytest.raises(ChatroomError, match=f"cannot write to {tmp_path}: No space left on device"):
        run_command(Invocation(SwarmSettings(), report=tmp_path), output, io.StringIO())
    assert "PASS" in output.getvalue()


@pytest.mark.usefixtures("_done")
@pytest.mark.parametrize("json", [True, False])
def test_what_cannot_be_printed_is_written(tmp_path: Path, full: TextIO, json: bool) -> None:
    wanted = Invocation(SwarmSettings(), report=tmp_path, json=json)
    with pytest.raises(ChatroomError, match="cannot write the output: No space left on device"):
        run_command(wanted, full, io.StringIO())
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_a_run_without_a_sample_has_pictures_too(tmp_path: Path) -> None:
    draw(concluded(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"latency.svg", "timeline.svg"}


def test_a_view_that_cannot_be_shown_ends_no_run(full: TextIO) -> None:
    status = Status(Phase.MEASURING)
    _Log(SwarmSettings(), full).show(status)
