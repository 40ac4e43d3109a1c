"""What goes wrong in a soak: a class each, and `FAULTS`, the register of them."""

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
