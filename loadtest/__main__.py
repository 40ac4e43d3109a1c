"""`python -m loadtest compare`: this server beside its peers, with one and the same generator.

`python -m loadtest feed`: the multicast feed beside TCP, and on a link that loses.
`python -m loadtest flood`: what two people who talk notice of a flooder.
`python -m loadtest journal`: the journal on disk beside `:memory:`.
`python -m loadtest memory`: what a connection costs.
`python -m loadtest soak`: a mixed room under faults, and whether every promise was kept.
`python -m loadtest sealing`: the feed's blocks sealed and in the clear.
`python -m loadtest sharing`: a large audience's sends by one thread, and shared by two.
`python -m loadtest tls`: TLS beside plain TCP.
`python -m loadtest turn`: how long a turn takes, beside the same in C.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from chatroom.errors import ChatroomError
from loadtest.compare import Comparison, Plan, compare, empty
from loadtest.peers import PEERS, chosen
from loadtest.rows import table
from loadtest.table import markdown
from loadtest.work import DEFAULT_WORK, timed, work_named

SHORT_WORK = ("fanout", "pingpong", "paced-100", "fanout-json")

Repeat = Annotated[int, typer.Option(min=1, help="Runs of each, interleaved.")]
Seconds = Annotated[float, typer.Option(min=0.2, help="The measured time of each run.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _common() -> None:
    """Load tests that compare this server with its peers."""


@app.command(name="compare")
def compare_command(  # noqa: PLR0913, PLR0917 - Typer makes an option of each parameter
    peers: Annotated[
        str, typer.Option(metavar="A,B,…", help="Which servers; one not installed is left out.")
    ] = ",".join(PEERS),
    work: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Which workloads.  [default: all]")
    ] = None,
    repeat: Repeat = 5,
    seconds: Seconds = 3.0,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Write results.md, results.json and the plots to this directory.",
        ),
    ] = None,
    pin: Annotated[
        bool, typer.Option(help="Server on the first core allowed, generator on the second.")
    ] = True,
    short: Annotated[
        bool, typer.Option("--short", help="A minute's test of the harness, not of any server.")
    ] = False,
) -> None:
    """Run workloads against this server in both modes and against its peers.

    Prints a Markdown table. Exit codes: 0 done, whatever the figures are; 1 not possible; 2 usage;
    130 ended early with Ctrl-C, after the results so far.
    """
    if short:
        repeat, seconds = 1, 0.3
    names = _listed(work) if work else list(SHORT_WORK if short else DEFAULT_WORK)
    wanted = chosen(_listed(peers))
    left_out = {peer.name: why for peer in wanted if (why := peer.missing())}
    for name, why in left_out.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    cores = sorted(os.sched_getaffinity(0))
    pinned = pin and len(cores) >= 2
    plan = Plan(
        peers=[peer for peer in wanted if peer.name not in left_out],
        works=[timed(work_named(name), seconds) for name in names],
        repeat=repeat,
        server_core=cores[0] if pinned else None,
        generator_core=cores[1] if pinned else None,
    )
    command = shlex.join(["python", "-m", "loadtest", *sys.argv[1:]])
    raise typer.Exit(_run(plan, empty(plan, command, left_out, seconds), report))


def _add_measuring(name: str, about: str, *, seconds: float) -> None:
    """The command `name`, which prints what the module of that name measures."""
    run_seconds = seconds

    def command(repeat: Repeat = 5, seconds: Seconds = run_seconds) -> None:
        measure = import_module(f"loadtest.{name}").measure  # of no use to the other commands
        for line in table(measure(repeat, seconds)):
            print(line, flush=True)

    endings = "Exit codes: 0 done, whatever the figures are; 1 not possible; 2 usage."
    app.command(name=name, help=f"{about}\n\nPrints a Markdown table. {endings}")(command)


_add_measuring(
    "cluster",
    "Measure a room on two servers beside one server: latency, throughput, acks, and a kill.",
    seconds=3.0,
)
_add_measuring(
    "feed",
    "Measure the multicast feed: latency and cost beside TCP's, repairs on a lossy link.",
    seconds=3.0,
)
_add_measuring(
    "flood",
    "Measure what two people who talk notice of one who floods the room.",
    seconds=11.0,
)
_add_measuring(
    "journal",
    "Measure the journal: its cost to the talk, acks, a restart, a page of history.",
    seconds=6.0,
)
_add_measuring(
    "sharing",
    "Measure a large audience's sends by one thread, and shared by two. Needs two cores.",
    seconds=1.0,
)
_add_measuring(
    "tls",
    "Measure TLS beside plain TCP: a send, a connection, the fan-out, newcomers.",
    seconds=3.0,
)


_add_measuring(
    "turn",
    "Measure how long a turn of the room takes, beside the same in C.",
    seconds=3.0,
)


@app.command(name="sealing")
def sealing_command(repeat: Repeat = 5) -> None:
    """Measure what sealing the feed costs: microseconds a block, at the server and a listener."""
    from loadtest.sealing import sealing  # noqa: PLC0415 - of no use to the other commands

    for name, microseconds in sealing(repeat).items():
        print(f"{name:22} {microseconds:5.2f} µs a block")


@app.command(name="memory")
def memory_command() -> None:
    """Measure what a connection costs the server in memory.

    Prints a Markdown table.
    """
    from loadtest.memory import measure  # noqa: PLC0415 - of no use to the other commands

    for line in table(measure()):
        print(line, flush=True)


@app.command(name="soak")
def soak_command(
    hours: Annotated[float, typer.Option(min=0, help="How long; and")] = 0.0,
    minutes: Annotated[float, typer.Option(min=0, help="so much more.  [default: 2]")] = 0.0,
    seed: Annotated[int, typer.Option(help="Decides which faults strike, and in what order.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", show_default="all", help="Only this one; give it again for another."
        ),
    ] = None,
) -> None:
    """Put a mixed room under one fault after the other, and hold it to what was promised.

    Exit codes: 0 every promise was kept; 1 one was not, or not possible; 2 usage; 130 ended early,
    after the results so far.
    """
    from loadtest.soak.command import soak  # noqa: PLC0415 - of no use to the other commands

    seconds = 3600 * hours + 60 * minutes or 120.0
    raise typer.Exit(soak(seconds, seed, fault or ()))


def _run(plan: Plan, results: Comparison, report: Path | None) -> int:
    if report is not None:
        from loadtest.plots import prepare  # noqa: PLC0415 - matplotlib is heavy, and an extra

        prepare(report)
    code = 0
    try:
        compare(plan, results, lambda line: print(line, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        print("ended early: these are the results so far", file=sys.stderr)
        code = 130
    report_text = markdown(results)
    print(report_text)
    if report is not None:
        from loadtest.plots import draw  # noqa: PLC0415

        (report / "results.md").write_text(report_text, encoding="utf-8")
        encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
        (report / "results.json").write_bytes(encoded + b"\n")
        draw(results, report)
        print(f"results in {report}", file=sys.stderr)
    return code


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def main() -> None:
    """Run the command line; no traceback for what a user can put right."""
    # A comparison that takes half an hour ends with its results so far, also in the background,
    # where a shell has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        app(prog_name="python -m loadtest")
    except ChatroomError as error:
        print(f"loadtest: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
