"""JSON Lines, for programs: one object a line. `render` and `session` are the server's halves."""
