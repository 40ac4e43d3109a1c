"""The service: the nursery that owns it, its connections, the broadcaster and the fan-out."""
