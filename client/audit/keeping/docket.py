"""What audits have found and nobody has acknowledged yet, kept in a file beside the state of the audits.

A finding that is gone by the next audit was a finding all the same: a node that showed another log for an hour may have
done so on purpose. So it stays, and the verdict bad, until a person says that it has been dealt with.

- Findings of the same member, index and reason are one; the newest message counts. Its number is a digest of the three.
- One that is acknowledged no longer makes the verdict bad, as long as every audit finds it again: the first that does
  not ends the matter, and forgets it. So when it comes back it is new.
- Nothing is forgotten by an audit that broke off, or could not check everything.

    {"format": "plimsoll/audit-findings/v1", "consortium": hex, "findings": [{"member": text, "index": n or null,
     "reason": text, "message": text, "first": time, "last": time, "acknowledged": time or null}]}

Times are Unix seconds. As the state, it must be kept where those who are audited cannot write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from client.audit.report import Finding
from ledger.errors import InvalidInput, NotFound
from ledger.strict_json import Document

FORMAT = "plimsoll/audit-findings/v1"
MOST = 10_000
"""Findings that are kept. Where there are more, those kept are enough for a verdict, and the rest is found again."""
MAX_BYTES = 1 << 24
_MAX_NUMBER = (1 << 63) - 1
_ID_DIGITS = 8

Key = tuple[str, int | None, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A finding, when it was first and last made, and when it was acknowledged."""

    finding: Finding
    first: int
    last: int
    acknowledged: int | None = None

    @property
    def key(self) -> Key:
        """What makes two findings one."""
        return _key(self.finding)

    @property
    def id(self) -> str:
        """Its number, 8 hexadecimal digits."""
        return finding_id(self.finding)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {"id": self.id, **self.finding.facts(), "first": self.first, "last": self.last}


@dataclass(frozen=True, slots=True)
class Docket:
    """known: by key."""

    consortium: bytes
    known: Mapping[Key, Known]

    def after(self, found: Iterable[Finding], now: int, *, whole: bool = True) -> Docket:
        """With what an audit found. whole: it checked everything, so that what it did not find is not there."""
        after = dict(self.known)
        seen = {_key(finding): finding for finding in found}
        for key, known in self.known.items():
            if whole and key not in seen and known.acknowledged is not None:
                del after[key]
        for key, finding in seen.items():
            before = after.get(key)
            if before is not None:
                after[key] = replace(before, finding=finding, last=now)
            elif len(after) < MOST:
                after[key] = Known(finding, now, now)
        return Docket(self.consortium, after)

    def acknowledge(self, ids: Collection[str] | None, now: int) -> tuple[Docket, list[Known]]:
        """With these acknowledged, or all; and which those are. Raises NotFound for a number that no finding has."""
        for unknown in set(ids or ()) - {known.id for known in self.known.values()}:
            raise NotFound("NO_FINDING", f"no finding has the number {unknown}")
        chosen = [
            replace(known, acknowledged=now)
            for known in self.known.values()
            if known.acknowledged is None and (ids is None or known.id in ids)
        ]
        return Docket(self.consortium, {**self.known, **{known.key: known for known in chosen}}), chosen

    def earlier(self, found: Iterable[Finding]) -> list[Known]:
        """What an audit that found these has not, and nobody has acknowledged."""
        now = set(map(_key, found))
        return [known for key, known in self.known.items() if key not in now and known.acknowledged is None]

    def acknowledged(self, found: Iterable[Finding]) -> list[Known]:
        """What somebody has acknowledged of these."""
        now = set(map(_key, found))
        return [known for key, known in self.known.items() if key in now and known.acknowledged is not None]

    def extend(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What `Report.facts` says, and what was found before: `findings` are those that nobody has acknowledged,
        `earlier` those of earlier audits that this one does not find, `acknowledged` those that it finds again."""
        open_: list[dict[str, Any]] = []
        done: list[dict[str, Any]] = []
        for each in facts["findings"]:
            known = self.known.get((each["member"], each["index"], each["reason"]))
            dated = {"id": finding_id(Finding(**each)), **each}
            dated |= {} if known is None else {"first": known.first, "last": known.last}
            (done if known is not None and known.acknowledged is not None else open_).append(dated)
        now = {(each["member"], each["index"], each["reason"]) for each in facts["findings"]}
        earlier = [known.facts() for key, known in self.known.items() if key not in now and known.acknowledged is None]
        verdict = "bad" if open_ or earlier else "incomplete" if facts["unchecked"] else "ok"
        return {**facts, "verdict": verdict, "findings": open_, "earlier": earlier, "acknowledged": done}

    def encode(self) -> bytes:
        """The file's bytes, of which `parse` makes the same."""
        findings = [
            {
                **known.finding.facts(),
                "first": known.first,
                "last": known.last,
                "acknowledged": known.acknowledged,
            }
            for known in self.known.values()
        ]
        facts = {"format": FORMAT, "consortium": self.consortium.hex(), "findings": findings}
        return json.dumps(facts, indent=1).encode() + b"\n"


def finding_id(finding: Finding) -> str:
    """The number by which people name a finding."""
    text = json.dumps(_key(finding)).encode()
    return hashlib.sha256(text).hexdigest()[:_ID_DIGITS]


def parse(raw: bytes) -> Docket:
    """Reads a file of findings. Raises InvalidInput."""
    try:
        document = Document.parse(raw, MAX_BYTES)
        if document.text("format") != FORMAT:
            raise InvalidInput("BAD_FINDINGS", f"the format is not {FORMAT}", "format")
        consortium = document.hex("consortium", 32)
        known = {each.key: each for each in map(_known, document.each("findings"))}
        document.finish()
    except InvalidInput as error:
        raise InvalidInput("BAD_FINDINGS", f"not the findings of audits: {error.message}", error.path) from error
    return Docket(consortium, known)


def _known(facts: Document) -> Known:
    index = None if facts.null("index") else facts.integer("index", _MAX_NUMBER)
    finding = Finding(facts.text("member"), index, facts.text("reason"), facts.text("message"))
    first, last = facts.integer("first", _MAX_NUMBER), facts.integer("last", _MAX_NUMBER)
    acknowledged = None if facts.null("acknowledged") else facts.integer("acknowledged", _MAX_NUMBER)
    facts.finish()
    return Known(finding, first, last, acknowledged)


def _key(finding: Finding) -> Key:
    return finding.member, finding.index, finding.reason
