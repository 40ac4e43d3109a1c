"""What somebody may do in a room."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Everybody has one; whoever has no account is a member."""

    MEMBER = "member"
    LISTENER = "listener"  #: may not talk
    OPERATOR = "operator"  #: may show others out, and take words back
