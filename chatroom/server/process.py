"""What is set once for the process that runs a server."""

from __future__ import annotations

import contextlib
import gc
import resource


def raise_descriptor_limit() -> None:
    """Let this process have as many descriptors as it may: each client takes one.

    Whoever keeps it from that (a systemd unit without `@resources`) has set the limit already.
    """
    with contextlib.suppress(OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tune_collector() -> None:
    """What has been imported lives as long as the process: the collector need not visit it again.
    And the young generation is made large: a batch allocates thousands of short-lived objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
