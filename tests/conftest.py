"""What every test of the wire needs: a room in each mode."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.forking import quick_starts
from tests.visiting import House, open_house

if TYPE_CHECKING:
    import trio

# On a busy machine any example may take longer than Hypothesis's 200 ms: that is not a fault. Each
# run tries the same examples, so that it fails because of a change and not by chance; new ones, and
# more of them, are looked for with `--hypothesis-profile=search`.
settings.register_profile("patient", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("patient")

# Containers often forbid Python to keep what it has compiled. Here hundreds of processes and every
# worker of a run would compile the same files again, which is a third of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

OpenHouse = Callable[..., Awaitable[House]]


def pytest_collection_finish() -> None:
    """What has been imported and collected stays to the end: the collector need not visit it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _interrupts() -> None:
    """What a shell starts in the background ignores SIGINT, and so does whatever is started then;
    here programs are ended by it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _quick_starts() -> Iterator[None]:
    with quick_starts():
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_marks_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Journals that are left as after a crash leave nothing in the machine's memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME_DIRECTORY", str(tmp_path_factory.mktemp("marks")))
        yield


@pytest.fixture
def own_log() -> Iterator[None]:
    """Whoever sets up the log does so for this test alone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(params=["epoll", "thread"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the server under test serves its clients; the protocol is the same."""
    chosen: str = request.param
    return chosen


@pytest.fixture
async def open_room(nursery: trio.Nursery, mode: str) -> AsyncIterator[OpenHouse]:
    """Opens a room with the settings that are given; it is closed when the test ends."""
    houses: list[House] = []

    async def open_room(**settings: Any) -> House:
        houses.append(await open_house(nursery, mode, **settings))
        return houses[-1]

    yield open_room
    for house in houses:
        house.close()


@pytest.fixture
async def house(open_room: OpenHouse) -> House:
    """A room with the settings that a user gets."""
    return await open_room()
