"""Patterns of names, which whoever asks chooses."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol.irc.names import matches

names = st.text(alphabet="ab.", max_size=12)
patterns = st.text(alphabet="ab.*?", max_size=12)


@given(name=names, pattern=patterns)
def test_a_pattern_is_as_a_shell_s(name: str, pattern: str) -> None:
    assert matches(name, pattern) == fnmatchcase(name, pattern)


def test_case_does_not_matter_and_brackets_are_themselves() -> None:
    assert matches("Bob[away]", "bob[A*")
    assert not matches("boba", "bob[a]")


def test_no_pattern_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """That took 4 ms for a long one, and the room had to wait for hundreds of them."""
    monkeypatch.setattr(re, "compile", lambda *_: pytest.fail("compiled"))
    assert not matches("chatroom.local", "*a?" * 150)
    assert matches("a" * 60, "*a" * 60)
