"""Who is not to come in: by nick, by account, by address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from chatroom.room.nick import NickInvalid, parse_nick
from chatroom.room.refused import Refused

#: Each newcomer is held against all bans of addresses (0.3 µs each), and `bans` shows all.
MAX_BANS = 1000

_ACCOUNT = "account:"


class Ban(msgspec.Struct, frozen=True):
    """One ban, as it is kept on the disk and shown to operators."""

    mask: str  #: as `parse_mask` writes it
    by: str  #: the operator
    time: str  #: of its making
    until: str = ""  #: from then on it does not count; empty: for ever
    text: str = ""  #: the reason that was given
    #: The key of the nick that was banned when this account or address was its member's: it is
    #: lifted with that; empty: it was banned by itself.
    nick: str = ""

    def holds(self, now: str) -> bool:
        """Whether it counts still. Times are written so that their order is that of the text."""
        return not self.until or now < self.until


class Newcomer(msgspec.Struct, frozen=True):
    """Whoever is held against the bans."""

    key: str  #: of the nick; empty: any, a guest's for one
    account: str = ""  #: its key
    address: str = ""  #: empty: of this machine


def parse_mask(text: str) -> str:
    """What a ban is of, in its one spelling: an address or network (`192.0.2.7`, `2001:db8::/32`),
    `account:` and the key of a name, or the key of a nick.

    What can be read as an address is one, although a nick may look so. Raises `Refused`.
    """
    network = _network(text)
    if network is not None:
        single = network.prefixlen == network.max_prefixlen
        return str(network.network_address if single else network)
    account = text.startswith(_ACCOUNT)
    try:
        _, key = parse_nick(text.removeprefix(_ACCOUNT))
    except NickInvalid as error:
        what = f"{text} is no nick, no address, no address/bits and no account:name"
        raise Refused("bad_request", f"{what}: {error}") from None
    return _ACCOUNT + key if account else key


def masks_of(member: Newcomer) -> list[str]:
    """What a person is known by beside the nick: the account, and the address unless it is of this
    machine, where a proxy may stand for everybody. Of IPv6, the network that one customer has: /64.
    """
    masks = [_ACCOUNT + member.account] if member.account else []
    address = parse_address(member.address)
    if address is not None and not address.is_loopback:
        whole = address.version == 4
        masks.append(parse_mask(str(address) if whole else f"{address}/64"))
    return masks


def is_nick(mask: str) -> bool:
    """Whether what `parse_mask` has made is of a nick."""
    return not mask.startswith(_ACCOUNT) and _network(mask) is None


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """A peer's address, without its zone, and as IPv4 if it is one; None for what is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return IPv4Network(mapped) if mapped and network.prefixlen == network.max_prefixlen else network


class Bans:
    """All bans of a room; those whose time is over are passed over, and forgotten at the next one.

    Synchronous, and without a clock: `now` comes with each question.
    """

    def __init__(self, bans: Iterable[Ban] = ()) -> None:
        self._bans = {ban.mask: ban for ban in bans}
        self._find_networks()

    def add(self, ban: Ban, also: Iterable[str] = ()) -> None:
        """Put it in the place of another with the same mask; the masks `also` are banned with its
        nick, unless they are by themselves. Raises `Refused` with `MAX_BANS`: then none is added.
        """
        for old in [old for old in self._bans.values() if not old.holds(ban.time)]:
            del self._bans[old.mask]
        added = {ban.mask: ban}
        for mask in also:
            old_one = self._bans.get(mask)
            if old_one is None or old_one.nick:
                added[mask] = msgspec.structs.replace(ban, mask=mask, nick=ban.mask)
        if len(self._bans | added) > max(MAX_BANS, len(self._bans)):
            raise Refused("bad_request", f"there are {MAX_BANS} bans already: lift some")
        self._bans.update(added)
        self._find_networks()

    def lift(self, mask: str) -> bool:
        """Remove it, and what was banned with it; whether it was there."""
        found = self._bans.pop(mask, None) is not None
        if found:
            kept = self._bans.items()
            self._bans = {other: ban for other, ban in kept if ban.nick != mask}
        self._find_networks()
        return found

    def all(self, now: str) -> Sequence[Ban]:
        """Those that hold, the oldest first."""
        return [ban for ban in self._bans.values() if ban.holds(now)]

    def of(self, newcomer: Newcomer, now: str) -> Ban | None:
        """Why somebody is not to be here."""
        if not self._bans:
            return None
        for mask in (newcomer.key, _ACCOUNT + newcomer.account):
            ban = self._bans.get(mask)
            if ban is not None and ban.holds(now):
                return ban
        return self.of_address(newcomer.address, now)

    @property
    def have_networks(self) -> bool:
        """Whether some are of addresses, holding or not."""
        return bool(self._networks)

    def of_address(self, address: str, now: str) -> Ban | None:
        """Why nobody from there is to be here."""
        if not self._networks:
            return None
        peer = parse_address(address)
        if peer is None:
            return None
        for network, ban in self._networks:
            if peer in network and ban.holds(now):
                return ban
        return None

    def _find_networks(self) -> None:
        networks = [(_network(ban.mask), ban) for ban in self._bans.values()]
        self._networks = [(network, ban) for network, ban in networks if network is not None]
