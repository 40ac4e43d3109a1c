"""A room's secret: one line in a file."""

from __future__ import annotations

import os
import stat

from chatroom.errors import ChatroomError

#: More than any line of a request can carry.
_MAX_BYTES = 4096


def read_secret(path: str) -> str:
    """The first line of the file, without its end. Blocks.

    Raises `ChatroomError` if it cannot be read, is empty or not UTF-8, or if others may read it
    too.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            mode = os.fstat(fd).st_mode
            text = file.readline(_MAX_BYTES + 2).rstrip(b"\r\n").decode()
    except OSError as error:
        raise ChatroomError(f"cannot read the secret in {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ChatroomError(f"the secret in {path} is not UTF-8") from error
    if stat.S_ISREG(mode) and mode & _forbidden(path):
        raise ChatroomError(f"others may read the secret in {path}: chmod 600 {path}")
    if not text or len(text) > _MAX_BYTES:
        raise ChatroomError(f"the secret in {path} has to be its first line, and not empty")
    return text


def _forbidden(path: str) -> int:
    """Rights that nobody may have but the owner. systemd gives a service's user what it loads for
    it (`LoadCredential=`) by an ACL, whose mask shows as the group's right to read.
    """
    others = stat.S_IRWXG | stat.S_IRWXO
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and os.path.dirname(os.path.realpath(path)) == os.path.realpath(credentials):
        return others & ~stat.S_IRGRP
    return others
