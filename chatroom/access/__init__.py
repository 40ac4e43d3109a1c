"""Who may come in: the room's secret, accounts and their passwords, and what is kept of them.

Beside `file` nothing here does any I/O; what takes long says so, and is for a thread.
"""
