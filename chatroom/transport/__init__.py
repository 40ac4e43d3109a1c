"""How bytes come and go: sockets, the outboxes of both server modes, listening.

Nothing here knows what the bytes say.
"""
