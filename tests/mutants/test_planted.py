"""The faults still fit the code: a list that has gone stale would catch nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.planted import AREAS

CHECKOUT = Path(__file__).parents[2]
MUTANTS = [mutant for mutants in AREAS.values() for mutant in mutants]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_it_replaces_is_there_once(mutant: Mutant) -> None:
    assert (CHECKOUT / mutant.path).read_text(encoding="utf-8").count(mutant.old) == 1
    assert mutant.new != mutant.old
    assert all((CHECKOUT / test.partition("::")[0]).exists() for test in mutant.tests)


def test_no_two_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
