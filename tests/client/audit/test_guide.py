"""docs/auditing.md and the metrics in docs/operations.md, taken at their word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from client.audit.page.reasons import REASONS
from client.audit.page.remarks import REMARKS
from client.audit.watching.watch import Round
from tests.client.audit.watching.test_watch import FORKED, World, scraped

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "auditing.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
#: Of commands' own errors and of what may succeed later, which an audit tells as not checked; and what is no reason.
NO_FINDINGS = {
    *("BAD_FINDINGS", "NO_FINDING", "NO_FINDINGS", "NO_SUCH_FOLDER", "UNREADABLE", "BEYOND_HEAD", "OTHER"),
}

_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")


def table(header: str) -> dict[str, tuple[str, ...]]:
    """By the first cell of each row of the table whose header begins so: the others."""
    rows = GUIDE.split(f"\n| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    return {first: tuple(rest) for first, *rest in cells}


def codes() -> set[str]:
    """Every reason code that client/audit itself spells."""
    found: set[str] = set()
    for path in (ROOT / "client" / "audit").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if _CODE.fullmatch(node.value) else set()
    return {code for code in found if len(code) > 3}


def test_every_reason_of_a_finding_is_told_as_the_report_tells_it() -> None:
    assert table("reason") == {code: (each.meaning, each.advice) for code, each in REASONS.items()}


def test_every_remark_is_told_as_the_report_tells_it() -> None:
    assert table("remark") == {code: (meaning,) for code, meaning in REMARKS.items()}


def test_the_auditor_has_no_code_that_the_guide_does_not_tell() -> None:
    assert codes() - NO_FINDINGS - set(REASONS) - set(REMARKS) == set()


def test_every_metric_is_told_and_no_other() -> None:
    told = set(re.findall(r"^\| `(plimsoll_audit_[a-z_]+)(?:\{[a-z, ]+\})?` \|", OPERATIONS, re.MULTILINE))
    rounds: list[Round] = [*World([[]]).rounds(1), *World([[FORKED]]).rounds(1)]
    assert told == {name.partition("{")[0] for name in scraped(*rounds)}


def test_the_alert_rules_speak_of_metrics_that_are_there() -> None:
    (rules,) = re.findall(r"```yaml\n(.*?)```", OPERATIONS, re.DOTALL)
    used = set(re.findall(r"plimsoll_audit_[a-z_]+", rules))
    assert len(used) == 2
    assert all(f"`{name}`" in OPERATIONS for name in used)
