"""What the command line says of itself and of mistakes, and how quickly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from chatroom.cli import app, main
from tests.cli.running import clean_environment, run_chatroom

README = Path(__file__).parents[2] / "README.md"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


RunMain = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_log: None
) -> RunMain:
    """Runs the command line within this process: the exit code, stdout, stderr."""
    for name in os.environ:
        if name.startswith("CHATROOM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")

    def run_main(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chatroom", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err  # type: ignore[return-value]

    return run_main


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--port", "abc"],
        ["serve", "--port", "70000"],
        ["serve", "--port", "-1"],
        ["serve", "--mode", "fork"],
        ["serve", "--max-clients", "0"],
        ["serve", "--max-text", "many"],
        ["serve", "--grace", "nan"],
        ["serve", "--grace", "-1"],
        ["serve", "--keep-days", "inf"],
        ["serve", "--keep-days", "10000000"],
        ["serve", "--write-deadline", "0"],
        ["serve", "--log-level", "loud"],
        ["serve", "--log-format", "xml"],
        ["serve", "--talk-rate", "-1"],
        ["serve", "--talk-burst", "0"],
        ["serve", "--talk-patience", "nan"],
        ["serve", "--room-rate", "many"],
        ["serve", "--room-rate-exempt", "two words"],
        ["serve", "--no-such-option"],
        ["serve", "extra"],
        ["serve", "--multicast", "127.0.0.1"],
        ["client", "--port", "x"],
        ["client", "--retry", "nan"],
        ["swarm", "--bots", "x"],
        ["swarm", "--duration", "nan"],
        ["history", "--last", "x"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    run_main: RunMain, arguments: list[str]
) -> None:
    code, out, err = run_main(*arguments)
    assert code == 2
    assert out == ""
    assert re.fullmatch(r"chatroom: .*; see \S.* --help\n", err), err
    assert "Value error" not in err


def test_what_went_wrong_is_one_line_whatever_a_file_is_called(
    run_main: RunMain, tmp_path: Path
) -> None:
    code, _, err = run_main("history", "--journal", str(tmp_path / "\x1b]0;title\x07\n\u202e.db"))
    assert code == 1
    assert err.startswith("chatroom: ")
    assert err.removesuffix("\n").isprintable()


def test_a_mistake_is_one_line_of_the_process_too() -> None:
    done = run_chatroom("serve", "--port", "abc")
    assert done.returncode == 2
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


def test_no_command_shows_them_all(run_main: RunMain) -> None:
    code, out, err = run_main()
    assert code == 2
    assert set(re.findall(r"^  (\w+)  ", out + err, re.MULTILINE)) >= set(COMMANDS)


def test_the_version(run_main: RunMain) -> None:
    code, out, _ = run_main("--version")
    assert code == 0
    assert re.fullmatch(r"chatroom \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_stands_in_the_readme_and_every_option_in_its_help(
    run_main: RunMain, command: str
) -> None:
    code, out, err = run_main(command, "--help")
    assert (code, err) == (0, "")
    assert f"chatroom {command}" in README.read_text()
    assert COMMANDS[command].help
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option":
            for option in parameter.opts:
                assert option in out, option


def test_the_readme_names_only_options_that_there_are() -> None:
    there = {
        option
        for command in COMMANDS.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    text = README.read_text()
    for line in re.findall(r"chatroom (?:serve|client|swarm|history)\b[^`\n]*", text):
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", line):
            assert option in there | {"--help", "--version"}, option


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {"trio", "prompt_toolkit", "rich", "msgspec", "sqlite3", "precis_i18n"}),
        (["serve", "--help"], {"trio", "prompt_toolkit", "rich", "sqlite3", "precis_i18n"}),
        (["swarm", "--help"], {"trio", "prompt_toolkit", "rich", "matplotlib"}),
    ],
    ids=lambda value: " ".join(sorted(value)),
)
def test_help_imports_nothing_heavy(arguments: list[str], unwanted: set[str]) -> None:
    program = (
        f"import sys; sys.argv = ['chatroom', *{arguments}]\n"
        "from chatroom.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    assert not unwanted & set(done.stderr.split())


def test_the_server_imports_nothing_of_the_terminal() -> None:
    program = "import sys, chatroom.server.service, chatroom.journal.sqlite; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"prompt_toolkit", "rich", "matplotlib"} & set(done.stdout.split())


def test_the_room_and_the_protocol_do_no_input_or_output() -> None:
    modules = "event, chatroom.room.room, chatroom.settings, chatroom.protocol.ways"
    program = f"import sys, chatroom.{modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"trio", "asyncio", "selectors", "ssl"} & set(done.stdout.split())
