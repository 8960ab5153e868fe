"""plimsoll receipt: that an entry stands in a log, as a file that proves it to anybody."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.auditing.manifests import LineageOption, ThroughOption
from client.cli.connect import connect
from client.cli.failure import UsageError
from client.cli.options import Settings, settings_of
from client.cli.output import answer

if TYPE_CHECKING:
    from client.receipts import Verified

_MAX_ENTRY_FILE = 1 << 16


def receipt(
    context: typer.Context,
    log: Annotated[
        str | None, typer.Argument(metavar="[LOG]", help="The log, by its name (lender-1) or its origin.")
    ] = None,
    index: Annotated[int | None, typer.Argument(metavar="[INDEX]", min=0, help="The entry's index.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where the receipt goes (else stdout).", show_default=False
        ),
    ] = None,
    entry: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the entry goes; with --verify, where it is.", show_default=False),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(metavar="RECEIPT", help="Verify this receipt; needs neither node nor home.", show_default=False),
    ] = None,
    log_key: Annotated[
        str | None, typer.Option(metavar="VKEY", help="With --verify: the log's verifier key.", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --verify: whose heads to trust.", show_default=False)
    ] = None,
    lineage: LineageOption = None,
    through: ThroughOption = None,
) -> None:
    """Fetch an entry's receipt (C2SP tlog-proof), or verify one.

    A receipt is the way from the entry to a head that its log has signed: the largest witnessed one, with its
    cosignatures, if that covers the entry, else the newest.
    """
    settings = settings_of(context)
    if verify is None:
        if log is None or index is None or log_key is not None or policy is not None or lineage is not None:
            raise UsageError("give a log and an index, or --verify with --entry and what to trust")
        _fetch(settings, log, index, through, output, entry)
        return
    trusted = [one for one in (log_key, policy, lineage) if one is not None]
    if log is not None or output is not None or through is not None or entry is None or len(trusted) != 1:
        raise UsageError("--verify takes --entry, and one of --log-key, --policy and --lineage")
    _verify(settings, verify, entry, log_key, policy, lineage)


def _fetch(
    settings: Settings, log: str, index: int, through: str | None, output: Path | None, entry: Path | None
) -> None:
    from client.export.folder import write_durably
    from client.export.lineage import read_lineage
    from client.receipts import fetch
    from ledger.consortium.trust import log_key

    with connect(settings, "auditor", through) as session:
        history = read_lineage(session).history
        found = fetch(session, history, log_key(history, log), index)
    proof = found.receipt.encode()
    if entry is not None:
        write_durably(entry, found.entry)
    if output is not None:
        write_durably(output, proof)
    elif not settings.json:
        sys.stdout.write(proof.decode())
        return
    files = {"output": None if output is None else str(output), "entry": None if entry is None else str(entry)}
    _tell(settings, found, {"receipt": proof.decode(), **files})


def _verify(
    settings: Settings, proof: Path, entry: Path, key: str | None, policy: Path | None, lineage: Path | None
) -> None:
    from client.receipts import check_by_key, check_by_manifests, check_by_policy
    from ledger.consortium.lineage import open_lineage
    from ledger.tlog.note import VerifierKey
    from ledger.tlog.receipt import MAX_RECEIPT_BYTES
    from ledger.tlog.tlog_policy import MAX_POLICY_BYTES, parse_policy

    raw, logged = _read(proof, MAX_RECEIPT_BYTES), _read(entry, _MAX_ENTRY_FILE)
    if key is not None:
        found = check_by_key(raw, logged, VerifierKey.parse(key, "--log-key"))
    elif policy is not None:
        found = check_by_policy(raw, logged, parse_policy(_read(policy, MAX_POLICY_BYTES)))
    else:
        assert lineage is not None, "one of the three"
        found = check_by_manifests(raw, logged, open_lineage(lineage.read_bytes()).history)
    _tell(settings, found, {})


def _read(path: Path, most: int) -> bytes:
    """One byte more than there may be is for the parser to refuse."""
    with path.open("rb") as file:
        return file.read(most + 1)


def _tell(settings: Settings, found: Verified, more: dict[str, str | None]) -> None:
    from client import render

    facts = {**found.facts(), **more}
    cosigned = ", ".join(found.cosigners) or "nobody that was asked for"
    told = [
        ("entry", f"{facts['index']:,} of {facts['log']} ({facts['bytes']:,} bytes)"),
        ("head", f"{facts['size']:,} entries, root {facts['root']}"),
        ("cosigned by", cosigned if found.witnessed is not False else "too few to be witnessed"),
        *((f"{name} file", str(more[name])) for name in ("output", "entry") if more.get(name)),
    ]
    answer(facts, lambda: render.pairs(told), as_json=settings.json)
