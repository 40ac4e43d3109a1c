"""Every limit of the server, once: what it means, why it has this value, what is seen at it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9009
DEFAULT_JOURNAL = "chatroom.db"  # in the working directory

#: Instead of a file: history as long as the server runs.
IN_MEMORY = ":memory:"

#: A line without an end is given up here: eight times the longest text, so that any honest request
#: fits with every character escaped. The connection is closed with `protocol_error`.
MAX_LINE_BYTES = 8192

#: Who has said nothing yet enters the room after this: long enough for a program's hello to come
#: across a network, short enough that `nc` seems to be answered at once.
ENTER_SECONDS = 0.25

#: Browsers open connections in reserve while they load a page, and say nothing on them for a while:
#: one would be a guest who comes and goes, and what it asks for at last would not be answered. So
#: from a machine whose browser has asked for a part of the page since shortly before a connection
#: came (its silence included), that connection is waited for this long: Chromium keeps an unused
#: one for 10 s.
RESERVE_SECONDS = 12.0
LOADING_SECONDS = ENTER_SECONDS + 0.1

#: Who has begun a first line is waited for this long: as a person's terminal sends whole lines,
#: half a line is a program's, cut by the network. Then it is taken for plain text.
FIRST_LINE_SECONDS = 5.0

#: The lines of an HTTP request's header, all together; its first line may have `MAX_LINE_BYTES`.
#: Longer ones are answered 431 and 414. What nginx and Apache take of one line.
MAX_HEADER_BYTES = 8192

#: A begun HTTP request that has not come to its end by then is answered 408, and closed.
REQUEST_SECONDS = 10.0

#: An HTTP connection without a request is closed after this. A page's files come within a second,
#: and each connection takes a place (and two threads in the thread mode).
KEEP_ALIVE_SECONDS = 15.0

#: A message in a WebSocket, however many lines and fragments it has: eight of the longest lines. A
#: longer one closes the connection with 1009.
MAX_MESSAGE_BYTES = 8 * MAX_LINE_BYTES

#: Fragments of one message: they may be empty, so the bytes do not bound them. Closed with 1009.
MAX_FRAGMENTS = 1024

#: A frame that goes out has about this much, at most: whoever has to be closed because it does not
#: read gets its begun frame whole, and that has to fit into the kernel's buffer.
FRAME_BYTES = 64 * 1024

#: Who has been told to log in is closed with `idle` if it has not done so by then: time to type a
#: password, and no more.
LOGIN_SECONDS = 30.0

#: Passwords that are verified at one time: each takes a core for some 20 ms.
LOGINS_AT_ONCE = 2

#: A try that would have to wait for longer, because others from the same place have failed, is
#: refused at once with `too_fast`.
LOGIN_PATIENCE_SECONDS = 20.0

#: Where TLS is spoken, who comes from another machine and says nothing is waited for so long: a
#: hello that is lost once comes after some 0.2 s and two round trips, and must not find itself
#: answered in plain text.
TLS_HELLO_SECONDS = 1.0

#: A TLS handshake that is not done by then ends the connection. It is two round trips, and a
#: person's client does it by itself.
HANDSHAKE_SECONDS = 10.0

#: Steps of TLS handshakes in one pass of the loop, or threads that are in one: each holds up those
#: inside for the time of a signature, 0.2 ms with a P-256 key and a millisecond with RSA-2048.
HANDSHAKES_AT_ONCE = 4

#: An IRC client that has not registered by then is closed: its program does it by itself.
REGISTER_SECONDS = 10.0

#: An IRC message, with CR LF (RFC 1459); of a client's tags, as the specification of message tags
#: has it. Longer ones are answered 417.
IRC_LINE_BYTES = 512
IRC_TAGS_BYTES = 4096

#: Messages that one CHATHISTORY gives, at most: some screens of a telephone.
IRC_HISTORY = 100

#: What one turn of the room takes of one connection. A 64 KiB read can be 32,000 lines: 0.3 s in
#: which nobody else would be heard, and 3 MB of JSON for every reader before the first has a chance
#: to read. 256 lines are 1 to 3 ms.
GROUP_WEIGHT = 256

#: A text counts for one more with each so many characters: so a turn takes no more than 64 KiB of
#: one connection, which a reader's kernel holds.
WEIGHT_CHARS = 256

#: What a rename counts for among these: another's nick may take 134 microseconds to prepare.
RENAME_WEIGHT = 16

#: What one batch takes of all connections: with more, what is left waits for the next turn. Some
#: 20 ms and a megabyte at the most; 500 talkers with eight lines each still share one round of
#: sends.
BATCH_WEIGHT = 4096

#: An `id` of a request is echoed in its answer; longer than any UUID, short enough to be harmless.
MAX_ID_CHARS = 64

#: An error quotes at most this much of what it complains about.
MAX_WORD_CHARS = 32

#: The welcome names this many members, the latest speakers first; `who` pages through the rest.
WELCOME_MEMBERS = 100

#: The most that one `history`, `search` or `who` answers: 1,000 events or names of the usual length
#: fit, of the longest texts some 200. The client asks for more when it has read these.
MAX_PAGE = 1000
MAX_ANSWER_BYTES = 256 * 1024

#: A client that resumes is replayed a piece of about `PIECE_BYTES` at a time, and reads it before
#: the next: so many events of any length for a beginning, and at most so many (0.3 ms of the loop,
#: in which the others wait). With no more than these left it goes over to live.
FIRST_REPLAY_EVENTS = 32
MAX_REPLAY_EVENTS = 256

#: Answers out of history that are being made at one time: each can be a megabyte and a wait for the
#: disk, and whoever reads none of them asks for as many as there are connections.
ANSWERS_AT_ONCE = 8

#: Events that `/history` gives when it is not told how many.
DEFAULT_HISTORY = 20

#: One read takes at most this much of a connection, so that no talker holds the loop for long.
READ_BYTES = 65536

#: Reads that wait for the broadcaster. When it is full, connections wait and TCP slows the talkers
#: down. 1,024 reads of 64 KiB are 64 MiB at the very worst; a busy room has some 100 KiB there.
CHANNEL_READS = 1024

#: A connection that is being ended waits at most this long for room in the channel. The broadcaster
#: empties it thousands of times in that time.
SUBMIT_SECONDS = 10.0

#: A batch takes at most this many reads: 512 talkers at once share one round of sends, and one
#: round stays within some 10 ms.
BATCH_READS = 512

#: Connections beside the members': those that are not in the room yet, and those that are here for
#: HTTP. With more, newcomers are turned away before they have a session.
LOBBY_CONNECTIONS = 128

#: Who is turned away (the server or its address has too many connections, or it is banned) and has
#: said nothing yet is waited for so long, to be told in its own format: a program's first line
#: across a network. So many at one time, a task and a descriptor each; beyond it the answer is a
#: plain line, at once.
TURN_AWAY_SECONDS = 1.0
TURNING_AWAY = 128

#: Newcomers of one address that are announced in a second, and at once; the others later, if they
#: are still there then. Nobody could read more; a network that comes back is told within seconds.
TOLD_PER_SECOND = 10

#: Descriptors of a server beside its clients': listeners, the journal, threads' wakers, the feed.
OTHER_DESCRIPTORS = 64

#: The share of the places that is kept for addresses which hold less than as much of the room: the
#: last tenth, so that one address cannot fill it.
KEPT_SHARE = 0.1

#: The accept queue of the kernel (which caps it at net.core.somaxconn): thousands come at once
#: after a restart.
ACCEPT_BACKLOG = 4096

#: Connections taken in one go before those inside get their turn: a storm of newcomers costs them
#: some milliseconds, not seconds.
ACCEPT_BATCH = 32

#: Who has said nothing for so long, to twice that, is waited for without a task: 2.5 KB less, and
#: what it says next goes 30 us longer.
REST_SECONDS = 10.0

#: One who alone speaks, or two with each other, and again within this, are waited for awake that
#: long. A round with a program in Python takes 60 to 100 us on loopback, and somewhat more in a
#: local network; what is lost now and then is less than a turn.
BUSY_POLL_SECONDS = 200e-6

#: Unsent bytes that the kernel takes for one connection (TCP_NOTSENT_LOWAT; Trio's streams use the
#: same). Without it a stuck reader holds 3 MB of kernel memory instead of 22 KB.
NOTSENT_LOWAT_BYTES = 16384

#: How often the kernel asks a peer that has been silent for a third of
#: `ServerSettings.lost_seconds` whether it is there, in the second third.
KEEPALIVE_PROBES = 3

#: A client with more than this waiting in its outbox is not read from: who does not read the
#: answers need not ask more. A fraction of the outbox limit, and more than a page of history.
DRAINED_BYTES = 256 * 1024

#: What is kept for all readers together, beside what they share: at it, whoever has most waiting
#: is closed with `slow_reader`. 64 readers at their own limit, or 1,000 of the longest answers.
MEMORY_BUDGET_BYTES = 256 * 1024 * 1024

#: An event that has waited for the disk for so long says that the disk does not keep up: `/healthz`
#: turns 503. A commit takes milliseconds; acks are refused after some seconds more.
BEHIND_SECONDS = 2.0

#: In a cluster: so many commands of one server may be on their way through the log; with half of
#: them nobody is read who says more, and what is said beyond them is refused with `unavailable`.
#: More than two seconds of the busiest talk, and some 10 MB at the most.
CLUSTER_MOST_COMMANDS = 65_536
CLUSTER_EASED_COMMANDS = CLUSTER_MOST_COMMANDS // 2

#: How long what clients say waits for a log that is away, before it is refused at once. Redis
#: restarts in less; a person would have given up.
CLUSTER_PATIENCE_SECONDS = 10.0

#: When the log has been away for so long, everybody is told that what they say waits.
CLUSTER_NOTICE_SECONDS = 1.0

#: A reader that has taken nothing for so long does not read: with more than its limit waiting it is
#: closed, and nobody's talk waits for it. Longer than a collector's pause or a lost packet's timer.
STALL_SECONDS = 0.5

#: So many times its limit may wait for a reader that takes something all the time. What everybody
#: hears is kept once for all, so this is no matter of memory (what is a reader's own has its
#: budget): it only must not grow for ever. A hundred talkers with a paste each make 30 MB in which
#: a reader's process may not have got the processor once.
MOST_LIMITS = 8

#: Who talks without end waits at most this long, each turn, for readers that are behind: so a paste
#: of a million lines goes as fast as the room can read it, and the slowest cannot stop it.
EASE_SECONDS = 1.0

#: A replay goes out in pieces of about this size, so that it is in nobody's way.
PIECE_BYTES = 64 * 1024

#: How long the last line of a connection waits for the acks that it is owed, at most: a disk that
#: is slower than that keeps nobody from being told why it ends.
FAREWELL_SECONDS = 4.0

#: How long a closed connection may take to read its last lines before the socket goes.
LINGER_SECONDS = 1.0

#: The largest UDP payload of the feed, by default: 1,500 of Ethernet, less IPv6 and UDP headers.
DATAGRAM_BYTES = 1452

#: What one event may take in a datagram beside others: the datagram, less MoldUDP64's header (20)
#: and the length before the message (2). A text whose event is longer is refused.
MAX_EVENT_BYTES = DATAGRAM_BYTES - 22


#: The feed's group, from the range for private use (RFC 2365): an organisation's own.
DEFAULT_GROUP = "239.255.90.9"


@dataclass(frozen=True, kw_only=True)
class FeedSettings:
    """The multicast feed; by default it stays on this host."""

    group: str = DEFAULT_GROUP  #: IPv4 or IPv6
    port: int | None = None  #: None: the TCP port + 1
    interface: str | None = None  #: an address or a name; None: loopback
    ttl: int = 1  #: networks that a datagram may cross
    request_port: int | None = None  #: None: the feed's port + 1
    #: Whether another port for requests is taken if that one is in use (with TCP port 0).
    any_request_port: bool = False
    datagram_bytes: int = DATAGRAM_BYTES
    #: The newest events kept to be sent again, in number and in bytes. What is older is looked up
    #: in the journal.
    keep: int = 65_536
    keep_bytes: int = 16 * 1024 * 1024
    #: Whether only those can read it who may come into the room; None: where not everybody may.
    sealed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """The page and the WebSocket, on the room's own port."""

    #: Names beside `localhost`, this host's own and addresses by which browsers may ask for it: any
    #: other may be an attacker's that points here (DNS rebinding).
    hosts: tuple[str, ...] = ()
    #: Origins (`https://chat.example.org`) beside the page's own whose scripts may open the
    #: WebSocket: any other page that a member visits would speak in the member's place.
    origins: tuple[str, ...] = ()


