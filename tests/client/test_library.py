"""What `import chatroom` offers, and what it does not load."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import chatroom


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    program = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import chatroom", {"trio", "msgspec", "websockets", "typer", "rich", "prompt_toolkit"}),
        ("import chatroom; dir(chatroom); chatroom.ChatroomError", {"trio", "msgspec"}),
        ("from chatroom import Event", {"trio"}),
        ("from chatroom import connect", {"prompt_toolkit", "rich", "typer", "websockets"}),
        ("from chatroom import *", {"prompt_toolkit", "rich", "typer", "websockets", "sqlite3"}),
    ],
)
def test_only_what_is_used_is_loaded(statement: str, unwanted: set[str]) -> None:
    assert loaded_by(statement) & unwanted == set()


def test_all_that_is_offered_is_there() -> None:
    assert sorted(chatroom.__all__) == chatroom.__all__
    assert set(chatroom.__all__) == set(chatroom._OFFERED) <= set(dir(chatroom))
    for name, module in chatroom._OFFERED.items():
        assert getattr(chatroom, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        getattr(chatroom, "conect")  # noqa: B009  # which a checker would refuse


def test_every_error_of_the_client_is_offered() -> None:
    errors = importlib.import_module("chatroom.client.errors")
    classes = {name for name, found in vars(errors).items() if inspect.isclass(found)}
    assert classes <= set(chatroom.__all__)
    assert issubclass(chatroom.Unreachable, chatroom.RoomError)


def test_a_program_that_uses_the_names_is_typed(tmp_path: Path) -> None:
    """As its author's checker sees it."""
    root = Path(chatroom.__file__).parent
    assert (root / "py.typed").is_file()
    program = tmp_path / "bot.py"
    program.write_text(
        "import chatroom\n"
        "async def main() -> None:\n"
        "    try:\n"
        "        async with chatroom.connect(nick='bot') as room:\n"
        "            await answer(room)\n"
        "    except (chatroom.NickTaken, chatroom.Unreachable) as error:\n"
        "        reveal_type(error.code)\n"
        "async def answer(room: chatroom.Room) -> None:\n"
        "    async for event in room:\n"
        "        reveal_type(event)\n"
        "        if isinstance(event, chatroom.Gap):\n"
        "            reveal_type(event.first)\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "", "--follow-imports=silent"]
    command += ["--cache-dir", str(tmp_path / "cache"), str(program)]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={"MYPYPATH": str(root.parent), "PATH": ""},
    )
    assert "error:" not in done.stdout, done.stdout + done.stderr
    revealed = [line.partition("Revealed type is ")[2] for line in done.stdout.splitlines()[:3]]
    names = [line.strip('"').replace("builtins.", "") for line in revealed]
    assert names == ["str", "chatroom.event.Event | chatroom.event.Gap", "int"]


COROUTINES = [
    *(getattr(chatroom.Room, name) for name in vars(chatroom.Room)),
    *(getattr(chatroom.Receipt, name) for name in vars(chatroom.Receipt)),
    *(getattr(chatroom.Listener, name) for name in vars(chatroom.Listener)),
    inspect.unwrap(chatroom.connect),
    inspect.unwrap(chatroom.listen),
]


@pytest.mark.parametrize(
    "function",
    [
        function
        for function in COROUTINES
        if (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function))
        and (function.__name__ == "__anext__" or not function.__name__.startswith("_"))
    ],
    ids=lambda function: function.__qualname__,
)
def test_what_a_cancellation_does_is_said(function: object) -> None:
    words = inspect.getdoc(function) or ""
    assert "Cancelled" in words or "cancelled" in words
