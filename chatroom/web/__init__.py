"""The room over HTTP: its page, its health and its figures."""
