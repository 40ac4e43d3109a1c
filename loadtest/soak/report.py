"""What a soak says at its end."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.soak.soak import Result

#: Kinds that a result always names.
_KINDS = ("lost", "doubled", "reordered", "altered")

#: A room that has been through a lot may be so much larger than at first, whenever a fault is over:
#: caches fill, and an allocator keeps what was in use at once.
GROWTH_FACTOR = 1.5
GROWTH_BYTES = 32 * 2**20
GROWTH_DESCRIPTORS = 32
_MEGABYTE = 2**20


def grown(result: Result) -> list[str]:
    """What has become more than it should."""
    found = []
    for mode, (first, most) in result.sizes.items():
        if most.resident_bytes > GROWTH_FACTOR * first.resident_bytes + GROWTH_BYTES:
            found.append(f"{mode}: memory has grown")
        if most.descriptors > first.descriptors + GROWTH_DESCRIPTORS:
            found.append(f"{mode}: descriptors have grown")
    return found


def is_good(result: Result) -> bool:
    """Was every promise kept?"""
    return not (
        result.ledger.faults.counts or result.failures or result.tracebacks or grown(result)
    )


def report(result: Result) -> Iterator[str]:
    """The lines."""
    ledger = result.ledger
    yield f"seed {result.seed}, {result.seconds:.0f} s, {result.lives} lives of the server"
    yield f"events       {ledger.event_count:>12,}"
    yield f"deliveries   {ledger.deliveries:>12,}"
    yield f"acks         {ledger.acks:>12,}   looked up {result.acks_checked:,}"
    yield f"not stored   {ledger.not_stored:>12,}   and said so"
    said = f"repaired; {result.feed_lost:,} said to be lost"
    yield f"feed         {result.feed_repaired:>12,}   {said}"
    for kind in _KINDS:
        yield f"{kind:12} {ledger.faults.counts.get(kind, 0):>12,}"
    yield f"worst        {ledger.worst.late_us / 1000:>12,.1f}   ms, outside faults{_why(result)}"
    for mode, (first, most) in result.sizes.items():
        yield (
            f"{mode:12} {first.resident_bytes / _MEGABYTE:>7.0f} MB → "
            f"{most.resident_bytes / _MEGABYTE:.0f} MB, descriptors {first.descriptors} → "
            f"{most.descriptors}"
        )
    yield f"survived     {result.survived.total():>12,}   faults:"
    for name, count in sorted(result.survived.items()):
        yield f"  {name:20} {count:>5,}"
    if result.left_out:
        yield f"left out     {', '.join(result.left_out)}: needs root"
    for failure in (*result.failures, *ledger.faults.examples, *grown(result)):
        yield f"FAULT        {failure}"
    for traceback in result.tracebacks[:5]:
        yield f"TRACEBACK    {traceback}"


def _why(result: Result) -> str:
    """What there is to be said of the worst latency."""
    worst, lag = result.ledger.worst, result.lag
    if not worst.who:
        return ""
    late_ms, waited_ms = lag.late_us(worst.at_us) / 1000, lag.waited_us(worst.at_us) / 1000
    return (
        f": #{worst.seq} to {worst.who}; in the second before the soak was up to "
        f"{late_ms:,.0f} ms late, and the server waited {waited_ms:,.0f} ms for a core"
    )
