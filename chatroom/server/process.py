"""What is set once for the process that runs a server."""

from __future__ import annotations

import contextlib
import gc
import logging
import resource

from chatroom.settings import LOBBY_CONNECTIONS, OTHER_DESCRIPTORS, TURNING_AWAY

log = logging.getLogger("chatroom.server")


def raise_descriptor_limit(max_clients: int) -> None:
    """Let this process have as many descriptors as it may: each client takes one. The log says if
    that is not enough for so many clients.

    Whoever keeps it from that (a systemd unit without `@resources`) has set the limit already.
    """
    with contextlib.suppress(OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        needed = max_clients + LOBBY_CONNECTIONS + TURNING_AWAY + OTHER_DESCRIPTORS
        if hard != resource.RLIM_INFINITY and hard < needed:
            text = "of the descriptors that --max-clients %d may need (%d) there are %d: ulimit -Hn"
            log.warning(text, max_clients, needed, hard)


def tune_collector() -> None:
    """What has been imported lives as long as the process: the collector need not visit it again.
    And the young generation is made large: a batch allocates thousands of short-lived objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
