"""Numbers that an option takes."""

from __future__ import annotations

import math

import typer


def refuse_nan(number: float | None) -> float | None:
    """A callback of options: what is below no `min` and above no `max` is in no range all the same.
    Raises `typer.BadParameter`.
    """
    if number is not None and math.isnan(number):
        raise typer.BadParameter("nan is not a valid number.")
    return number
