"""How lines come and go between a client and its server.

`contract` is what the rest of the client knows; `stream` (TCP, TLS and Unix sockets) and
`websocket` keep to it, and `address` chooses.
"""
