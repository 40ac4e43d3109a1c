"""A record of the log is one line, as text or as JSON."""

from __future__ import annotations

import json
import logging
import re

import pytest

from chatroom.logs import set_up_log

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


pytestmark = pytest.mark.usefixtures("own_log")


def _log(level: str, *, json: bool) -> None:
    set_up_log(level, json=json)
    log = logging.getLogger("chatroom.test")
    log.info("ready", extra={"fields": {"tcp": "127.0.0.1:9009", "seq": 7}})
    log.warning("beware of %s", "the dog")


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    _log("info", json=False)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(f"{TIME} info ready tcp=127.0.0.1:9009 seq=7", first)
    assert re.fullmatch(f"{TIME} warning beware of the dog", second)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    _log("info", json=True)
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(re.fullmatch(TIME, record.pop("time")) for record in records)
    assert records == [
        {"level": "info", "message": "ready", "tcp": "127.0.0.1:9009", "seq": 7},
        {"level": "warning", "message": "beware of the dog"},
    ]


def test_the_level_leaves_out_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    _log("warning", json=False)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_exception_stays_within_its_record(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", json=True)
    try:
        raise RuntimeError("planted")
    except RuntimeError:
        logging.getLogger("chatroom.test").exception("fault")
    (record,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert record["message"] == "fault"
    assert "RuntimeError: planted" in record["exception"]
