"""Standard input, output and error as every command can count on them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

#: A file that an error does not name, and that takes no more: what is printed to.
_FULL_OR_GONE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE})


def open_standard_streams() -> None:
    """Put the null device where a shell has closed one (`<&-`).

    Else the first file or socket would get its number, and be read from and written to; Python has
    no `sys.stdin` then, and prints to stdout what is for stderr.
    """
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(fd, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False))  # noqa: SIM115


def lost_output(errors: Sequence[OSError]) -> str | None:
    """What to say of the output that could not be written: nothing, if only its reader has gone.
    None if the errors are of something else.
    """
    if any(error.filename is not None or error.errno not in _FULL_OR_GONE for error in errors):
        return None
    # What is still buffered goes nowhere: Python would complain of it once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if errors[0].errno == errno.EPIPE:
        return ""
    return f"cannot write the output: {errors[0].strerror}"
