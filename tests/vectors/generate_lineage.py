"""Writes lineage.json: manifests that succeed one another, and steps that are refused (protocol section 14).

    python -m tests.vectors.generate_lineage

Made with the ledger's code. Certificates have dates and random signatures in them, so another run writes other bytes.
`lineage`: a Lineage, base64; `manifests`: the ids of its manifests, the founding one first; `in_force`: the origins of
the logs under the last. `refused`: per case what is wrong (`why`), the Lineage, and the code of section 14. `rivals`:
two lineages of one consortium that both verify, and part, and the `members` that approved both successors.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

from plimsoll.v1 import audit_pb2

from ledger.consortium.ballot import Vote, approval_entry
from ledger.consortium.lineage import ApprovalProof, Lineage, prove
from ledger.consortium.manifest import Manifest
from ledger.consortium.succession import approvals_needed, voters
from tests.ledger.electorate import (
    TIME,
    Electorate,
    ended,
    founding_lineage,
    names,
    renamed,
    rotated,
    successor,
    with_member,
    without,
)
from tests.lenders import lender

WORLD = Electorate(5)


def proofs(before: Manifest, after: Manifest, by: list[str]) -> list[ApprovalProof]:
    """These members approve, whatever it is."""
    made = []
    for member in by:
        index = WORLD.append(member, approval_entry(Vote(before.id, after.id), TIME))
        made.append(prove(member, WORLD.chain.log(member), index))
    return made


def step(after: Manifest, approvals: list[ApprovalProof]) -> audit_pb2.Succession:
    return audit_pb2.Succession(
        manifest=after.text.encode(),
        approvals=[
            audit_pb2.ApprovalProof(member=one.member, entry=one.entry, receipt=one.receipt) for one in approvals
        ],
    )


def main() -> None:
    lineage = founding_lineage(5)
    for make, by in (
        (lambda before: renamed(before, "Another name"), names(1, 2, 4, 5)),
        (lambda before: successor(before, members=[*before.members, lender(9).member]), names(1, 2, 3, 4)),
        (lambda before: without(before, "lender-3"), names(1, 2, 4, 5)),
        (lambda before: rotated(before, "lender-4"), names(1, 2, 5, 4)),
    ):
        after = make(lineage.current)
        order = [name for name in voters(lineage.current, after) if name in by]
        lineage = lineage.followed_by(after, proofs(lineage.current, after, order))
    written = {
        "lineage": encoded(lineage.encode()),
        "manifests": [one.id.hex() for one in lineage.history.manifests],
        "in_force": [lineage.current.origin(member.name) for member in lineage.current.members],
        "refused": list(refused(founding_lineage(5))),
        "rivals": rivals(founding_lineage(5)),
    }
    text = json.dumps(written, indent=1) + "\n"
    (Path(__file__).parent / "lineage.json").write_text(text, "utf-8")


def refused(known: Lineage):
    before = known.current
    first, others = before.members[0], before.members[1:]
    swapped = [replace(first, address=first.address), *others[::-1]]
    ahead = [lender(9).member, *before.members]
    fresh = with_member(before, "lender-2", log_key=lender(50).member.log_key)
    cases = {
        "another currency": ("FIXED_TERM", successor(before, currency="USD")),
        "other bands": ("FIXED_TERM", successor(before, policy=replace(before.policy, bands=(1, 2, 3, 4, 5)))),
        "members in another order": ("BAD_ORDER", successor(before, members=swapped)),
        "a new member ahead of an old one": ("BAD_ORDER", successor(before, members=ahead)),
        "who is removed has no log that ends": ("LOG_NOT_ENDED", without(before, "lender-2", ended=())),
        "a new log key, and the old log goes on": ("LOG_NOT_ENDED", successor(before, members=fresh)),
        "the log of nobody ends": (
            "BAD_ENDED",
            successor(before, ended=[replace(ended(before, "lender-2"), member="x", log_key=lender(9).member.log_key)]),
        ),
        "another's old cosigning key": (
            "KEY_REUSED",
            successor(
                before,
                members=[
                    *with_member(before, "lender-2", cosign_key=lender(50).member.cosign_key),
                    replace(lender(9).member, cosign_key=before.member("lender-2").cosign_key),
                ],
            ),
        ),
        "other custodians in the same epoch": ("BAD_EPOCH", successor(before, custodians=names(1, 2, 3), threshold=3)),
        "an epoch left out": ("BAD_EPOCH", successor(before, epoch=3)),
        "too few old custodians stay": (
            "TOO_FEW_DEALERS",
            without(
                before, "lender-1", "lender-2", "lender-3", members=[*before.members[3:], lender(9).member],
                custodians=names(4, 5),
            ),
        ),
    }  # fmt: skip
    for why, (code, after) in cases.items():
        yield case(known, why, code, after, proofs(before, after, list(voters(before, after))))
    good = renamed(before, "Good")
    enough = proofs(before, good, names(1, 2, 3, 4))
    yield case(known, "an approval too few", "TOO_FEW_APPROVALS", good, enough[1:])
    yield case(known, "one twice", "BAD_ORDER", good, [*enough, enough[-1]])
    yield case(known, "in another order", "BAD_ORDER", good, enough[::-1])
    yield case(known, "of another successor", "OTHER_APPROVAL", renamed(before, "Other"), enough)
    out = without(before, "lender-5")
    assert approvals_needed(before, out) == 4
    yield case(known, "of who is expelled", "NO_VOTE", out, proofs(before, out, names(1, 2, 3, 5)))
    yield case(known, "a stranger's predecessor", "BAD_SUCCESSION", renamed(good, "x"), enough)


def rivals(known: Lineage) -> dict[str, list[str]]:
    """It takes four of five for each."""
    common = renamed(known.current, "Common")
    before = known.followed_by(common, proofs(known.current, common, names(1, 2, 3, 4)))
    sides = []
    for name, by in (("One", names(1, 2, 3, 5)), ("Other", names(2, 3, 4, 5))):
        after = renamed(common, name)
        sides.append(before.followed_by(after, proofs(common, after, by)))
    return {"lineages": [encoded(one.encode()) for one in sides], "members": names(2, 3, 5)}


def case(known: Lineage, why: str, code: str, after: Manifest, approvals: list[ApprovalProof]) -> dict[str, str]:
    raw = audit_pb2.Lineage(founding=known.founding, successions=[step(after, approvals)]).SerializeToString()
    return {"why": why, "lineage": encoded(raw), "code": code}


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


if __name__ == "__main__":
    main()
