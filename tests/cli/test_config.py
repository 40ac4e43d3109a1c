"""Settings from a file, and the file from the settings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from chatroom.cli import app
from tests.cli.test_usage import RunMain, run_main

__all__ = ["run_main"]  # a fixture

SERVE = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]


def printed(run_main: RunMain, *options: str) -> dict[str, object]:
    code, out, err = run_main("serve", *options, "--print-config")
    assert (code, err) == (0, "")
    return tomllib.loads(out)


def test_what_is_printed_is_read_back_and_names_every_option(
    run_main: RunMain, tmp_path: Path
) -> None:
    code, out, _ = run_main("serve", "--print-config", "--room", 'a "b"\\', "--web-host", "x.org")
    assert code == 0
    for option in SERVE.params:
        name = option.opts[0].removeprefix("--")
        if name not in ("config", "print-config", "help"):
            assert f"\n{name} = " in out or f"\n#{name} = " in out
    file = tmp_path / "chatroom.toml"
    file.write_text(out)
    assert printed(run_main, "--config", str(file)) == tomllib.loads(out)
    assert tomllib.loads(out)["room"] == 'a "b"\\'
    assert tomllib.loads(out)["web-host"] == ["x.org"]
    uncommented = [line.removeprefix("#") for line in out.splitlines() if line[:2] != "# "]
    assert tomllib.loads("\n".join(uncommented)).keys() >= {"port", "secret-file", "unix"}


def test_the_command_line_goes_first_then_the_environment_then_the_file(
    run_main: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chatroom.toml"
    file.write_text("port = 1\ngrace = 7\nno-multicast = true\n")
    assert printed(run_main, "--config", str(file))["port"] == 1
    assert printed(run_main, "--config", str(file))["grace"] == 7
    assert printed(run_main, "--config", str(file))["no-multicast"] is True
    assert printed(run_main)["port"] == 9009
    monkeypatch.setenv("CHATROOM_PORT", "2")
    assert printed(run_main, "--config", str(file))["port"] == 2
    assert printed(run_main, "--port", "3", "--config", str(file))["port"] == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prot = 1", "has prot, which is no option"),
        ("config = 'x'", "has config, which is no option"),
        ("[serve]\nport = 1", "has serve, which is no option"),
        ("port = '9009'", "port in .* is to be a whole number"),
        ("port = true", "port in .* is to be a whole number"),
        ("port = 1.5", "port in .* is to be a whole number"),
        ("port = inf", "port in .* is to be a whole number"),
        ("grace = 'long'", "grace in .* is to be a number"),
        ("grace = nan", "nan is not a valid number"),
        ("room = 7", "room in .* is to be a string"),
        ("no-web = 1", "no-web in .* is to be true or false"),
        ("web-host = 'x.org'", "web-host in .* is to be a list of strings"),
        ("web-host = [1]", "web-host in .* is to be a list of strings"),
        ("port = 70000", "--port"),
        ("mode = 'fork'", "'fork' is not one of"),
        ("x", "cannot read "),
    ],
)
def test_a_mistake_in_the_file_is_one_line(
    run_main: RunMain, tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "chatroom.toml"
    file.write_text(text)
    code, out, err = run_main("serve", "--config", str(file), "--print-config")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(complaint, err), err


def test_a_file_that_is_not_there(run_main: RunMain) -> None:
    code, _, err = run_main("serve", "--config", "/nowhere/chatroom.toml")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot read /nowhere/chatroom.toml" in err
