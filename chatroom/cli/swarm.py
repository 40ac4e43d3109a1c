"""`chatroom swarm`: load, measured honestly, with every message accounted for."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatroom.cli.groups import parse_group
from chatroom.cli.numbers import refuse_nan
from chatroom.settings import DEFAULT_GROUP, DEFAULT_HOST, DEFAULT_PORT

_HELP = """Load a room with bots, and say honestly how it fared.

Connects bots, lets some of them talk, and ends with a verdict, the latency from the moment each
message was due to its arrival at each reader, and an audit: nothing lost, doubled, reordered or
altered, and one order for all readers. With --rate messages are due at a steady pace, whatever the
server does; with --in-flight the next one is due when the first listener has heard an earlier one.

Exit codes: 0 pass; 1 the run was not possible; 2 usage; 3 the audit found faults; 4 the swarm
itself was the bottleneck, so the figures are no measure of the server; 5 the server slowed bots
down because they said more than it lets one say (its --talk-rate and --room-rate), so they are
none either; 99 a --threshold was crossed; 130 stopped early with Ctrl-C, after a report of what
ran. Where several apply, the first of 3, 5, 4, 99, 130."""


class SwarmMode(StrEnum):
    tcp = "tcp"
    multicast = "multicast"


class SwarmFormat(StrEnum):
    plain = "plain"
    json = "json"
    ws = "ws"
    mixed = "mixed"


def swarm(
    host: Annotated[
        str, typer.Option(envvar="CHATROOM_HOST", help="The server; unix:PATH for its Unix socket.")
    ] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(envvar="CHATROOM_PORT", min=1, max=65535, help="Its TCP port.")
    ] = DEFAULT_PORT,
    server: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            show_default="--host and --port",
            help="A server of a room on several; given several times, each has processes of its"
            " own, and all readers have to see one order.",
        ),
    ] = None,
    mode: Annotated[SwarmMode, typer.Option(help="How the bots listen.")] = SwarmMode.tcp,
    bots: Annotated[
        int,
        typer.Option(
            min=1, help="Connections, talkers included; with multicast: listeners of the feed."
        ),
    ] = 100,
    talkers: Annotated[int, typer.Option(min=0, help="So many of the bots talk.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            callback=refuse_nan,
            min=0.001,
            help="Messages a second, all talkers together.  [default: 10]",
        ),
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option(min=1, metavar="W", help="Keep W messages on their way, in place of --rate."),
    ] = None,
    ramp: Annotated[
        float,
        typer.Option(
            callback=refuse_nan, min=1, metavar="N", help="Connections begun in a second."
        ),
    ] = 5000.0,
    warmup: Annotated[
        float,
        typer.Option(
            callback=refuse_nan, min=0, metavar="SECONDS", help="Load before the measured time."
        ),
    ] = 1.0,
    duration: Annotated[
        float,
        typer.Option(callback=refuse_nan, min=0.1, metavar="SECONDS", help="The measured time."),
    ] = 10.0,
    size: Annotated[
        int,
        typer.Option(
            min=42,
            max=1024,
            metavar="BYTES",
            help="Length of each text; 42 are the least that the audit's fields need.",
        ),
    ] = 100,
    format: Annotated[
        SwarmFormat,
        typer.Option(
            help="Plain lines, JSON Lines, a WebSocket, or all of them in one room: one in each of"
            " three or more processes."
        ),
    ] = SwarmFormat.plain,
    processes: Annotated[
        int, typer.Option(min=1, max=64, metavar="P", help="Spread the bots over P processes.")
    ] = 1,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help="A limit to keep, such as 'p99<5ms' or 'delivered_per_second>=1000';"
            " may be given several times.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Write run.json, latency.hgrm, series.csv and pictures to this directory.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP[:PORT]",
            show_default=f"{DEFAULT_GROUP}, port: the TCP port + 1",
            help="With multicast: the feed's group.",
        ),
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|NAME", show_default="loopback", help="With multicast: where to listen."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Load a room with bots, and say honestly how it fared."""
    from chatroom.swarm.command import Invocation, run_command
    from chatroom.swarm.figures.threshold import parse_threshold
    from chatroom.swarm.settings import SwarmSettings
    from chatroom.swarm.wire.dialect import DIALECTS

    if rate is not None and in_flight is not None:
        raise typer.BadParameter("--rate and --in-flight exclude each other: give one of them")
    multicast = mode is SwarmMode.multicast
    if talkers > bots and not multicast:
        raise typer.BadParameter(f"--talkers {talkers} are more than --bots {bots}")
    servers = [_named(name, port) for name in server or ()]
    formats = len(DIALECTS) if format is SwarmFormat.mixed and not multicast else 1
    processes = max(processes, formats * max(len(servers), 1))
    if processes > bots:
        raise typer.BadParameter(f"--processes {processes} are more than --bots {bots}")
    feed_group, feed_port = (None, None) if group is None else parse_group(group, "--group")
    try:
        thresholds = [parse_threshold(text) for text in threshold or ()]
    except ValueError as error:
        raise typer.BadParameter(f"--threshold: {error}") from None
    settings = SwarmSettings(
        host=host,
        port=port,
        servers=servers,
        formats=formats,
        mode=mode.value,
        dialect="json" if multicast else format.value,  # the feed has events as JSON
        bots=bots,
        talkers=talkers,
        rate=None if in_flight is not None else rate or 10.0,
        in_flight=in_flight,
        ramp=ramp,
        warmup_seconds=warmup,
        duration_seconds=duration,
        size=size,
        processes=processes,
        group=feed_group,
        feed_port=feed_port,
        interface=interface,
    )
    code = run_command(Invocation(settings, thresholds, report, json), sys.stdout, sys.stderr)
    raise typer.Exit(code)


swarm.__doc__ = _HELP


def _named(name: str, port: int) -> tuple[str, int]:
    """Raises `typer.BadParameter` if it names no server."""
    from chatroom.client.transport.naming import WEB, given

    try:
        if name.startswith(WEB):
            raise ValueError(
                f"{name!r} is neither HOST nor HOST:PORT; --format ws is over WebSockets"
            )
        return given(name, port)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--server'") from None
