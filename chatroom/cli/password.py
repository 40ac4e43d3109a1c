"""Where the client has a password from: a command, the system's keyring, or whoever types it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib import import_module

import typer

from chatroom.errors import ChatroomError

#: Under this name, and `ACCOUNT@HOST:PORT`, the keyring has it.
SERVICE = "chatroom"

_NOT_UTF_8 = "the password is not UTF-8"


def from_command(command: str) -> str:
    """The first line of what it writes; it may ask at the terminal. Raises `ChatroomError`."""
    try:
        done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, check=True)
        password = done.stdout.partition(b"\n")[0].rstrip(b"\r").decode()
    except (OSError, ValueError, IndexError) as error:  # what cannot be split, or is not UTF-8
        raise ChatroomError(f"cannot have a password from {command}: {error}") from error
    except subprocess.CalledProcessError as error:
        text = f"{command} has failed with exit code {error.returncode}"
        raise ChatroomError(f"no password: {text}") from error
    if not password:
        raise ChatroomError(f"no password: {command} has written none")
    return password


def from_keyring(account: str, where: str) -> str | None:
    """What the package `keyring`, where it is installed, has for `ACCOUNT@HOST:PORT`."""
    try:
        keyring = import_module("keyring")
    except ModuleNotFoundError:
        return None
    try:
        password: str | None = keyring.get_password(SERVICE, f"{account}@{where}")
    except Exception as error:  # each of its backends has errors of its own
        print(f"chatroom: the keyring has failed: {error}", file=sys.stderr)
        return None
    return password


def ask(account: str) -> str:
    """Have it typed, unseen. Raises `ChatroomError` where nobody can type."""
    if not sys.stdin.isatty():
        raise ChatroomError(f"no password for {account}: give --password-command")
    return typed(f"Password of {account}")


def typed(prompt: str, *, twice: bool = False) -> str:
    """What is typed, unseen. Raises `ChatroomError`."""
    try:
        password: str = typer.prompt(prompt, hide_input=True, err=True, confirmation_prompt=twice)
        password.encode()  # some terminals' bytes arrive as surrogates
    except UnicodeError as error:
        raise ChatroomError(_NOT_UTF_8) from error
    return password


def first_line_of_input() -> str:
    """Raises `ChatroomError`."""
    try:
        return sys.stdin.buffer.readline().rstrip(b"\r\n").decode()
    except UnicodeError as error:
        raise ChatroomError(_NOT_UTF_8) from error
