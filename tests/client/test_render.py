from __future__ import annotations

import io

import pytest
from plimsoll.v1 import lender_pb2
from rich.console import Console

from client import render
from client.text import one_line


def shown(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize(
    ("minor", "per_major", "text"),
    [
        (0, 100, "0.00"),
        (5, 100, "0.05"),
        (1234567, 100, "12,345.67"),
        (1234567, 1, "1,234,567"),
        (1234567, 1000, "1,234.567"),
        (1 << 40, 100, "10,995,116,277.76"),
    ],
)
def test_amounts_are_shown_in_major_units(minor: int, per_major: int, text: str) -> None:
    assert render.amount(minor, per_major) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "never"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_durations_are_shown_in_their_largest_unit(seconds: int, text: str) -> None:
    assert render.duration(seconds) == text


def test_nothing_that_comes_from_elsewhere_is_markup_or_moves_the_cursor() -> None:
    answer = lender_pb2.ExposureResponse(
        borrower="[red]test:1[/red]",
        excluded=[lender_pb2.Left(member="[bold]m", reason="R\x1b[2J\n\r")],
        custodians_failed=[lender_pb2.Left(member="c\u202e", reason="R")],
        implausible=["[link=x]P1"],
    )
    text = shown(render.exposure(answer, "CNY", 100, [("[b]note", "[i]text\x07")]))
    for kept in ("[red]test:1[/red]", "[bold]m", "[link=x]P1", "[b]note", "[i]text"):
        assert kept in text
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)


def test_a_borrower_that_nobody_knows_has_no_lenders_and_nothing_is_withheld() -> None:
    answer = lender_pb2.ExposureResponse(borrower="test:1", withheld="FEW_CONTRIBUTORS")
    text = shown(render.exposure(answer, "CNY", 100))
    assert "lenders            none" in text
    assert "no lender has an open loan" in text
    assert "withheld" not in text


def test_rejections_beyond_those_told_are_counted() -> None:
    rejection = lender_pb2.Rejection(line=7, path="overdue", reason="OUT_OF_RANGE", message="must be 0 to 9")
    text = shown(render.summary(lender_pb2.ReportSummary(read=5000, rejected=3000, rejections=[rejection])))
    assert "5,000" in text
    assert "and 2,999 more" in text
    assert "OUT_OF_RANGE" in text


@pytest.mark.parametrize("text", ["plain", "a\nb", "\ta  b\r\n", "\x00\x1b[31m", "", "中文 é"])
def test_one_line_is_one_line_of_the_same_words(text: str) -> None:
    safe = one_line(text)
    assert safe.isprintable()
    assert [word for word in safe.split() if word.isalnum()] == [word for word in text.split() if word.isalnum()]
