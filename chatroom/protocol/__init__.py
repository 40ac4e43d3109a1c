"""The wire formats, sans I/O: bytes in, requests out; events in, bytes out. No Trio, no sockets."""
