"""Plain text, for people with `nc` or `telnet`: what they type, and what they read."""
