"""What goes wrong in a soak: a class each, and `FAULTS`, the register of them."""

from collections.abc import Sequence

from chatroom.errors import ChatroomError
from loadtest.soak.faults.clock import ClockSetBack
from loadtest.soak.faults.disk import DiskFull, DiskSlow
from loadtest.soak.faults.fault import Fault as Fault
from loadtest.soak.faults.fault import Ground as Ground
from loadtest.soak.faults.journal import JournalDeleted, JournalReplaced, JournalTruncated
from loadtest.soak.faults.network import InterfaceDown
from loadtest.soak.faults.process import Kill, Signals, Stop, Terminate, TerminateTwice
from loadtest.soak.faults.resources import Descriptors, Memory

FAULTS: tuple[type[Fault], ...] = (
    Kill,
    Stop,
    Signals,
    Terminate,
    TerminateTwice,
    DiskFull,
    DiskSlow,
    ClockSetBack,
    Descriptors,
    Memory,
    JournalDeleted,
    JournalReplaced,
    JournalTruncated,
    InterfaceDown,
)


def chosen(names: Sequence[str]) -> tuple[type[Fault], ...]:
    """The faults of these names, in the register's order; without any, all. Raises `ChatroomError`
    if there is no such fault.
    """
    known = {kind.name for kind in FAULTS}
    for name in names:
        if name not in known:
            raise ChatroomError(
                f"no fault is called {name!r}; there are: {', '.join(sorted(known))}"
            )
    return tuple(kind for kind in FAULTS if not names or kind.name in names)