class Access(StrEnum):
    """How a room is entered."""

    OPEN = "open"  #: by everybody who reaches the port
    SECRET = "secret"  #: with the room's secret, or with an account
    ACCOUNTS = "accounts"  #: with an account only
    MIXED = "mixed"  #: by everybody; the nicks of accounts are for their owners


def accounts_beside(journal: str) -> str:
    """Where the accounts are of the room whose journal this is: `chatroom.db.access`."""
    return f"{journal}.access"


def control_beside(journal: str) -> str:
    """Where its control socket is: `chatroom.db.control`."""
    return f"{journal}.control"


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """Who may come in."""

    access: Access = Access.OPEN
    secret_file: str | None = None  #: its first line is the room's secret
    #: Accounts, bans and the topic; None: there are no accounts, and the rest ends with the server.
    accounts_file: str | None = None
    control_path: str | None = None  #: a Unix socket for the administrator; None: none


#: Questions (`who`, `history`, a ping, what is refused) that one connection asks a second, and at
#: once after a pause: a program that pages through everything is not held up by it, and one that
#: does nothing else costs the room less than a talker.
QUERIES_PER_SECOND = 50.0
QUERY_BURST = 200

#: Renames of one connection, and what else is told to all of who one is (IRC's JOIN, PART, AWAY):
#: a person's slips, then one in ten seconds. Another's nick may take 134 microseconds to prepare.
RENAMES_PER_SECOND = 0.1
RENAME_BURST = 5

