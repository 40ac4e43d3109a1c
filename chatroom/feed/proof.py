"""Who has shown that it hears at its address, so that an answer sent there goes to who asked."""

from __future__ import annotations

from ipaddress import ip_address

#: So many addresses are remembered; beyond it the one shown longest ago is forgotten.
ADDRESSES = 4096

#: For how long a TCP connection shows it: as long as a key of the feed is good.
PROOF_SECONDS = 3600.0

#: Bytes of an answer for each byte of a request, with the headers of IP and UDP, where an address
#: has shown nothing: whoever forges it gains little. QUIC allows three (RFC 9000, section 8.1);
#: five are an event of usual length for each question.
CREDIT = 5
_HEADERS_BYTES = 28
#: What is not used up adds up to one full datagram.
MOST_CREDIT_BYTES = 1500


class Proof:
    """Addresses that have come by TCP, whose handshake nobody can finish who does not hear there;
    and how much the others are owed. The time is any clock's that does not go back, in seconds.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._credit: dict[str, float] = {}

    def show(self, address: str, now: float) -> None:
        """Somebody has come in from there."""
        if address:
            self._until.pop(address, None)
            self._until[address] = now + PROOF_SECONDS
            _bound(self._until)

    def has_shown(self, address: str, now: float) -> bool:
        """Whether it hears there: it has come by TCP, or is on this machine."""
        return self._until.get(address, 0.0) > now or _is_loopback(address)

    def earn(self, address: str, request_bytes: int) -> int:
        """A request has come from an address that has shown nothing: how long the datagram may be
        that answers it, in bytes of UDP payload.
        """
        earned = CREDIT * (request_bytes + _HEADERS_BYTES)
        credit = min(self._credit.pop(address, 0.0) + earned, MOST_CREDIT_BYTES)
        self._credit[address] = credit
        _bound(self._credit)
        return int(credit) - _HEADERS_BYTES

    def spend(self, address: str, answer_bytes: int) -> None:
        """It was answered."""
        self._credit[address] = self._credit.get(address, 0.0) - answer_bytes - _HEADERS_BYTES


def _bound(addresses: dict[str, float]) -> None:
    if len(addresses) > ADDRESSES:
        del addresses[next(iter(addresses))]


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
