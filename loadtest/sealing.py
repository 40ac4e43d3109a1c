"""What a block of the feed costs in the clear and sealed, at both ends."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

from chatroom.feed.seal import Keyring, Sealer
from chatroom.protocol import moldudp64 as mold

SESSION = b"SEALINGLOG"
BLOCKS = 64
MESSAGE_BYTES = 180  # the JSON of an event with a text of 100
ROUNDS = 200


def sealing(repeat: int) -> dict[str, float]:
    """Microseconds a block: medians of `repeat` runs, interleaved. Blocks."""
    messages = [b"x" * MESSAGE_BYTES] * BLOCKS
    sealer, keyring = Sealer(SESSION), Keyring()
    keyring.take([sealer.key], 0.0)
    plain = _packets([mold.block(message) for message in messages])
    sealed = _packets(sealer.blocks(1, messages))
    work: dict[str, Callable[[], object]] = {
        "packed in the clear": lambda: _packets([mold.block(message) for message in messages]),
        "packed, sealed": lambda: _packets(sealer.blocks(1, messages)),
        "unpacked in the clear": lambda: [mold.decode_packet(packet) for packet in plain],
        "unpacked, opened": lambda: [
            keyring.unseal(mold.decode_packet(packet), 0.0) for packet in sealed
        ],
    }
    runs: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeat):
        for name, do in work.items():
            runs[name].append(_microseconds(do))
    return {name: median(values) for name, values in runs.items()}


def _packets(blocks: list[bytes]) -> list[bytes]:
    return list(mold.packets(SESSION, 1, blocks, 1452))


def _microseconds(do: Callable[[], object]) -> float:
    begun = perf_counter()
    for _ in range(ROUNDS):
        do()
    return (perf_counter() - begun) / ROUNDS / BLOCKS * 1e6
