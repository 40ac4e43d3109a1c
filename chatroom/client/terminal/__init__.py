"""The room on a terminal, or on a pipe, for people and for shell scripts.

`colours`, `people`, `completion`, `commands` and `render` know no terminal and no connection.
`screen` is the terminal, `conversation` puts all of it together; `pipe` and `once` are for
programs.
"""