#: The room's ceiling, where nothing else is said: with 1,000 lines a second the slowest readers
#: (0.1 MB/s) keep up, and nobody can follow a tenth of that.
ROOM_PER_SECOND = 500.0

#: Who has been held back by the ceiling for so long, with more to say all the time, is told.
CROWDED_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class RateSettings:
    """How fast one may talk. At a limit nothing is refused or lost: the server reads no more of
    that connection until there is room again, and TCP slows its client down.
    """

    #: Messages of one connection. 0: as many as it likes, and as many questions and renames: who
    #: comes in is trusted. No person types and no person reads 50 a second.
    talk_per_second: float = 50.0
    talk_burst: int = 200  #: after a pause, at once: a paste of some screens
    #: Who pushes without a break for longer is closed with `flood`. A paste of 3,000 lines is no
    #: flood.
    patience_seconds: float = 60.0
    #: Of all connections together that are not exempt; 0: any number. None: `ROOM_PER_SECOND`, or
    #: any number where a connection may say as many as it likes.
    room_per_second: float | None = None
    #: Nicks to which the room's ceiling does not apply, as it does not to operators: of an account
    #: that is logged in, or of who comes from this machine.
    exempt: tuple[str, ...] = ()

    @property
    def ceiling_per_second(self) -> float:
        """The room's ceiling as it holds; 0: there is none."""
        if self.room_per_second is not None:
            return self.room_per_second
        return ROOM_PER_SECOND if self.talk_per_second else 0.0


