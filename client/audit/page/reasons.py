"""What the reason codes of an audit mean, in plain words, and what to do (docs/auditing.md has the same list)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_ASK = (
    "Read the same log through another member's node (--through). If that one is whole, the first node's "
    "disk has rotted or its operator lies: have it run plimsoll fsck, and keep this report."
)
_FORKED = (
    "The proof stands, whoever is right: keep this report and both heads. The members end that log by a "
    "change of the manifest; the member explains itself, and comes back with a new key or not at all."
)
_AUTHOR = (
    "The entry is signed for by its author and cannot be taken back. Ask that member; queries leave such "
    "a record out and name it."
)
_KEEP = (
    "Keep the state file and this report, audit again through other members, and put the question to all "
    "of them: somebody has changed what was signed before."
)
_MANIFESTS = (
    "Type plimsoll lineage at several members and compare the ids. A node that shows other manifests "
    "than the rest must not be used."
)
_TRANSCRIPT = (
    "Do not rely on this answer. Ask whoever gave it to you for the file as it was saved; if that is the "
    "same, the party named in it has something to explain."
)
_FOLDER = "Export the log anew, into an empty folder, from another member's node, and compare."
_ASKED = (
    "Ask that member for the answers it got, and audit through several members: if its logs are whole there, "
    "somebody has shown two faces."
)
_POLICY = "Compare the policy with what the members gave you by another way; the file may be old, or a node may lie."
_FILE = "Give the audit the right file."
_AGAIN = (
    "Audit again. If it stays, read through another member's node (--through), and have the first one's "
    "operator look at it."
)


@dataclass(frozen=True, slots=True)
class Reason:
    """meaning: what was found. advice: what to do about it."""

    meaning: str
    advice: str


REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        # A log is not what its author signed
        "ROOT_MISMATCH": Reason(
            "The entries that the node hands out are not those that the log's author has signed.",
            _ASK,
        ),
        "BAD_ENTRY_SIZE": Reason(
            "The node hands out an entry that no log can have: empty, or too long.",
            _ASK,
        ),
        "ENTRY_MISSING": Reason(
            "The node lacks an entry of a log that it says it holds.",
            _ASK,
        ),
        "TRUNCATED": Reason(
            "The node hands out fewer entries than the head that it shows covers.",
            _ASK,
        ),
        "HEAD_TOO_SMALL": Reason(
            "The head that comes with entries does not cover them: nobody has signed for the rest.",
            _ASK,
        ),
        "OTHER_BLOCK": Reason(
            "The node answers with other entries, or those of another log, than it was asked for.",
            _ASK,
        ),
        "OTHER_RECEIPT": Reason(
            "A receipt that the node made is of another index than it was asked for.",
            _ASK,
        ),
        "OLD_RECEIPT": Reason(
            "A receipt that the node made is under an older head than the log that it handed out.",
            _ASK,
        ),
        "OTHER_ENTRY": Reason(
            "An entry that comes with a proof is not the one that stands in the log.",
            _ASK,
        ),
        "BAD_NOTE": Reason(
            "A signed note that the node shows is not one, or has rotted.",
            _ASK,
        ),
        "BAD_HEAD": Reason(
            "A head that the node shows is not one, or has rotted.",
            _ASK,
        ),
        "BAD_SIGNATURE": Reason(
            "A signature under a head does not verify: it has rotted, or somebody has made it up.",
            _ASK,
        ),
        "NO_KNOWN_SIGNATURE": Reason(
            "A head bears no signature of its log's author.",
            _ASK,
        ),
        "WRONG_ORIGIN": Reason(
            "A head is of another log than the one it is shown for.",
            _ASK,
        ),
        "BAD_TILE": Reason(
            "A part of the stored tree is missing or wrong, so that the node cannot make its proofs.",
            _ASK,
        ),
        "BAD_BUNDLE": Reason(
            "A file of entries in a folder of tiles ends early, or has too much.",
            _FOLDER,
        ),
        "NO_SUCH_FILE": Reason(
            "A file that the checkpoint speaks of is not in the folder of tiles.",
            _FOLDER,
        ),
        "TOO_LARGE": Reason(
            "A file in a folder of tiles is larger than it can be.",
            _FOLDER,
        ),
        "UNKNOWN_LOG": Reason(
            "Somebody speaks of a log that is no member's.",
            _ASK,
        ),
        # Two histories
        "FORK": Reason(
            "The log's author has signed two histories of its log, or members were shown different ones.",
            _FORKED,
        ),
        "CONFLICTING_WITNESSES": Reason(
            "Two heads that contradict each other were both cosigned by most members: the author had "
            "helpers. The message names who cosigned both.",
            _FORKED,
        ),
        "OTHER_HEADS": Reason(
            "A lender asked over other logs than were read: it asked wrongly, or was shown another log.",
            _ASKED,
        ),
        "NO_SUCH_SIZE": Reason(
            "A lender asked over more of a log than anybody has.",
            _ASKED,
        ),
        # Against the last audit
        "SHRUNK": Reason(
            "The log has fewer entries than at the last audit.",
            _KEEP,
        ),
        "REWRITTEN": Reason(
            "Entries that were audited before have been replaced by others.",
            _KEEP,
        ),
        "OTHER_LINEAGE": Reason(
            "The manifests shown are not those of the last audit, or not those that other members show.",
            _MANIFESTS,
        ),
        "SHORTER_LINEAGE": Reason(
            "A manifest that the last audit saw is not shown any more.",
            _MANIFESTS,
        ),
        # Changes of the consortium
        "OTHER_ROOT": Reason(
            "A log that has ended is not the one that the manifest says it was.",
            _ASK,
        ),
        "DOUBLE_VOTE": Reason(
            "A member has approved two successors of one manifest. Its own log proves it.",
            "Ask that member why; the others may expel it.",
        ),
        "KEPT_BACK": Reason(
            "Enough members have approved a new manifest, and the node still shows the earlier one.",
            "Audit again in a minute: a change takes a while to spread. If it stays, that node's operator"
            " keeps it back.",
        ),
        "TOO_FEW_APPROVALS": Reason(
            "A manifest is shown that too few members have approved.",
            _MANIFESTS,
        ),
        "BAD_LINEAGE": Reason(
            "What is shown as the manifests is none.",
            _MANIFESTS,
        ),
        "OTHER_CONSORTIUM": Reason(
            "The node, the certificate and the state file are not all of one consortium.",
            _FILE,
        ),
        "UNKNOWN_MEMBER": Reason(
            "The node is of nobody who is a member.",
            _MANIFESTS,
        ),
        # What an author wrote
        "BAD_PROOF": Reason(
            "The proof in a position does not hold: its author may not know what it has encrypted.",
            _AUTHOR,
        ),
        "IDENTITY_POINT": Reason(
            "A position has a point that no honest encryption has.",
            _AUTHOR,
        ),
        "BAD_POINT": Reason(
            "A position has bytes where a point of the group must stand.",
            _AUTHOR,
        ),
        "WRONG_EPOCH": Reason(
            "A position is under keys of an epoch that never was.",
            _AUTHOR,
        ),
        "NO_FORK": Reason(
            "A member accuses another of two histories, and what it shows is one.",
            "Ask the member that wrote this entry; the member that it accuses is not convicted by it.",
        ),
        "BAD_EVIDENCE": Reason(
            "A member accuses another, and what it shows is no evidence.",
            "Ask the member that wrote this entry; the member that it accuses is not convicted by it.",
        ),
        # The auditor's own policy
        "NO_QUORUM": Reason(
            "No head of a log has the cosignatures that the policy asks for.",
            _POLICY,
        ),
        "OTHER_KEY": Reason(
            "The policy has another key for a log than the manifest.",
            _POLICY,
        ),
        # Transcripts, by the step of protocol.md (Transcripts) that does not hold
        "T1": Reason(
            "The file is no transcript of this consortium.",
            _TRANSCRIPT,
        ),
        "T2": Reason(
            "The inquiry is not the querier's, or breaks the rules for inquiries.",
            _TRANSCRIPT,
        ),
        "T3": Reason(
            "The heads that were used are not those that the inquiry fixes.",
            _TRANSCRIPT,
        ),
        "T4": Reason(
            "The logs as they were read are not those that the transcript speaks of.",
            _TRANSCRIPT,
        ),
        "T5": Reason(
            "The borrower's key does not fit the inquiry: it is about another borrower.",
            _TRANSCRIPT,
        ),
        "T6": Reason(
            "The records are not the ones that count: one is missing, left out wrongly, or put in.",
            _TRANSCRIPT,
        ),
        "T7": Reason(
            "The encrypted sums are not those over the records.",
            _TRANSCRIPT,
        ),
        "T8": Reason(
            "The release rule or the quota was not kept: more was opened, or withheld, than follows from the logs.",
            _TRANSCRIPT,
        ),
        "T9": Reason(
            "A custodian's part in the decryption is not proved, or there are too few.",
            _TRANSCRIPT,
        ),
        "T10": Reason(
            "The figures are not what the custodians' parts open to.",
            _TRANSCRIPT,
        ),
        # The auditor's own means
        "BAD_STATE": Reason(
            "The state file is not one.",
            _FILE,
        ),
        "BAD_INDEX": Reason(
            "The node knows no such entry, or the audit has not kept it.",
            _AGAIN,
        ),
        "BAD_SIZE": Reason(
            "The node knows no such size, or the audit has not kept its root.",
            _AGAIN,
        ),
    }
)

_OTHER = Reason("A check did not hold that the protocol asks for; the message says which.", _AGAIN)


def reason(code: str) -> Reason:
    """Of any code, also of one that came from a node."""
    return REASONS.get(code, _OTHER)
