"""Plant each fault, say whether the tests catch it. Exit codes: 0 if 95 % are caught, else 1."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.mutants.planted import AREAS

_CHECKOUT = Path(__file__).parents[2]
_COPIED = ("chatroom", "tests", "loadtest", "pyproject.toml", "README.md")
WANTED = 0.95


def main(areas: list[str]) -> int:
    """Go through the areas that are named, or all."""
    caught = planted = 0
    sound: set[tuple[str, ...]] = set()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        copy = Path(directory)
        for name in _COPIED:
            source = _CHECKOUT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        for area in areas or list(AREAS):
            for mutant in AREAS[area]:
                if mutant.tests not in sound and not mutant.passes_without(copy):
                    print(f"the tests fail without a fault: {' '.join(mutant.tests)}")
                    return 1
                sound.add(mutant.tests)
                planted += 1
                is_caught = mutant.is_caught(copy)
                caught += is_caught
                word = "caught" if is_caught else "SURVIVED"
                print(f"{word:8}  {area:10}  {mutant.name}", flush=True)
    print(f"{caught} of {planted} caught ({caught / planted:.0%})")
    return 0 if caught >= WANTED * planted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
