"""The room itself: who is here, what is said, in which order. Sans I/O, without clock or chance.

`commands` says what can be asked of it and what comes of that, `room` does it; `nick` and `text`
are the rules for names and words.
"""
