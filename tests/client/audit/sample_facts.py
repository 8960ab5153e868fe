"""Reports made up, as `Report.facts` gives them: large, empty, and with text that a hostile party has chosen."""

from __future__ import annotations

from random import Random
from typing import Any

from client.audit.reading.timeline import DAY, HOUR

NOW = 1_795_000_000
HOSTILE = "<script>alert('1')</script>\"&\u202e\x1b[31m"


def log(member: str, size: int = 1000, counts: list[list[int]] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "member": member,
        "origin": f"plimsoll/{'ab' * 32}/{member}",
        "size": size,
        "root": "cd" * 32,
        "entries": {"position": size} if size else {},
        "receipts": min(size, 8),
        "proofs": None,
        "ended": None,
        "frozen": False,
        "timeline": {"width": HOUR, "counts": counts or [], "untimed": 0},
        "since": 0,
        "witnessed": None,
        "heartbeat": None,
        "inquiries": {},
        **more,
    }


def facts(logs: list[dict[str, Any]], findings: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    members = [each["member"] for each in logs]
    return {
        "verdict": "bad" if findings else "ok",
        "through": members[0],
        "consortium": "ab" * 32,
        "name": "Tests",
        "manifests": [
            {"sequence": 0, "id": "ef" * 32, "epoch": 1, "members": members, "proposed": None, "approved": []}
        ],
        "logs": logs,
        "heads_from": members,
        "silent": {},
        "keys": {"phase": "final", "public_keys": []},
        "epochs": [
            {
                "epoch": 1,
                "manifest": "ef" * 32,
                "dealt_from": 0,
                "custodians": members,
                "threshold": len(members) // 2 + 1,
                "phase": "final",
                "failed": 0,
            }
        ],
        "frozen": [],
        "transcripts": [],
        "findings": findings or [],
        "remarks": [],
        "unchecked": [],
        "time": NOW,
        **more,
    }


def large(members: int = 40, days: int = 300) -> dict[str, Any]:
    """Many members with long names, who report in bursts."""
    rng = Random(4)
    logs = []
    for number in range(members):
        name = f"{'a-very-long-name-of-a-lender-'[:28]}{number:03}"
        counts = [
            [NOW // HOUR * HOUR - day * DAY + hour * HOUR, rng.randrange(1, 40 * (number + 1))]
            for day in range(days, 0, -1)
            for hour in (1, 9)
            if rng.random() < 0.5
        ]
        logs.append(log(name, sum(count for _, count in counts), counts))
    return facts(logs)


def finding(member: str, index: int | None, reason: str, message: str) -> dict[str, Any]:
    return {"member": member, "index": index, "reason": reason, "message": message}


def hostile() -> dict[str, Any]:
    """Every text in it is an attack."""
    counts = [[0, 1], [NOW, 5]]
    bad = log(HOSTILE, 5, counts, entries={HOSTILE: 5}, origin=f"plimsoll/{HOSTILE}/{HOSTILE}", root=HOSTILE)
    return facts(
        [bad],
        [finding(HOSTILE, 0, HOSTILE, HOSTILE), finding("", None, "FORK", HOSTILE)],
        name=HOSTILE,
        consortium=HOSTILE,
        silent={HOSTILE: HOSTILE},
        remarks=[finding(HOSTILE, 1, HOSTILE, HOSTILE)],
        unchecked=[finding(HOSTILE, None, HOSTILE, HOSTILE)],
        frozen=[
            {
                "member": HOSTILE,
                "origin": f"p/{HOSTILE}/{HOSTILE}",
                "sizes": [1, 2],
                "evidence": [{"member": HOSTILE, "index": 1}],
                "settled": False,
            }
        ],
        transcripts=[
            {
                "file": HOSTILE,
                "form": HOSTILE,
                "verdict": "bad",
                "failed": HOSTILE,
                "message": HOSTILE,
                "passed": [HOSTILE],
                "opened": {},
                "manifest": HOSTILE,
                "epoch": None,
                "assumed": [HOSTILE],
            }
        ],
    )
