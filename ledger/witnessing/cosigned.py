"""What a head's cosignatures come to (design section 4, protocol section 18).

A head is *witnessed* when more than half of all members, its author not counted, have cosigned it. Two heads of one log
that conflict cannot both be witnessed unless some member other than the author has cosigned both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, NotFound, PlimsollError, Unverified
from ledger.tlog.checkpoint import SignedHead, open_head, parse_head_text
from ledger.tlog.cosignature import Cosignature
from ledger.tlog.note import Note, SignatureLine, parse_note


def quorum(manifest: Manifest) -> int:
    """How many members other than the author make a head witnessed."""
    return len(manifest.members) // 2 + 1


def open_cosigned(note: bytes, manifest: Manifest, member: str) -> SignedHead:
    """A head of the log that `member` writes under this manifest, with all the members' cosignatures, its own too.

    What others have put on the note on the way is taken off. Raises InvalidInput, Unverified (where any member's line
    fails the whole note is refused), NotFound for a member that the manifest does not have.
    """
    log_key = manifest.log_key(member)
    keys = [manifest.cosigner_key(each.name) for each in manifest.members]
    signed = open_head(note, log_key, keys)
    known = (log_key, *(cosignature.key for cosignature in signed.cosignatures))
    lines = {line.key_id: line for line in signed.note.signatures if any(line.is_by(key) for key in known)}
    return SignedHead(signed.head, Note(signed.note.text, tuple(lines.values())), signed.cosignatures)


def witnesses(signed: SignedHead, manifest: Manifest, member: str) -> dict[str, int]:
    """By member, its author left out: when it cosigned this head, in Unix seconds by its own clock."""
    times = {cosignature.key: cosignature.time for cosignature in signed.cosignatures}
    names = (each.name for each in manifest.members if each.name != member)
    keys = {name: manifest.cosigner_key(name) for name in names}
    return {name: times[key] for name, key in keys.items() if key in times}


def witnessed_at(signed: SignedHead, manifest: Manifest, member: str) -> int | None:
    """The time by which enough members had cosigned; None where too few have."""
    times = sorted(witnesses(signed, manifest, member).values())
    needed = quorum(manifest)
    return times[needed - 1] if len(times) >= needed else None


def spoken_at(signed: SignedHead, manifest: Manifest, member: str) -> int | None:
    """When its author said that this was its newest head, by its own clock; None where it did not."""
    key = manifest.cosigner_key(member)
    return next((one.time for one in signed.cosignatures if one.key == key), None)


def verify_witnessed(note: bytes, manifest: Manifest, member: str) -> SignedHead:
    """A witnessed head of the log that `member` writes under this manifest.

    Raises as `open_cosigned`, and Unverified (NOT_WITNESSED) where too few members have cosigned.
    """
    signed = open_cosigned(note, manifest, member)
    found, needed = len(witnesses(signed, manifest, member)), quorum(manifest)
    if found < needed:
        raise Unverified("NOT_WITNESSED", f"{found} of the {needed} members it takes have cosigned this head", "head")
    return signed


def verify_witnessed_in(note: bytes, history: History) -> tuple[SignedHead, Manifest, str]:
    """A witnessed head of any log, with the manifest under which it was, and its author: the newest one that fits.

    Raises as `verify_witnessed`; NotFound for a log that no manifest lists as one that is written.
    """
    origin = parse_head_text(parse_note(note).text).origin
    failure: PlimsollError = NotFound("NO_LOG", "no manifest has a log of this origin", "origin")
    for manifest, member in seats(history, origin):
        try:
            return verify_witnessed(note, manifest, member), manifest, member
        except Unverified as error:
            failure = error
    raise failure


def seats(history: History, origin: str) -> Iterator[tuple[Manifest, str]]:
    """The manifests under which this log is or was written, the newest first, and by whom."""
    for manifest in reversed(history.manifests):
        for member in manifest.members:
            if manifest.origin(member.name) == origin:
                yield manifest, member.name


def merged(one: SignedHead, other: SignedHead) -> SignedHead:
    """Both sides' cosignatures of one head, opened alike; of two by one cosigner the earlier counts.

    Raises InvalidInput for different heads.
    """
    if one.head != other.head:
        raise InvalidInput("OTHER_HEAD", "cosignatures of different heads do not add up", "head")
    early, late = {each.key: each for each in one.cosignatures}, {each.key: each for each in other.cosignatures}
    kept = {key: min((side[key] for side in (early, late) if key in side), key=_time) for key in {**early, **late}}
    news = [key for key, cosignature in kept.items() if early.get(key) != cosignature]
    lines = [line for line in other.note.signatures if any(line.is_by(key) for key in news)]
    return SignedHead(one.head, one.note.with_signatures(lines), tuple(kept.values()))


def _time(cosignature: Cosignature) -> int:
    return cosignature.time


def with_line(signed: SignedHead, line: SignatureLine) -> Note:
    """The head's note with one line more."""
    return signed.note.with_signatures([line])


def double_cosigners(one: SignedHead, other: SignedHead, manifest: Manifest) -> tuple[str, ...]:
    """The members that have cosigned both of two heads that conflict: it takes no more than the two notes to tell."""
    both = _keys(one).keys() & _keys(other).keys()
    return tuple(each.name for each in manifest.members if manifest.cosigner_key(each.name).key_id in both)


def _keys(signed: SignedHead) -> Mapping[bytes, int]:
    return {cosignature.key.key_id: cosignature.time for cosignature in signed.cosignatures}
