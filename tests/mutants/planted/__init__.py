"""The faults, by where they are planted."""

from tests.mutants.mutant import Mutant
from tests.mutants.planted.answers import ANSWERS
from tests.mutants.planted.coming import COMING
from tests.mutants.planted.fanout import FANOUT
from tests.mutants.planted.journal import JOURNAL
from tests.mutants.planted.letting_go import LETTING_GO
from tests.mutants.planted.memory import MEMORY
from tests.mutants.planted.order import ORDER
from tests.mutants.planted.outbox import OUTBOX
from tests.mutants.planted.reassembly import REASSEMBLY
from tests.mutants.planted.resume import RESUME
from tests.mutants.planted.room import ROOM
from tests.mutants.planted.shared_log import SHARED_LOG
from tests.mutants.planted.sharing import SHARING

AREAS: dict[str, tuple[Mutant, ...]] = {
    "fanout": FANOUT,
    "order": ORDER,
    "outbox": OUTBOX,
    "journal": JOURNAL,
    "letting-go": LETTING_GO,
    "resume": RESUME,
    "memory": MEMORY,
    "reassembly": REASSEMBLY,
    "room": ROOM,
    "coming": COMING,
    "answers": ANSWERS,
    "sharing": SHARING,
    "shared-log": SHARED_LOG,
}
