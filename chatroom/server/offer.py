"""What every welcome says of the server."""

from __future__ import annotations

from dataclasses import dataclass

from chatroom.protocol import answers


@dataclass(frozen=True, slots=True)
class Offer:
    """The same for everybody who comes in."""

    limits: answers.Limits
    multicast: answers.Multicast | None = None
