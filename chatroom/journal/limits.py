"""The limits of the journal on disk, with their reasons. What the operator chooses stands in
`chatroom.settings.JournalSettings`.
"""

#: Numbers are reserved on disk at least so far ahead of the talk. Numbers up to the reservation are
#: never given out again after a crash, so this is how much may be said while the disk takes
#: nothing at all: 20 s of the fastest talk, hours of an ordinary room. The price is that the gap
#: after a power failure, and after a crash that left no mark (see `chatroom.journal.mark`), is said
#: to be this long; numbers go to 2**53, enough for nine thousand million.
RESERVE_EVENTS = 1_000_000

#: Where that would be little, the reservation covers this much time at the present pace.
RESERVE_SECONDS = 600.0

#: A transaction takes at most this many events, so that acks come in some 30 ms also when much
#: waits. One sync for all of them.
GROUP_EVENTS = 8192

#: After a transaction with this many events the next one waits for more. Then many talk, and acks
#: that come together make them talk together: fewer and larger broadcasts. With 100 talkers and 10
#: unacked messages each that saves a fifth of the server's time for each message; who talks alone
#: does not wait.
BUSY_EVENTS = 16
GATHER_SECONDS = 0.005

#: What waits for the disk is at most this much (`JournalSettings`); beyond it batches are refused.
#: Estimated as the JSON of each event and this for the event itself, which is near what Python
#: takes.
EVENT_OVERHEAD_BYTES = 400

#: From here on the log says how far the journal is behind, and at most every so often.
BACKLOG_NOTICE_BYTES = 1024 * 1024
BACKLOG_NOTICE_SECONDS = 5.0

#: Who waits this long for an ack gets `not_stored` instead: the disk is stuck. What was said stays
#: in line and may still be written when the disk moves again.
STALL_SECONDS = 5.0

#: Another program may hold the database's write lock; the writer waits this long before it counts
#: as a failure. Less than STALL_SECONDS, so that the reason that is logged is the lock.
BUSY_SECONDS = 2.0

#: After a failure the next attempt waits this long, doubling up to the second figure: soon enough
#: that a full disk is noticed to have room again, rare enough to cost nothing.
RETRY_SECONDS = 0.1
RETRY_MAX_SECONDS = 1.0

#: A failure that lasts is logged again after this.
FAILURE_NOTICE_SECONDS = 10.0

#: Old events are removed, and new ones put in the search index, so many at a time: about 2 ms, in
#: which a waiting write is delayed.
CHORE_EVENTS = 250

#: One such portion for so many events written: each needs two, out at the one end and into the
#: index, so this leaves half of them for what is old and for what was left undone before. After one
#: transaction at most so many, about as long as a transaction takes.
CHORE_PACE_EVENTS = CHORE_EVENTS // 4
CHORES_AT_ONCE = 4
MOST_OWED_EVENTS = 64 * CHORE_PACE_EVENTS

#: After a failure the disk is asked so often whether it takes something again.
PROBE_SECONDS = 2.0

#: While there is less talk, one such portion in this time; when the writer has been idle for it,
#: one after the other until there is none left.
CHORE_SECONDS = 0.1

#: When nothing has been said for so long, what the write-ahead log has is copied into the file.
SILENCE_SECONDS = 1.0

#: How often the age of the oldest events is looked at.
AGE_CHECK_SECONDS = 60.0

#: The write-ahead log is copied into the database when it has this many pages (of 4 KiB): some
#: 10 ms each few seconds under load, between two transactions. SQLite's own default.
CHECKPOINT_PAGES = 1000

#: Pages of history are read by this many threads, each with a connection of its own.
READERS = 2

#: Searches have a thread of their own, so that pages don't wait for them; one at a time, as each
#: may take a whole core.
SEARCHERS = 1

#: A search ends after this, with an error. Words take a few ms among a million events; the events
#: that have words with one given letter at the beginning take some seconds to be put together.
SEARCH_SECONDS = 2.0
