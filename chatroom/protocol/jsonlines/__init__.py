"""JSON Lines, for programs: one object a line.

The server's halves are `session` (lines to requests) and `render` (events and answers to lines),
the client's `write` (requests to lines) and `parse` (lines to events and answers).
"""
