"""Where a run was made: a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec


class Environment(msgspec.Struct):
    """The machine and the versions."""

    kernel: str
    cpu: str
    cpus: int  #: that the machine has
    cpus_allowed: list[int]  #: that the swarm may run on
    python: str
    chatroom: str
    trio: str


def environment() -> Environment:
    """This machine, as far as it tells."""
    return Environment(
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_model(),
        cpus=os.cpu_count() or 1,
        cpus_allowed=sorted(os.sched_getaffinity(0)),
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        chatroom=_version("chatroom"),
        trio=_version("trio"),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
