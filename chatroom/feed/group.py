"""Groups, interfaces and the sockets for them: the only place that knows the options of Linux."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from chatroom.errors import ChatroomError

# Linux's numbers (linux/in.h, linux/in6.h, asm-generic/socket.h), which Python does not name.
_IP_MTU_DISCOVER, _IP_MTU, _IP_MULTICAST_ALL = 10, 14, 49
_IPV6_MTU_DISCOVER, _IPV6_MTU, _IPV6_MULTICAST_ALL = 23, 24, 29
_PMTUDISC_DO = 2
_SIOCGIFADDR = 0x8915
_IFREQ = Struct("16s24x")
_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55
_MEMINFO = Struct("@9I")  # the last one counts the datagrams dropped
_MREQN = Struct("@4s4si")
_IPV6_MREQ = Struct("@16sI")
#: IP and UDP headers before the payload.
_HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}

#: The kernel gives less where net.core.rmem_max says so and the process is not privileged. A
#: second of 10,000 datagrams fits.
RECEIVE_BUFFER_BYTES = 8 * 2**20
SEND_BUFFER_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Group:
    """A multicast group and port, on one interface."""

    address: str
    port: int
    interface: str  #: an address of it, or its name

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def __str__(self) -> str:
        return join_host_port(self.address, self.port)


def join_host_port(host: str, port: int) -> str:
    """`host:port`, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(text: str) -> tuple[str, int]:
    """The host and port of `host:port` or `[v6]:port`. Raises `ValueError` with what is wrong."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def split_group(text: str) -> tuple[str, int | None]:
    """The group and port of `GROUP:PORT`, `[v6]:PORT`, or a group alone.

    Raises `ValueError` with what is wrong.
    """
    group, port = text.strip("[]"), None
    try:
        ipaddress.ip_address(group)
    except ValueError:
        group, port = split_host_port(text)
    check_group(group)
    return group, port


def check_group(address: str) -> None:
    """Raises `ValueError` unless `address` is an IPv4 or IPv6 multicast group."""
    try:
        is_group = ipaddress.ip_address(address).is_multicast
    except ValueError:
        is_group = False
    if not is_group:
        raise ValueError(
            f"{address!r} is not a multicast group (224.0.0.0 to 239.255.255.255, or ff00::/8)"
        )


def default_interface(group: str) -> str:
    """The loopback interface."""
    return "lo" if ":" in group else "127.0.0.1"


def open_sending(group: Group, ttl: int, source: str | None = None) -> socket.socket:
    """A non-blocking socket whose `send` goes to the group, unfragmented, by its interface, from
    the address `source` or, without it, from one that the kernel chooses.

    Raises `ChatroomError` if there is no such interface or the group is not reachable by it.
    """
    sock = socket.socket(group.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        _bind_to_interface(sock, group, ttl, source)
        sock.connect(_address(group))
    except OSError as error:
        sock.close()
        raise ChatroomError(
            f"cannot send to the group {group.address} by the interface {group.interface}: "
            f"{error.strerror or error}; choose another with --multicast-interface, "
            "or --no-multicast"
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_to_interface(sock: socket.socket, group: Group, ttl: int, source: str | None) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    index, address = _interface(group)
    if group.family == socket.AF_INET:
        local = socket.inet_aton(address or "0.0.0.0")
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _MREQN.pack(bytes(4), local, index)
        )
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
        if source is not None:
            sock.bind((source, 0, 0, index))
    if address is not None:
        sock.bind((address, 0))


def check_datagram(sock: socket.socket, datagram_bytes: int) -> None:
    """Raises `ChatroomError` if so much payload does not fit one packet on the way of `sock`."""
    if sock.family == socket.AF_INET:
        mtu = sock.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    else:
        mtu = sock.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
    most = mtu - _HEADERS[sock.family]
    if datagram_bytes > most:
        raise ChatroomError(
            f"--multicast-datagram {datagram_bytes} does not fit the link, whose MTU is {mtu}: "
            f"at most {most}"
        )


def open_answering(sending: socket.socket, port: int) -> socket.socket:
    """A non-blocking socket for requests, at the address that the feed comes from.

    Raises `OSError` if the port (0: any) is taken.
    """
    sock = socket.socket(sending.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        host = sending.getsockname()[0]
        if sending.family == socket.AF_INET6:  # a link-local address means nothing by itself
            scope = sending.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF)
            sock.bind((host, port, 0, scope))
        else:
            sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def open_listening(group: Group) -> socket.socket:
    """A non-blocking socket that hears the group on its interface, and nothing else.

    Raises `ChatroomError` if it cannot be joined.
    """
    sock = socket.socket(group.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        enlarge_receive_buffer(sock)
        sock.bind(_address(group))
        _join(sock, group)
    except OSError as error:
        sock.close()
        raise ChatroomError(
            f"cannot listen to {group} on the interface {group.interface}: "
            f"{error.strerror or error}"
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock


def index_of(group: Group) -> int | None:
    """The index of the group's interface, which is another one when it was removed and made again.

    None: there is no such interface now, or its address is not the first that it has.
    """
    try:
        index, address = _interface(group)
        if index:
            return index
        names = socket.if_nameindex()
    except OSError:
        return None
    return next((index for index, name in names if _first_address(name) == address), None)


def join_again(sock: socket.socket, group: Group, left_index: int | None) -> bool:
    """Have a socket of `open_listening` hear the group on the interface that there is now, in the
    place of one that is gone. Returns whether it did not already. Raises `OSError` if that one
    can't be joined.
    """
    if left_index is not None:
        with suppress(OSError):  # it went with the interface
            _leave(sock, group, left_index)
    try:
        _join(sock, group)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:  # that is: it hears it
            raise
        return False
    return True


def _leave(sock: socket.socket, group: Group, index: int) -> None:
    packed = socket.inet_pton(group.family, group.address)
    if group.family == socket.AF_INET:
        where = _MREQN.pack(packed, bytes(4), index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, where)
    else:
        where = _IPV6_MREQ.pack(packed, index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, where)


def _join(sock: socket.socket, group: Group) -> None:
    index, address = _interface(group)
    packed = socket.inet_pton(group.family, group.address)
    if group.family == socket.AF_INET:
        local = socket.inet_aton(address or "0.0.0.0")
        # Without this a socket gets every group that any process on the host has joined.
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _MREQN.pack(packed, local, index)
        )
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _IPV6_MREQ.pack(packed, index))


def open_asking(family: socket.AddressFamily) -> socket.socket:
    """A non-blocking socket, on a port of its own, for a listener's requests and their answers:
    of several that share the group's port on a host, only one would get a unicast answer."""
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    enlarge_receive_buffer(sock)
    return sock


