"""An audit of a folder of exported logs by hand:

    .venv/bin/python tests/second/audit.py DIR [--transcript FILE].. [--opening FILE].. [--receipt FILE]..

Exit code 0 where everything holds, 9 where something is wrong (the manifests, too: then there is nothing to go by), 6
where something could not be checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run by its path
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "protos")]

from tests.second.audited import Audit
from tests.second.refusal import Refused

CODES = {"ok": 0, "bad": 9, "incomplete": 6}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Audits a folder of exported logs.")
    parser.add_argument("folder", type=Path)
    for name in ("transcript", "opening", "receipt"):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        audit = Audit(given.folder)
    except Refused as refused:
        print(f"refused: {refused}")
        return CODES["bad"]
    lines = [*_logs(audit), *_files(audit, given)]
    lines += [f"finding: {one.member or '-'} {_number(one.index)} {one.detail}" for one in audit.findings]
    lines += [f"unchecked: {one.member or '-'} {one.code} {one.detail}" for one in audit.unchecked]
    print("\n".join([*lines, f"verdict: {audit.verdict}"]))
    return CODES[audit.verdict]


def _logs(audit: Audit) -> Iterator[str]:
    yield f"consortium {audit.current.founding.hex()}, manifest {audit.current.sequence} {audit.current.id.hex()}"
    for epoch, (state, keys) in audit.epochs.items():
        yield f"keys of epoch {epoch}: {state}" + (f" {keys.public[0].encoded.hex()} .." if keys else "")
    for held in audit.logs.values():
        if held.log is None:
            yield f"{held.name}: nothing"
            continue
        told = "".join(
            [
                " frozen" if held.frozen else "",
                f" ended at {held.ended.size}" if held.ended else "",
                f" witnessed {held.settled}" if held.settled is not None else "",
            ]
        )
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(held.kinds().items()))
        yield f"{held.name}: {len(held.log)} {held.log.root(len(held.log)).hex()}{told}: {kinds}"
    yield f"proofs: {'no keys' if audit.proofs is None else audit.proofs}"
    for (name, state), count in sorted(audit.inquiries.items()):
        yield f"inquiries of {name}: {count} {state}"
    for member, index, state in audit.challenges:
        yield f"challenge {index} of {member}: {state}"


def _files(audit: Audit, given: argparse.Namespace) -> Iterator[str]:
    checks: list[tuple[list[Path], Callable[[bytes], str]]] = [
        (given.transcript, lambda raw: _transcript(audit.check_transcript(raw))),
        (given.opening, lambda raw: _opening(audit.check_opening(raw))),
        (given.receipt, lambda raw: "entry {1} of {0}, cosigned by {2}".format(*audit.check_receipt(raw))),
    ]
    for files, check in checks:
        for file in files:
            try:
                yield f"{file}: {check(file.read_bytes())}"
            except Refused as refused:
                yield f"{file}: refused: {refused}"


def _transcript(verified: Any) -> str:
    return f"{verified.form}, " + ", ".join(f"{name} {value}" for name, value in verified.sums.items())


def _opening(shown: Any) -> str:
    return f"entry {shown.index}, {len(shown.loans)} loans, cosigned by {sorted(shown.cosigned)}"


def _number(index: int | None) -> str:
    return "-" if index is None else str(index)


if __name__ == "__main__":
    sys.exit(main())
