"""`chatroom serve`: the server."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from chatroom.cli.choices import FeedEncryption, Figures, LogFormat, LogLevel, ServerMode, Tls
from chatroom.cli.config import config_of, read_config
from chatroom.cli.groups import parse_group
from chatroom.cli.numbers import refuse_nan
from chatroom.cli.places import access_of, certificate_of, exempt_of
from chatroom.settings import (
    DEFAULT_GROUP,
    DEFAULT_HOST,
    DEFAULT_JOURNAL,
    DEFAULT_PORT,
    MAX_PAGE,
    ROOM_PER_SECOND,
    Access,
    AddressSettings,
    Durability,
    FeedSettings,
    JournalSettings,
    RateSettings,
    ServerSettings,
    WebSettings,
)


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(envvar="CHATROOM_HOST", help="Address or name to listen on.")
    ] = DEFAULT_HOST,
    port: Annotated[
        int,
        typer.Option(envvar="CHATROOM_PORT", min=0, max=65535, help="TCP port; 0: any free one."),
    ] = DEFAULT_PORT,
    mode: Annotated[
        ServerMode,
        typer.Option(
            envvar="CHATROOM_MODE",
            help="How clients are served: by an event loop, or by two threads each (the baseline).",
        ),
    ] = ServerMode.epoll,
    room: Annotated[
        str, typer.Option(envvar="CHATROOM_ROOM", help="Name of the room.")
    ] = ServerSettings.room,
    max_clients: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_MAX_CLIENTS", min=1, help="Members; one more is told room_full."
        ),
    ] = ServerSettings.max_clients,
    max_text: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_MAX_TEXT", min=1, max=4096, help="Bytes of UTF-8 in a message."
        ),
    ] = ServerSettings.max_text_bytes,
    presence_limit: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_PRESENCE_LIMIT",
            min=0,
            help="With more members than this, joins and leaves are not announced.",
        ),
    ] = ServerSettings.presence_limit,
    outbox_limit: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_OUTBOX_LIMIT",
            min=65536,
            metavar="BYTES",
            help="Bytes kept for a reader that is behind; over it, it is closed (slow_reader).",
        ),
    ] = ServerSettings.outbox_limit_bytes,
    write_deadline: Annotated[
        float,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_WRITE_DEADLINE",
            min=0.01,
            metavar="SECONDS",
            help="What waits for a reader has to leave within this; else it is closed.",
        ),
    ] = ServerSettings.write_deadline_seconds,
    send_threads: Annotated[
        int | None,
        typer.Option(
            envvar="CHATROOM_SEND_THREADS",
            min=0,
            max=16,
            show_default="one for each core beyond two, at most 3",
            help="Threads that help sending to hundreds of readers; 0: none.",
        ),
    ] = ServerSettings.send_threads,
    busy_poll: Annotated[
        float | None,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_BUSY_POLL",
            min=0,
            max=10_000,
            metavar="MICROSECONDS",
            show_default="200; 0 where the machine has one core",
            help="One who alone speaks, or two with each other, and again within this, are waited"
            " for awake; 0: never.",
        ),
    ] = None,
    idle_timeout: Annotated[
        float,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_IDLE_TIMEOUT",
            min=0,
            metavar="SECONDS",
            help="A silent client by WebSocket or IRC is pinged after half of this, and closed"
            " after it (idle); 0: never.",
        ),
    ] = ServerSettings.idle_seconds,
    lost_timeout: Annotated[
        float,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_LOST_TIMEOUT",
            min=4,
            max=7200,
            metavar="SECONDS",
            help="A peer that has vanished without a word is noticed within this (lost).",
        ),
    ] = ServerSettings.lost_seconds,
    grace: Annotated[
        float,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_GRACE",
            min=0,
            metavar="SECONDS",
            help="How long ending may take: the last lines are delivered within it.",
        ),
    ] = ServerSettings.grace_seconds,
    journal: Annotated[
        str,
        typer.Option(
            envvar="CHATROOM_JOURNAL",
            metavar="FILE",
            show_default=f"{DEFAULT_JOURNAL}; with --cluster chatroom-NAME.db",
            help="Where history is kept; :memory: keeps the newest events while the server runs.",
        ),
    ] = DEFAULT_JOURNAL,
    keep_events: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_KEEP_EVENTS", min=1, help="Events kept in the journal; older ones go."
        ),
    ] = JournalSettings.keep_events,
    keep_days: Annotated[
        float | None,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_KEEP_DAYS",
            min=0,
            max=100_000,
            help="Events older than this go too.",
            show_default="any age",
        ),
    ] = None,
    keep_bytes: Annotated[
        int | None,
        typer.Option(
            envvar="CHATROOM_KEEP_BYTES",
            min=1_000_000,
            metavar="BYTES",
            help="Events that take more than this on the disk go too.",
            show_default="any size",
        ),
    ] = None,
    durability: Annotated[
        Durability,
        typer.Option(
            envvar="CHATROOM_DURABILITY",
            help="An ack says that the message outlives the server process, or a power failure.",
        ),
    ] = Durability.POWER,
    multicast: Annotated[
        str,
        typer.Option(
            envvar="CHATROOM_MULTICAST",
            metavar="GROUP[:PORT]",
            show_default=f"{DEFAULT_GROUP}, port: the TCP port + 1",
            help="IPv4 or IPv6 group that gets every event once.",
        ),
    ] = DEFAULT_GROUP,
    no_multicast: Annotated[
        bool,
        typer.Option("--no-multicast", envvar="CHATROOM_NO_MULTICAST", help="No multicast feed."),
    ] = False,
    multicast_interface: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_MULTICAST_INTERFACE",
            metavar="ADDRESS|NAME",
            show_default="loopback: this host only",
            help="Where the feed goes.",
        ),
    ] = None,
    multicast_ttl: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_MULTICAST_TTL", min=0, max=255, help="Networks that it may cross."
        ),
    ] = FeedSettings.ttl,
    multicast_request_port: Annotated[
        int | None,
        typer.Option(
            envvar="CHATROOM_MULTICAST_REQUEST_PORT",
            min=1,
            max=65535,
            show_default="the feed's port + 1",
            help="UDP port where listeners ask for what they missed.",
        ),
    ] = None,
    multicast_datagram: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_MULTICAST_DATAGRAM",
            min=512,
            max=65507,
            metavar="BYTES",
            help="Largest datagram of the feed; a longer event is refused.",
        ),
    ] = FeedSettings.datagram_bytes,
    feed_keep: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_FEED_KEEP", min=0, help="Newest events kept to be sent again."
        ),
    ] = FeedSettings.keep,
    unix: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_UNIX",
            metavar="PATH",
            show_default="none",
            help="Listen on this Unix socket too; it is for its owner alone.",
        ),
    ] = None,
    access: Annotated[
        Access,
        typer.Option(
            envvar="CHATROOM_ACCESS",
            help="Who may come in: everybody; who knows the secret; who has an account; or"
            " everybody, and accounts own their nicks.",
        ),
    ] = Access.OPEN,
    secret_file: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_SECRET_FILE",
            metavar="FILE",
            show_default="none",
            help="Its first line is the room's secret; nobody else may be able to read it.",
        ),
    ] = None,
    accounts: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_ACCOUNTS",
            metavar="FILE",
            show_default="the journal's, and .access",
            help="Where accounts, bans and the topic are kept.",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_CONTROL",
            metavar="PATH",
            show_default="the journal's, and .control",
            help="The Unix socket for chatroom admin; it is for its owner alone.",
        ),
    ] = None,
    feed_encryption: Annotated[
        FeedEncryption | None,
        typer.Option(
            envvar="CHATROOM_FEED_ENCRYPTION",
            show_default="on, unless access is open",
            help="Whether only those can read the feed who may come in.",
        ),
    ] = None,
    address_connections: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_ADDRESS_CONNECTIONS",
            min=0,
            help="Connections that one address (IPv6: /64) may have at a time, loopback exempt;"
            " 0: any number.",
        ),
    ] = AddressSettings.connections,
    address_rate: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_ADDRESS_RATE",
            min=0,
            help="New connections a minute of one address, loopback exempt; 0: any number.",
        ),
    ] = AddressSettings.new_per_minute,
    talk_rate: Annotated[
        float,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_TALK_RATE",
            min=0,
            metavar="N",
            help="Messages a second that one connection may say: what comes faster waits. 0:"
            " talkers are trusted, and nothing that they ask for is limited.",
        ),
    ] = RateSettings.talk_per_second,
    talk_burst: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_TALK_BURST", min=1, metavar="N", help="So many at once after a pause."
        ),
    ] = RateSettings.talk_burst,
    talk_patience: Annotated[
        float,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_TALK_PATIENCE",
            min=1,
            metavar="SECONDS",
            help="Who pushes against these limits for longer, without a break, is closed (flood).",
        ),
    ] = RateSettings.patience_seconds,
    room_rate: Annotated[
        float | None,
        typer.Option(
            callback=refuse_nan,
            envvar="CHATROOM_ROOM_RATE",
            min=0,
            metavar="N",
            show_default=f"{ROOM_PER_SECOND:g}; with --talk-rate 0: 0",
            help="Messages a second of all together; who pushes has an equal share. 0: any number.",
        ),
    ] = None,
    room_rate_exempt: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHATROOM_ROOM_RATE_EXEMPT",
            metavar="NICK",
            show_default="operators only",
            help="A nick that --room-rate does not hold: an account's, or of who comes from this"
            " machine; several times.",
        ),
    ] = None,
    tls: Annotated[
        Tls,
        typer.Option(
            envvar="CHATROOM_TLS",
            help="auto: TLS with a certificate that is made once, beside the journal.",
        ),
    ] = Tls.off,
    tls_cert: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_TLS_CERT",
            metavar="FILE",
            show_default="none",
            help="TLS with this certificate (PEM, and its chain); SIGHUP has it read again.",
        ),
    ] = None,
    tls_key: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_TLS_KEY",
            metavar="FILE",
            show_default="in the certificate's file",
            help="The certificate's key (PEM, without a password).",
        ),
    ] = None,
    require_tls: Annotated[
        bool,
        typer.Option(
            "--require-tls",
            envvar="CHATROOM_REQUIRE_TLS",
            help="Without TLS only this machine comes in.",
        ),
    ] = False,
    no_web: Annotated[
        bool,
        typer.Option("--no-web", envvar="CHATROOM_NO_WEB", help="No web page and no WebSocket."),
    ] = False,
    web_host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHATROOM_WEB_HOST",
            metavar="NAME",
            show_default="this host's own",
            help="A name by which browsers may ask for the page; may be given several times.",
        ),
    ] = None,
    web_origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHATROOM_WEB_ORIGIN",
            metavar="ORIGIN",
            show_default="the page's own",
            help="A page, as https://chat.example.org, whose scripts may come in; several times.",
        ),
    ] = None,
    irc_replay: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_IRC_REPLAY",
            min=0,
            max=MAX_PAGE,
            help="Lines said before that an IRC client gets when it joins.",
        ),
    ] = ServerSettings.irc_replay,
    irc_sts: Annotated[
        int,
        typer.Option(
            envvar="CHATROOM_IRC_STS",
            metavar="SECONDS",
            min=0,
            show_default="never",
            help="Have IRC clients come under TLS only, for so long: needs a certificate that they"
            " can verify.",
        ),
    ] = ServerSettings.irc_sts_seconds,
    cluster: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_CLUSTER",
            metavar="URL",
            show_default="one server alone",
            help="The Redis (redis://, rediss://, unix://, redis+sentinel://) that this room's"
            " servers share: they are one room.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_NAME",
            show_default="none",
            help="With --cluster: this server's name, which no other of the room has.",
        ),
    ] = None,
    advertise: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHATROOM_ADVERTISE",
            metavar="HOST:PORT",
            show_default="--host and --port",
            help="With --cluster: where clients of the other servers find this one; several times.",
        ),
    ] = None,
    cluster_password_file: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_CLUSTER_PASSWORD_FILE",
            metavar="FILE",
            show_default="none",
            help="A file whose first line is the password for the Redis.",
        ),
    ] = None,
    metrics: Annotated[
        Figures,
        typer.Option(
            envvar="CHATROOM_METRICS",
            help="Who is answered on /metrics and /healthz: this machine only, or everybody.",
        ),
    ] = Figures.local,
    log_level: Annotated[LogLevel, typer.Option(envvar="CHATROOM_LOG_LEVEL")] = LogLevel.info,
    log_format: Annotated[LogFormat, typer.Option(envvar="CHATROOM_LOG_FORMAT")] = LogFormat.text,
    config: Annotated[
        str | None,
        typer.Option(
            envvar="CHATROOM_CONFIG",
            metavar="FILE",
            is_eager=True,
            callback=read_config,
            show_default="none",
            help="A TOML file with any of these options; --print-config writes one.",
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Write the settings as a file for --config, and end."),
    ] = False,
) -> None:
    """Start a room. Ctrl-C ends it in good order, a second one at once."""
    if print_config:
        typer.echo(config_of(context))
        return
    import trio

    from chatroom.cli.clustering import cluster_options, is_chosen, open_part
    from chatroom.cli.running import open_history, serve_until_signal
    from chatroom.logs import set_up_log
    from chatroom.server.entrance import Entrance
    from chatroom.server.process import raise_descriptor_limit, tune_collector
    from chatroom.server.service import Service
    from chatroom.server.supervision import Supervisor
    from chatroom.transport.inherited import take_inherited

    shared = cluster_options(
        cluster,
        name,
        advertise or (),
        cluster_password_file,
        listens=(host, port),
        # By default the Redis may promise less than this server's own disk does.
        power=durability is Durability.POWER and is_chosen(context, "durability"),
    )
    if shared is not None and not is_chosen(context, "journal"):
        journal = shared.journal  # servers of one room may share a directory
    group, feed_port = parse_group(multicast, "--multicast")
    certificate = certificate_of(tls, tls_cert, tls_key, journal)
    if require_tls and certificate is None:
        raise typer.BadParameter("give --tls-cert, or --tls auto.", param_hint="'--require-tls'")
    set_up_log(log_level, json=log_format is LogFormat.json)
    settings = ServerSettings(
        host=host,
        port=port,
        mode=mode.value,
        room=room,
        max_clients=max_clients,
        max_text_bytes=max_text,
        presence_limit=presence_limit,
        outbox_limit_bytes=outbox_limit,
        write_deadline_seconds=write_deadline,
        send_threads=send_threads,
        busy_poll_seconds=None if busy_poll is None else busy_poll / 1e6,
        idle_seconds=idle_timeout,
        lost_seconds=lost_timeout,
        grace_seconds=grace,
        feed=None
        if no_multicast
        else FeedSettings(
            group=group,
            port=feed_port,
            interface=multicast_interface,
            ttl=multicast_ttl,
            request_port=multicast_request_port,
            datagram_bytes=multicast_datagram,
            keep=feed_keep,
            sealed=None if feed_encryption is None else feed_encryption is FeedEncryption.on,
        ),
        access=access_of(access, secret_file, accounts, control, journal),
        address=AddressSettings(connections=address_connections, new_per_minute=address_rate),
        rates=RateSettings(
            talk_per_second=talk_rate,
            talk_burst=talk_burst,
            patience_seconds=talk_patience,
            room_per_second=room_rate,
            exempt=exempt_of(room_rate_exempt or ()),
        ),
        unix_path=unix,
        tls=certificate,
        require_tls=require_tls,
        web=None
        if no_web
        else WebSettings(
            hosts=tuple(web_host or ()),
            origins=tuple(web_origin or ()),
        ),
        irc_replay=irc_replay,
        irc_sts_seconds=irc_sts,
        open_figures=metrics is Figures.everybody,
    )
    journal_settings = JournalSettings(
        path=journal,
        durability=durability,
        keep_events=keep_events,
        keep_days=keep_days,
        keep_bytes=keep_bytes,
        recent_events=settings.recent_events,
    )
    Entrance(settings.access).check()  # before the journal is touched
    raise_descriptor_limit(max_clients)
    supervisor = Supervisor(os.environ)
    inherited = take_inherited(os.environ)

    async def run() -> int:
        server = None if inherited else settings
        follows = shared is not None
        async with (
            open_history(journal_settings, server, following=follows) as opened,
            open_part(shared, settings, opened) as part,
        ):
            tune_collector()
            service = Service(settings, opened, inherited, part)
            return await serve_until_signal(service, supervisor)

    status = trio.run(run)
    if status:
        raise typer.Exit(status)
