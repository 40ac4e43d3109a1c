"""A server's part in a room that is on several: its order is a log elsewhere."""
