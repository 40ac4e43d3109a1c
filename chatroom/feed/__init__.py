"""The multicast feed: every event once to a group, and whatever the network drops asked for again.

The server's side: `sender` (one datagram to everyone), `store` and `answering` (what is asked for
again), `broadcast` (the two together, as the server runs them). The listener's side: `stream` and
`reassembly` (which numbers are missing, what to ask for, what to deliver; no I/O, no clock of their
own) and `listener` (their sockets). `group` makes the sockets of both.
"""
