"""What a consortium's manifests come to for others' tools: whose keys sign its logs, and which heads are witnessed.

A policy (C2SP tlog-policy) is the same for every log in it, whereas a head is witnessed by more than half of all
members, *its author not counted* (protocol section 18). So a policy for one log leaves its author out, and one for all
logs asks for one member more: of these the author may be one, and so the others are enough.
"""

from __future__ import annotations

from ledger.consortium.history import History
from ledger.consortium.joined import log_name
from ledger.consortium.manifest import Manifest
from ledger.errors import NotFound
from ledger.tlog.checkpoint import parse_origin
from ledger.tlog.note import VerifierKey
from ledger.tlog.tlog_policy import Policy, PolicyGroup, PolicyLog, PolicyWitness

GROUP = "Witnesses"  # no witness here has such a name


def log_keys(history: History) -> dict[str, VerifierKey]:
    """By name (`lender-1`, `lender-1.2`): the keys of all logs, those that have ended last."""
    manifest = history.current
    written = [manifest.log_key(member.name) for member in manifest.members]
    keys = [*written, *map(manifest.ended_key, manifest.ended)]
    return {log_name(key.name): key for key in keys}


def log_key(history: History, name: str) -> VerifierKey:
    """The key of a log by its name or its origin. Raises NotFound."""
    for known, key in log_keys(history).items():
        if name in (known, key.name):
            return key
    raise NotFound("NO_LOG", "no manifest has a log of this name", "log")


def cosigner_keys(history: History) -> dict[str, VerifierKey]:
    """By member of the manifest in force."""
    return {member.name: history.current.cosigner_key(member.name) for member in history.current.members}


def policy_for(history: History, log: str | None = None) -> Policy:
    """What makes a head of this log (by name or origin), or of any, witnessed by the members of the manifest in force.

    Raises NotFound for a log that is none.
    """
    if log is None:
        keys, author = list(log_keys(history).values()), None
    else:
        keys = [log_key(history, log)]
        author = parse_origin(keys[0].name)[1]
    manifest = history.current
    witnesses = tuple(_witness(manifest, member.name) for member in manifest.members if member.name != author)
    needed = len(manifest.members) // 2 + (2 if author is None else 1)
    group = PolicyGroup(GROUP, needed, tuple(witness.name for witness in witnesses))
    return Policy(tuple(map(PolicyLog, keys)), witnesses, (group,), GROUP)


def _witness(manifest: Manifest, member: str) -> PolicyWitness:
    return PolicyWitness(f"{member}/cosigner", manifest.cosigner_key(member))  # a member may be called "none"