#: Talkers are trusted: nothing is looked at.
UNLIMITED = RateSettings(talk_per_second=0.0)


@dataclass(frozen=True, kw_only=True)
class AddressSettings:
    """What one address may have: an IPv4 address, or the /64 of an IPv6 address, which one host may
    have. Loopback and Unix sockets are exempt. One more is told `too_many_connections`.
    """

    #: Connections at one time; 0: any number. An office behind one address has about as many.
    connections: int = 32
    #: New connections a minute, and as many at once after a pause; 0: any number. A page takes six,
    #: and who comes back after each break of a bad network a few a minute.
    new_per_minute: int = 120


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """The files, in PEM; they may be one and the same."""

    certificate: str  #: and those that it is signed by, up to what clients know
    key: str


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What the operator chooses; the options of `chatroom serve`."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT  #: 0 lets the system choose a free one
    unix_path: str | None = None  #: a Unix socket to listen on as well
    mode: str = "epoll"  #: epoll, or thread: the thread-per-connection baseline
    room: str = "lobby"
    #: Members; one more is told `room_full`.
    max_clients: int = 10_000
    #: Bytes of UTF-8 in a message; a longer one is refused with `text_too_long`.
    max_text_bytes: int = 1024
    #: Bytes kept for a reader that is behind; over it a reader that takes nothing is closed with
    #: `slow_reader`, any other at `MOST_LIMITS` times as much. Some seconds of the fastest talk.
    outbox_limit_bytes: int = 4 * 1024 * 1024
    #: What is queued for a reader must have left after this; else it is closed with `slow_reader`.
    #: NATS gives 10 s too; a reader further behind does not take part in the talk any more.
    write_deadline_seconds: float = 10.0
    #: A client by WebSocket or IRC that has been silent for so long, and has not answered the ping
    #: that it got after half of it, is closed with `idle`; 0: nobody is asked. Proxies give up a
    #: connection that is silent for a minute: a ping comes before.
    idle_seconds: float = 60.0
    #: A peer that has vanished without a word is `lost` after this at the latest: the kernel asks
    #: after a third of it (SO_KEEPALIVE), and two thirds are what it waits for an acknowledgement
    #: (TCP_USER_TIMEOUT, RFC 5482). A shorter break of the network costs nobody the connection.
    lost_seconds: float = 60.0
    #: How long a drain (SIGINT, SIGTERM) may take.
    grace_seconds: float = 5.0
    #: Threads that share the sends to a large audience with Trio's, in the epoll mode; None: one
    #: for each core but the first two, three at most.
    send_threads: int | None = None
    #: How long one who alone speaks, or two with each other, and quickly, are waited for awake, in
    #: the epoll mode; 0: never. None: `BUSY_POLL_SECONDS`, and never where the machine has
    #: one core.
    busy_poll_seconds: float | None = None
    #: With more members than this, joins and leaves are not announced: nobody could read them.
    presence_limit: int = 100
    #: Events kept in memory for `history` and resuming.
    recent_events: int = 1000
    access: AccessSettings = AccessSettings()
    address: AddressSettings = AddressSettings()
    rates: RateSettings = RateSettings()
    #: The multicast feed; None: there is none.
    feed: FeedSettings | None = None
    #: The web page and the WebSocket; None: neither, and only health and figures over HTTP.
    web: WebSettings | None = WebSettings()
    #: TLS on the same port; None: there is none.
    tls: TlsSettings | None = None
    #: Whether only who is on this machine comes in without TLS.
    require_tls: bool = False
    #: Lines of what was said before that an IRC client gets when it joins, unless it can ask for
    #: history itself. A person reads so many at a glance.
    irc_replay: int = 20
    #: For so long IRC clients are to come under TLS only, once they have been told so (IRCv3, sts);
    #: 0: they are not told. Off unless asked for: a client that cannot verify the certificate (one
    #: that the server has made itself) would not come in at all, and would not forget it.
    irc_sts_seconds: int = 0
    #: Whether health and figures are answered to other machines too.
    open_figures: bool = False

    @property
    def feed_is_sealed(self) -> bool:
        """Whether only those can read the feed who may come in."""
        if self.feed is None or self.feed.sealed is None:
            return self.access.access is not Access.OPEN
        return self.feed.sealed


class Durability(StrEnum):
    """What an ack promises."""

    PROCESS = "process"  #: kept when the server dies; the newest may go with the power
    POWER = "power"  #: kept when the power goes: synced to the disk before the ack


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The options of `chatroom serve` that are about history."""

    path: str
    durability: Durability = Durability.POWER
    #: Older events are removed in the background when there are more than this.
    keep_events: int = 1_000_000
    #: Events older than this are removed too; None keeps them as long as their number allows.
    keep_days: float | None = None
    #: Events are removed, the oldest first, while they and their index take more than this in the
    #: file; None: no bound. The file's log, of some 4 MiB, comes to it.
    keep_bytes: int | None = None
    #: The newest, kept in memory as well.
    recent_events: int = 1000
    #: What may wait for the disk: a minute or more of the busiest room.
    backlog_limit_bytes: int = 64 * 1024 * 1024
