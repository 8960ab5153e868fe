"""The consortium's manifests as nodes show them: verified without any log, and held against each other and against what
the last audit saw (docs/protocol.md, section 14, Lineage)."""

from __future__ import annotations

from plimsoll.v1 import audit_pb2

from client.audit.keeping.memory import Memory
from client.audit.reading.source import Source
from client.audit.report import Finding
from ledger.consortium.lineage import Lineage, verify_lineage
from ledger.errors import PlimsollError, Refused, Unverified


def read(source: Source) -> Lineage:
    """The manifests that a node shows. Raises Unverified where they do not hold, and what the call does."""
    return _verified(source.manifests())


def _verified(shown: audit_pb2.ManifestResponse) -> Lineage:
    try:
        return verify_lineage(shown.manifest, shown.successions)
    except PlimsollError as error:  # whatever it is: the node shows something as in force that cannot be
        raise Unverified(error.reason, f"the node's manifests: {error.message}", error.path) from error


def compare(witness: str, source: Source, ours: Lineage) -> tuple[Lineage, list[Finding]]:
    """The manifests by which to take what a member's node says, and what is wrong with those that it shows.

    Neither shorter nor longer ones are: a change takes a while to spread. Raises what the call does.
    """
    shown = source.manifests()
    if shown.manifest == ours.founding and list(shown.successions) == ours.successions():
        return ours, []
    try:
        theirs = _verified(shown)
    except Unverified as error:
        return ours, [Finding.because(witness, None, error)]
    try:
        theirs.check_extends(ours)
    except Refused as error:
        return ours, [] if error.reason == "SHORTER_LINEAGE" else [Finding.because(witness, None, error)]
    return theirs, []


def compare_with_last(lineage: Lineage, last: Memory) -> None:
    """Holds what the last audit saw against the manifests shown now. Raises Unverified."""
    ids = tuple(manifest.id for manifest in lineage.history.manifests)
    if ids[: len(last.manifests)] != last.manifests[: len(ids)]:
        raise Unverified("OTHER_LINEAGE", "these manifests are not those of the last audit")
    if len(ids) < len(last.manifests):
        raise Unverified("SHORTER_LINEAGE", f"there were {len(last.manifests)} manifests at the last audit")
