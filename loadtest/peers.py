"""The servers that are compared, each started on a free port with settings that make it fast."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from chatroom.errors import ChatroomError

HOST = "127.0.0.1"
READY_SECONDS = 15.0
STOP_SECONDS = 10.0

#: Debian puts servers where an ordinary user's PATH does not look.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

_REFERENCE = Path(__file__).parent / "reference"


class Peer(msgspec.Struct, frozen=True):
    """A kind of server."""

    name: str
    title: str  #: for tables and plots
    program: str = ""  #: what must be installed
    package: str = ""  #: Debian's name for it
    formats: dict[str, str] = {}  #: plain and json: the generator's dialect for each
    most_clients: int = 20_000
    ramp: float = 5_000.0  #: connections begun in a second

    def command(self, port: int, directory: Path, format: str) -> list[str]:
        """What starts it on this port; may write configuration to the directory."""
        return COMMANDS[self.name](port, directory, format)

    def path(self) -> str:
        """Where its program is; the bare name if it is not installed."""
        return shutil.which(self.program, path=_PATH) or self.program

    def missing(self) -> str:
        """Why it can't run here, for the person who reads the table; empty if it can."""
        if not self.program or shutil.which(self.program, path=_PATH):
            return ""
        return f"{self.program} is not installed (apt-get install {self.package})"


class Running(msgspec.Struct):
    """A peer that accepts connections."""

    pid: int
    port: int

    def resident_bytes(self) -> int:
        """Its memory at this moment; 0 if it has ended."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self) -> float:
        """The processor time that it has used so far; 0 if it has ended."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0


@contextlib.contextmanager
def running(peer: Peer, format: str, core: int | None) -> Iterator[Running]:
    """Start a peer, wait until it accepts connections, and stop it at the end.

    Args:
        peer: which one.
        format: plain or json.
        core: where it must run; None: anywhere.

    Raises:
        ChatroomError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="loadtest-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # some give up root's rights and must still read their settings
        port = _free_port()
        output = directory / "output"
        with output.open("wb") as log, on_core(core):
            process = subprocess.Popen(
                peer.command(port, directory, format),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**os.environ, "PATH": _PATH},
            )
        try:
            _wait_until_ready(peer, process, port, output)
            yield Running(process.pid, port)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started meanwhile runs on this core only, from its first instruction on.

    A runtime that counts the cores at its start (Go's, say) must see the one that it has.
    """
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(
    peer: Peer, process: subprocess.Popen[bytes], port: int, output: Path
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.02)
    said = output.read_text(errors="replace").strip().splitlines()
    raise ChatroomError(f"{peer.name} did not start: {said[-1] if said else 'it said nothing'}")


def build(source: str) -> Path:
    """The program made of a C source in `loadtest/reference`, compiled anew if it is older.

    Raises:
        ChatroomError: there is no compiler, or it refuses.
    """
    origin = _REFERENCE / source
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chatroom-loadtest"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / origin.stem
    if target.exists() and target.stat().st_mtime > origin.stat().st_mtime:
        return target
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-pthread", "-o", str(target), str(origin)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise ChatroomError(
            f"the C reference needs a C compiler, and {compiler} is not there:"
            " apt-get install gcc libc6-dev, or set CC"
        ) from None
    except subprocess.CalledProcessError as error:
        raise ChatroomError(f"{compiler} refuses {source}: {error.stderr.strip()}") from None
    return target


def _chatroom(mode: str, port: int, directory: Path) -> list[str]:
    command = [sys.executable, "-m", "chatroom", "serve", "--port", str(port), "--mode", mode]
    return [*command, "--journal", ":memory:", "--log-level", "warning", "--max-clients", "20000"]


def _epoll(port: int, directory: Path, _format: str) -> list[str]:
    return _chatroom("epoll", port, directory)


def _thread(port: int, directory: Path, _format: str) -> list[str]:
    return _chatroom("thread", port, directory)


def _c_epoll(port: int, _directory: Path, _format: str) -> list[str]:
    return [str(build("epoll_server.c")), HOST, str(port)]


