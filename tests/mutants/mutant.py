"""A planted fault, and what it takes to catch it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: A test run that a fault keeps from ending is caught as well.
PATIENCE_SECONDS = 180.0

#: What pytest ends with when tests have failed, or could not be collected because of the fault.
_FAILED = (1, 2)


class Stale(Exception):
    """The code has changed: what a mutant replaces is not there, or not once."""


@dataclass(frozen=True)
class Mutant:
    """A fault: in `path`, `old` has become `new`. `tests` are to notice."""

    name: str  #: what goes wrong, in a few words
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def plant(self, checkout: Path) -> str:
        """Plant it; returns what the file was before. Raises `Stale`."""
        file = checkout / self.path
        content = file.read_text(encoding="utf-8")
        if content.count(self.old) != 1:
            raise Stale(f"{self.path} has not exactly one {self.old!r}")
        file.write_text(content.replace(self.old, self.new), encoding="utf-8")
        return content

    def passes_without(self, checkout: Path) -> bool:
        """Do its tests pass without it? Else that they fail with it says nothing."""
        return _pass(checkout, self.tests)

    def is_caught(self, checkout: Path) -> bool:
        """Plant it in `checkout`, run the tests there, and take it out again. Raises `Stale`."""
        before = self.plant(checkout)
        try:
            return not _pass(checkout, self.tests)
        finally:
            (checkout / self.path).write_text(before, encoding="utf-8")


def _pass(checkout: Path, tests: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", *tests]
    # An old file with a new one's time and size must not be what runs.
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        code = subprocess.run(
            command,
            cwd=checkout,
            env=environment,
            timeout=PATIENCE_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return False
    if code not in (0, *_FAILED):
        raise Stale(f"pytest could not run {' '.join(tests)}: exit code {code}")
    return code == 0