def enlarge_receive_buffer(sock: socket.socket) -> None:
    """Make room for what comes while the listener does something else."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


def kernel_drops(sock: socket.socket) -> int:
    """Datagrams that the kernel dropped because the receive buffer of `sock` was full.

    SO_MEMINFO has the count that SO_RXQ_OVFL would attach to each datagram, and costs nothing
    until it is asked for. 0 on a kernel that has neither.
    """
    try:
        counts = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:
        return 0
    return int(_MEMINFO.unpack(counts)[-1]) if len(counts) == _MEMINFO.size else 0


def _first_address(interface: str) -> str | None:
    """An interface's IPv4 address. Left to itself the kernel may choose one of another interface,
    which for `lo` would open the requests to the network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFADDR, _IFREQ.pack(interface.encode()))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def _address(group: Group) -> tuple[str, int] | tuple[str, int, int, int]:
    if group.family == socket.AF_INET:
        return group.address, group.port
    return group.address, group.port, 0, _interface(group)[0]


def _interface(group: Group) -> tuple[int, str | None]:
    """The index of the group's interface, and its address if it was named by one.

    Raises `OSError` if there is no such interface. An IPv4 address needs no index: the kernel
    finds the interface, or fails the same way.
    """
    try:
        address = ipaddress.ip_address(group.interface)
    except ValueError:
        index = socket.if_nametoindex(group.interface)
        named = group.family == socket.AF_INET
        return index, _first_address(group.interface) if named else None
    if (address.version == 6) != (group.family == socket.AF_INET6):
        raise OSError(errno.EAFNOSUPPORT, "the interface's address is of the other IP version")
    if address.version == 4:
        return 0, group.interface
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        digits, hexadecimal_index, *_ = line.split()
        if bytes.fromhex(digits) == address.packed:
            return int(hexadecimal_index, 16), None
    raise OSError(errno.EADDRNOTAVAIL, "no interface has this address")
