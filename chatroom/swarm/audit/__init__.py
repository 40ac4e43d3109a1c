"""Holds what every reader received against what the room said. Sans I/O."""
