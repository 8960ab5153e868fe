"""Whoever writes to the node's log, an identity in it is masked."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from node import logs

IDENTITY = "11010519491231002X"


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_what_libraries_log_is_masked_and_in_the_same_form(capsys):
    logs.configure("info")
    try:
        raise KeyError(f"cn-id:{IDENTITY}")
    except KeyError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved: cn-id:%s", IDENTITY)
    (line,) = lines(capsys)
    assert IDENTITY not in json.dumps(line)
    assert line["library"] == "asyncio"
    assert "KeyError" in line["exception"]


def test_our_own_are_too(capsys):
    logs.configure("info")
    structlog.get_logger().info("asked about", borrower=f"cn-id:{IDENTITY}")
    assert IDENTITY not in json.dumps(lines(capsys))
