"""JSON Lines in the text frames of a WebSocket (RFC 6455)."""
