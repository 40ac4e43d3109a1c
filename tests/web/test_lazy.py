"""Who never sees a browser does not wait for the libraries that read HTTP."""

from __future__ import annotations

import subprocess
import sys

_LOADED = """
import sys
import chatroom.cli
import chatroom.server.service
print(sorted({name.partition(".")[0] for name in sys.modules} & {"h11", "websockets"}))
"""


def test_a_server_starts_without_what_reads_http() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
