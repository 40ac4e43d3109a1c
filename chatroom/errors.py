"""The one exception whose text is meant for the person at the terminal."""

from __future__ import annotations


class ChatroomError(Exception):
    """Something that its user can put right; the text is one line that says what to do.

    The command line prints it on stderr and ends with exit code 1, without a traceback.
    """
