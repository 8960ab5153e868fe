"""The manifests by which to verify what a node shows."""

from __future__ import annotations

from client.audit.judging import lineages
from client.sdk import Session
from ledger.consortium.lineage import Lineage
from ledger.errors import Unverified


def read_lineage(session: Session) -> Lineage:
    """Those that the node shows, of the consortium that our certificate is for. Raises Unverified, and what the call
    does."""
    lineage = lineages.read(session)
    if lineage.history.consortium != session.endpoint.caller.consortium:
        raise Unverified("OTHER_CONSORTIUM", "the node's manifest is not of the consortium in our certificate")
    return lineage
