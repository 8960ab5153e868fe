"""Openings of positions, told to people and programs: what each shows, and what it does not (docs/protocol.md, 21)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from client import render
from ledger.consortium.history import History
from ledger.consortium.lineage import founded, open_lineage
from ledger.consortium.manifest import Manifest
from ledger.disclosure import Shown
from ledger.errors import InvalidInput
from ledger.keys import COORDINATES
from ledger.positions.classification import CLASS_LABELS
from ledger.positions.fields import AMOUNTS, FIELDS
from ledger.positions.loan import Loan
from ledger.strict import parse_decimal

_EPOCH = date(1970, 1, 1)
_NOTE = b"# Plimsoll manifest v1\n"


def day_of(text: str) -> int:
    """An ISO 8601 date in days since 1970-01-01. Raises InvalidInput."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("BAD_DATE", "must be a date like 2026-01-31", "as_of") from None
    if day.isoformat() != text or day < _EPOCH:
        raise InvalidInput("BAD_DATE", "must be a date like 2026-01-31", "as_of")
    return (day - _EPOCH).days


def index_of(text: str) -> int:
    """An entry's index. Raises InvalidInput."""
    return parse_decimal(text, "index")


def history_in(raw: bytes) -> History:
    """Of a file that is a lineage, or the note of the founding manifest: verified. Raises as these do."""
    return (founded(raw) if raw.startswith(_NOTE) else open_lineage(raw)).history


def field_keys(report: Any, consortium: bytes) -> tuple[bytes, ...]:
    """The X_f out of what `audit run --json` has printed. Raises InvalidInput where it is none of this consortium."""
    try:
        keys = [bytes.fromhex(key) for key in report["keys"]["public_keys"]]
        named = bytes.fromhex(report["consortium"])
    except (KeyError, TypeError, ValueError):
        keys, named = [], b""
    if named != consortium or len(keys) != COORDINATES:
        raise InvalidInput("BAD_REPORT", "not the report of an audit of this consortium whose keys are final", "keys")
    return tuple(keys[1:])


def facts(shown: Shown) -> dict[str, Any]:
    """What is told; of a label that was opened its number, and not the key."""
    opening, position = shown.opening, shown.position
    return {
        "verdict": "ok",
        "consortium": opening.consortium.hex(),
        "member": opening.member,
        "origin": shown.origin,
        "index": shown.index,
        "size": shown.size,
        "leaf": shown.leaf.hex(),
        "time": position.time,
        "epoch": position.epoch,
        "as_of": _date(position.as_of),
        "closed": position.closed,
        "amounts": {f.label: amount for f, amount in zip(FIELDS, opening.amounts, strict=False) if f in AMOUNTS},
        "class": None if position.closed else CLASS_LABELS[max(loan.classification for loan in _running(shown))],
        "loans": [_loan(loan) for loan in opening.loans],
        "label_number": None if opening.label is None else opening.label.number,
        "cosigned": [{"member": member, "time": time} for member, time in shown.cosigned],
        "keys_compared": shown.keys_known,
        "counts": shown.counts,
        "shows": shows(shown),
        "does_not_show": does_not_show(shown),
    }


def shows(shown: Shown) -> list[str]:
    """In words."""
    said = [
        f"{shown.opening.member} has signed a log whose entry {shown.index} this is",
        "the entry's digest is that of exactly these loan records",
    ]
    if shown.position.closed:
        said.append("none of them is open, and the entry says so")
    else:
        said.append("the position they add up to is exactly what the entry encrypts, in all seven fields")
    said += [f"{member} had seen it by {_moment(time)}" for member, time in shown.cosigned]
    if shown.opening.label is not None:
        said.append(f"the entry is number {shown.opening.label.number} under the label key in this file")
    if shown.keys_known:
        said.append("the public keys are those that the audit found")
    return said


def does_not_show(shown: Shown) -> list[str]:
    """In words."""
    said = ["that the loans are as the lender recorded them", "that no later position of this borrower was published"]
    if shown.opening.label is None:
        said.append("who the borrower is: the records bind it by the lender's own loan numbers only")
    else:
        said.append("whose label key this is: a member can tell, that evaluates the identity and derives the same key")
    if not shown.keys_known and not shown.position.closed:
        said.append("that the public keys are the consortium's: under others the entry would count in no sum")
    if not shown.cosigned:
        said.append("that anybody but its author has seen this entry")
    if not shown.counts:
        said.append("that it counts: the members have ended this log before it")
    return said


def view(shown: Shown, manifest: Manifest) -> RenderableType:
    """For people."""
    told, unit, currency = facts(shown), manifest.minor_per_major, manifest.currency
    pairs = [
        ("member", shown.opening.member),
        ("entry", f"{shown.index} of {shown.origin}"),
        ("as of", f"{told['as_of']}, written {_moment(shown.position.time)} by its author's clock"),
    ]
    pairs += [
        (name.replace("_", " "), f"{render.amount(value, unit)} {currency}") for name, value in told["amounts"].items()
    ]
    pairs.append(("position", "closed: no open loan" if shown.position.closed else f"open, class {told['class']}"))
    loans = render.table(
        "Loan records", "loan", "product", ">outstanding", ">overdue", ">days", "class", "status", "as of"
    )
    for loan in shown.opening.loans:
        render.row(
            loans,
            loan.loan_id,
            loan.product,
            render.amount(loan.outstanding, unit),
            render.amount(loan.overdue, unit),
            str(loan.days_past_due),
            loan.classification.label,
            "open" if loan.open else "closed",
            _date(loan.as_of),
        )
    sayings = [("it shows", each) for each in shows(shown)]
    sayings += [("it does not show", each) for each in does_not_show(shown)]
    return Group(render.pairs(pairs), loans, render.pairs(sayings))


def read_report(path: Path) -> Any:
    """The JSON in a file. Raises InvalidInput."""
    import json

    try:
        return json.loads(path.read_bytes())
    except ValueError:
        raise InvalidInput("BAD_REPORT", "not JSON", "keys") from None


def _loan(loan: Loan) -> dict[str, Any]:
    return {
        "loan_id": loan.loan_id,
        "product": loan.product,
        "credit_limit": loan.credit_limit,
        "outstanding": loan.outstanding,
        "monthly_due": loan.monthly_due,
        "overdue": loan.overdue,
        "days_past_due": loan.days_past_due,
        "classification": loan.classification.label,
        "status": "open" if loan.open else "closed",
        "as_of": _date(loan.as_of),
    }


def _running(shown: Shown) -> list[Loan]:
    return [loan for loan in shown.opening.loans if loan.open]


def _date(days: int) -> str:
    try:
        return (_EPOCH + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"day {days}"


def _moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"second {seconds}"
