"""What a typed line means."""

from __future__ import annotations

from dataclasses import dataclass

from chatroom.protocol.jsonlines.write import utf8_safe
from chatroom.room.text import make_safe

#: Command: its arguments, and what it does. The order is the one of `/help` and of Tab.
COMMANDS = {
    "nick": ("NAME", "take another name"),
    "me": ("ACTION", "say what you do: * you ACTION"),
    "who": ("", "list who is here"),
    "history": ("[N]", "show the last N events, 20 without N"),
    "search": ("WORDS", "show what was said with these words; deploy* for how they begin"),
    "topic": ("TEXT", "say what the room is about; - for nothing any more"),
    "kick": ("NICK [REASON]", "show somebody out; this and the next are for operators"),
    "ban": ("MASK [TIME] [REASON]", "keep out a nick, an address/bits or account:NAME; TIME: 10m"),
    "unban": ("MASK", "lift a ban"),
    "bans": ("", "list the bans"),
    "mute": ("NICK [TIME]", "let somebody listen only"),
    "unmute": ("NICK", "let them talk again"),
    "moderate": ("", "let nobody talk but operators and who has voice"),
    "unmoderate": ("", "let everybody talk again"),
    "voice": ("NICK", "let somebody talk though the room is moderated"),
    "unvoice": ("NICK", "take that back"),
    "delete": ("SEQ [REASON]", "have what was said in an event given out no more"),
    "ping": ("", "measure the time to the server and back"),
    "stats": ("", "show what went over the connection"),
    "help": ("", "show this"),
    "quit": ("", "leave; so do Ctrl-D and Ctrl-C on an empty line"),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed line: `command` is `say` or one of `COMMANDS`, or empty with a `problem` told."""

    command: str
    argument: str = ""
    problem: str = ""


def read(line: str) -> Typed | None:  # noqa: PLR0911  # a case a line
    """What one line means; None if there is nothing in it."""
    if not line.strip():
        return None
    if not line.startswith("/"):
        return Typed("say", line)
    if line.startswith("//"):
        return Typed("say", line[1:])
    name, _, argument = line[1:].partition(" ")
    argument = argument.strip()
    if name not in COMMANDS:
        return Typed("", problem=f"there is no /{name}: /help lists the commands, // says a /")
    wanted, _ = COMMANDS[name]
    if wanted and not wanted.startswith("[") and not argument:
        return Typed("", problem=f"/{name} needs something after it: /{name} {wanted}")
    if name == "history" and argument and not (argument.isdecimal() and 0 < int(argument) <= 1000):
        return Typed("", problem="/history takes a number from 1 to 1000")
    return Typed(name, argument)


def size_bytes(text: str) -> int:
    """What a text takes of the room's limit, as it arrives there."""
    return len(make_safe(utf8_safe(text)).encode())


def help_lines() -> list[str]:
    """The answer to `/help`."""
    width = max(len(f"/{name} {argument}") for name, (argument, _) in COMMANDS.items())
    lines = [f"{f'/{name} {what}':{width}}  {does}" for name, (what, does) in COMMANDS.items()]
    return [*lines, f"{'//text':{width}}  say /text", f"{'Tab':{width}}  completes names, commands"]
