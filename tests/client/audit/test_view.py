from __future__ import annotations

from rich.console import Console

from client.audit.keeping.docket import Known
from client.audit.report import Finding, LogReport, Report
from client.audit.view import MOST, view
from ledger.tlog.checkpoint import Head

BAD = Finding("lender-2", 3, "FORK", "two histories")


def shown(report: Report, *known: tuple[Known, ...]) -> str:
    console = Console(width=160)
    with console.capture() as caught:
        console.print(view(report, *known))
    return caught.get()


def made(**parts: object) -> Report:
    head = Head("plimsoll/ab/lender-2", 50, bytes(32))
    log = LogReport("lender-2", head, {"position": 40}, witnessed={"size": 48, "time": 7})
    return Report("lender-1", bytes(32), "Tests", logs=[log], **parts)  # type: ignore[arg-type]


def test_the_verdict_says_whether_anything_was_left_out() -> None:
    assert "Everything checked holds." in shown(made())
    left = shown(made(unchecked=[BAD]))
    assert "not everything could be checked" in left
    assert "not checked: lender-2, entry 3: two histories [FORK]" in left
    assert "One thing is wrong." in shown(made(findings=[BAD], unchecked=[BAD]))


def test_earlier_findings_count_and_acknowledged_ones_do_not() -> None:
    known = Known(BAD, 1, 2)
    assert "One thing is wrong." in shown(made(), (known,), ())
    acknowledged = shown(made(findings=[BAD]), (), (known,))
    assert "Everything checked holds." in acknowledged
    assert f"acknowledged, {known.id}: lender-2, entry 3" in acknowledged


def test_a_log_tells_how_far_it_is_witnessed() -> None:
    assert " 48 " in shown(made())


def test_many_remarks_are_cut_and_the_rest_counted() -> None:
    text = shown(made(remarks=[BAD] * (MOST + 5)))
    assert text.count("two histories") == MOST
    assert "and 5 more" in text


def test_what_a_node_says_is_one_line_and_no_markup() -> None:
    text = shown(made(findings=[Finding("x", None, "FORK", "a\n[bold]b[/bold]\x1b[2J")]))
    assert "x: a [bold]b[/bold] [2J [FORK]" in text