def _null(port: int, _directory: Path, format: str) -> list[str]:
    return [str(build("null_server.c")), HOST, str(port), *(["json"] if format == "json" else [])]


def _redis(port: int, directory: Path, _format: str) -> list[str]:
    settings = {
        "bind": HOST,
        "port": port,
        "save": '""',
        "appendonly": "no",
        "maxclients": 15000,
        "tcp-backlog": 4096,
        "client-output-buffer-limit": "pubsub 0 0 0",
        "protected-mode": "no",
        "dir": directory,
    }
    return ["redis-server", str(_write(directory, settings, "{} {}"))]


def _nats(port: int, directory: Path, _format: str) -> list[str]:
    settings = {
        "host": HOST,
        "port": port,
        "max_connections": 15000,
        "max_pending": 1 << 30,
        "write_deadline": '"60s"',
        "ping_interval": '"10m"',
    }
    return ["nats-server", "--config", str(_write(directory, settings, "{}: {}"))]


def _mosquitto(port: int, directory: Path, _format: str) -> list[str]:
    settings = {
        "listener": f"{port} {HOST}",
        "allow_anonymous": "true",
        "persistence": "false",
        "set_tcp_nodelay": "true",
        "max_queued_messages": 0,
        "max_inflight_messages": 0,
        "max_connections": -1,
        "sys_interval": 0,
        "log_type": "error",
    }
    return ["mosquitto", "-c", str(_write(directory, settings, "{} {}"))]


def _ngircd(port: int, directory: Path, _format: str) -> list[str]:
    text = f"""
[Global]
    Name = irc.localhost.test
    Info = load test
    Listen = {HOST}
    Ports = {port}
    MotdPhrase = hello
[Limits]
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxNickLength = 31
    MaxPenaltyTime = 0
    PingTimeout = 3600
    PongTimeout = 3600
[Options]
    DNS = no
    Ident = no
    PAM = no
    SyslogFacility = local1
    AllowedChannelTypes = #
[Channel]
    Name = #room
"""
    path = directory / "settings"
    path.write_text(text, encoding="ascii")
    path.chmod(0o644)
    return ["ngircd", "--nodaemon", "--config", str(path)]


def _write(directory: Path, settings: dict[str, object], line: str) -> Path:
    path = directory / "settings"
    lines = [line.format(name, value) for name, value in settings.items()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    path.chmod(0o644)
    return path


COMMANDS = {
    "epoll": _epoll,
    "thread": _thread,
    "c-epoll": _c_epoll,
    "null": _null,
    "redis": _redis,
    "nats": _nats,
    "mosquitto": _mosquitto,
    "ngircd": _ngircd,
}

_OURS = {"plain": "plain", "json": "json"}

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("epoll", "chatroom", formats=_OURS),
        Peer("thread", "chatroom, threads", formats=_OURS, most_clients=1_001),
        Peer("c-epoll", "C reference", formats={"plain": "bare"}),
        Peer("redis", "Redis", "redis-server", "redis-server", {"plain": "redis"}),
        Peer("nats", "NATS", "nats-server", "nats-server", {"plain": "nats"}),
        Peer("mosquitto", "Mosquitto", "mosquitto", "mosquitto", {"plain": "mosquitto"}),
        # Every join is told to everyone in the channel: ten thousand would take minutes.
        # It also loses connections that come faster than its short listen queue is emptied.
        Peer(
            "ngircd",
            "ngIRCd",
            "ngircd",
            "ngircd",
            {"plain": "ngircd"},
            most_clients=1_001,
            ramp=300.0,
        ),
    )
}

#: As little as a server can do: how far the generator itself can go.
NULL = Peer("null", "null server", formats={"plain": "bare", "json": "bare-json"})


def chosen(names: Sequence[str]) -> list[Peer]:
    """The peers with these names.

    Raises:
        ChatroomError: there is none of a name.
    """
    if unknown := [name for name in names if name not in PEERS]:
        raise ChatroomError(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return [PEERS[name] for name in names]
