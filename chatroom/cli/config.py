"""A command's options from a TOML file, and such a file from its options.

A key is an option's name without the dashes in front. What the command line says goes before the
environment, that before the file, and that before the default. Secrets are never in it: options
name the files that have them.
"""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import typer

#: What is not itself a setting.
_NOT_SETTINGS = frozenset({"config", "print_config", "help"})

_LINE_CHARS = 78

_FLAG, _WHOLE, _NUMBER = "true or false", "a whole number", "a number"
_LIST, _STRING = "a list of strings", "a string"
#: What stands behind a key that is not set.
_EXAMPLES = {_FLAG: "false", _WHOLE: "0", _NUMBER: "0", _LIST: "[]", _STRING: '""'}


def read_config(context: typer.Context, path: str | None) -> str | None:
    """The callback of an eager option `--config`: what the file says are the defaults from here on.

    Raises `typer.BadParameter`: no such file, no TOML, an unknown key, a value of another type.
    """
    if path is None:
        return None
    try:
        settings = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise typer.BadParameter(f"cannot read {path}: {error}") from error
    options, kinds = _options(context), _kinds(context)
    defaults = {}
    for key, value in settings.items():
        option = options.get(key)
        if option is None:
            raise typer.BadParameter(f"{path} has {key}, which is no option")
        if not _fits(kinds[option.name], value):
            raise typer.BadParameter(f"{key} in {path} is to be {kinds[option.name]}")
        defaults[option.name] = value
    context.default_map = defaults
    return path


def config_of(context: typer.Context) -> str:
    """All settings as they are now, each with what it is for, as such a file."""
    return "\n".join(_lines(context))


def _lines(context: typer.Context) -> Iterator[str]:
    kinds = _kinds(context)
    yield f"# {context.command_path} --config FILE"
    for key, option in _options(context).items():
        yield ""
        for line in textwrap.wrap(option.help or "", _LINE_CHARS):
            yield f"# {line}"
        value = context.params.get(option.name)
        if value is None or value in ([], ()):
            yield f"#{key} = {_EXAMPLES[kinds[option.name]]}"
        else:
            yield f"{key} = {_toml(value)}"


def _options(context: typer.Context) -> dict[str, Any]:
    """By their names in the file."""
    return {
        option.opts[0].removeprefix("--"): option
        for option in context.command.params
        if option.name not in _NOT_SETTINGS
    }


def _kinds(context: typer.Context) -> dict[str, str]:
    """What the value of each option is to be, by the option's name as a parameter."""
    hints = get_type_hints(context.command.callback)
    return {name: _kind(hint) for name, hint in hints.items()}


def _kind(hint: Any) -> str:
    kinds = {bool: _FLAG, int: _WHOLE, float: _NUMBER, list: _LIST}
    for one in (hint, *get_args(hint)):
        kind = kinds.get(get_origin(one) or one)
        if kind is not None:
            return kind
    return _STRING


def _fits(kind: str, value: object) -> bool:
    if kind == _LIST:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind in (_WHOLE, _NUMBER):  # a bool is an int, too
        number = int if kind == _WHOLE else int | float
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, bool if kind == _FLAG else str)


def _toml(value: object) -> str:
    # A basic string of TOML has the escapes of JSON.
    return json.dumps(value)
