"""The harness of the figures on memory, not the figures."""

from __future__ import annotations

import pytest

from loadtest.memory import FORMATS, Format, crowded


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_crowd_comes_in_and_is_weighed(form: Format) -> None:
    rows = list(crowded(form, 3, 5))
    assert [row.name for row in rows[:3]] == [
        f"3 connected, {form.name}",
        "nobody connected",
        "a connection",
    ]
    assert [row.name for row in rows[3:]] == ["5 connected", "100,000 at that rate"]
    assert rows[1].figure.endswith(" MB")
    assert float(rows[1].figure.split()[0]) > 1
