"""The one order: what is asked for waits in a channel, is decided in a turn, and is told."""
