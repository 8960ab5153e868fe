"""Writes witness.json, for this and any second implementation of protocol section 18.

    python -m tests.vectors.generate_witness

Made from the page with the RFC's recursion and an Ed25519 library, without the ledger's code. The same run gives the
same bytes. Five members; the author of the log is the first. "witnessed" has notes and the time at which each was;
"shown" has what members show one after the other of what they have cosigned ("by": the member's place), and, after
each, what is witnessed by then; refused is what a member cannot show. "turns" says whose turn it is with a log (author,
speaker: places) at a Unix time. "evidence" has entries that prove a fork to who has the log's key. "why" says what is
wrong with a refused example.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plimsoll.v1 import entry_pb2

from tests.ledger import rfc6962
from tests.vectors.generate_log_formats import Key, b64

FOLDER = Path(__file__).parent
CONSORTIUM = "5" * 64
MEMBERS = [f"lender-{number}" for number in range(1, 6)]
ORIGINS = [f"plimsoll/{CONSORTIUM}/{member}" for member in MEMBERS]
LOG = Key(ORIGINS[0], 1, bytes([1]) * 32)
FORGER = Key(ORIGINS[0], 1, bytes([99]) * 32)
COSIGNERS = [Key(f"{origin}/cosigner", 4, bytes([10 + place]) * 32) for place, origin in enumerate(ORIGINS)]
STRANGER = Key("plimsoll.example/stranger", 4, bytes([50]) * 32)
TIME = 1_700_000_000


def entries(size: int, branch: int = 0, common: int = 0) -> list[bytes]:
    return [f"entry {number}/{branch if number >= common else 0}".encode() for number in range(size)]


def text(history: Sequence[bytes]) -> str:
    return f"{ORIGINS[0]}\n{len(history)}\n{b64(rfc6962.mth(history))}\n"


def note(body: str, *lines: str) -> str:
    return f"{body}\n{''.join(lines)}"


def signed(history: Sequence[bytes], key: Key = LOG) -> bytes:
    body = text(history)
    return note(body, key.line(body)).encode()


def cosigned(history: Sequence[bytes], times: dict[int, int], *more: str) -> str:
    """With the lines of these members, by their place."""
    body = text(history)
    return note(body, LOG.line(body), *(COSIGNERS[place].line(body, time) for place, time in times.items()), *more)


def witnessed() -> dict[str, Any]:
    seven = entries(7)
    body = text(seven)
    broken = COSIGNERS[4].line(text(entries(8)), TIME)
    return {
        "valid": [
            {"note": cosigned(seven, {1: TIME + 5, 2: TIME + 1, 3: TIME + 9}), "size": 7, "time": TIME + 9},
            {"note": cosigned(seven, {0: TIME, 4: TIME + 3, 2: TIME + 1, 3: TIME + 2}), "size": 7, "time": TIME + 3},
            {
                "note": cosigned(seven, {1: TIME + 5, 2: TIME + 1, 3: TIME + 9, 4: TIME + 20}),
                "size": 7,
                "time": TIME + 9,
            },
            {
                "note": cosigned(seven, {1: TIME, 2: TIME, 3: TIME}, STRANGER.line(body, TIME)),
                "size": 7,
                "time": TIME,
            },
            {"note": cosigned([], {1: TIME, 2: TIME, 3: TIME}), "size": 0, "time": TIME},
        ],
        "refused": [
            {"why": "two are too few", "note": cosigned(seven, {1: TIME, 2: TIME})},
            {"why": "the author is not counted", "note": cosigned(seven, {0: TIME, 1: TIME, 2: TIME})},
            {
                "why": "strangers are not counted",
                "note": cosigned(seven, {1: TIME, 2: TIME}, STRANGER.line(body, TIME)),
            },
            {
                "why": "one member's line fails, though three others' are good",
                "note": cosigned(seven, {1: TIME, 2: TIME, 3: TIME}, broken),
            },
            {
                "why": "the log itself has not signed",
                "note": note(body, *(COSIGNERS[place].line(body, TIME) for place in (1, 2, 3))),
            },
        ],
    }


def shown() -> dict[str, Any]:
    def said(by: int, size: int, time: int = TIME, branch: int = 0, **others: int) -> dict[str, Any]:
        times = {by: time} | {int(place[1:]): when for place, when in others.items()}
        return {"by": by, "note": cosigned(entries(size, branch), times)}

    seven = {"size": 7, "time": TIME + 4}
    return {
        "valid": [
            [(said(1, 7), None), (said(4, 7, TIME + 4), None), (said(2, 7, TIME + 1), seven)],
            # A line counts where its own member shows it.
            [(said(1, 7, TIME, 0, _2=TIME, _3=TIME), None), (said(2, 7), None), (said(3, 7, TIME + 4), seven)],
            # Of one size the first head stays, a smaller one says nothing more, and a larger one takes its place.
            [(said(1, 7), None), (said(1, 7, TIME, 1), None), (said(1, 5), None), (said(2, 7), None),
             (said(3, 7, TIME + 4), seven)],
            [(said(1, 7), None), (said(2, 7), None), (said(1, 8), None), (said(3, 7), None),
             (said(4, 7, TIME + 4), seven)],
            # Two histories do not add up.
            [(said(1, 7), None), (said(2, 7), None), (said(3, 7, TIME, 1), None), (said(4, 7, TIME, 1), None)],
        ],
        "refused": [
            {"why": "not its own line", **said(1, 7), "by": 2},
            {"why": "no line at all", "by": 1, "note": cosigned(entries(7), {})},
            {"why": "the author shows its own log", **said(0, 7)},
            {"why": "its line fails", "by": 1,
             "note": note(text(entries(7)), LOG.line(text(entries(7))), COSIGNERS[1].line(text(entries(8)), TIME))},
            {"why": "the log itself has not signed", "by": 1,
             "note": note(text(entries(7)), COSIGNERS[1].line(text(entries(7)), TIME))},
        ],
    }  # fmt: skip


def turns() -> list[dict[str, int]]:
    """heartbeat, gossip: the policy's; quarter: of the turn, 0 .. 3."""
    cases = [
        (5, 2, 5, 0, TIME), (5, 2, 5, 0, TIME + 10), (5, 2, 5, 0, TIME + 29), (5, 2, 5, 0, TIME + 39),
        (5, 2, 5, 0, TIME + 40), (5, 2, 5, 4, TIME + 40), (5, 2, 5, 2, TIME + 120), (1, 1, 3, 1, TIME + 7),
        (1, 1, 3, 1, TIME + 8), (5, 2, 9, 8, TIME), (5, 2, 10, 8, TIME), (1, 3, 10, 9, TIME + 12345),
        (5, 2, 100, 99, TIME + 99), (3600, 1, 4, 3, TIME), (1, 3600, 100, 50, TIME),
    ]  # fmt: skip
    return [_turn(*case) for case in cases]


def _turn(heartbeat: int, gossip: int, members: int, author: int, time: int) -> dict[str, int]:
    eights = -(-(members - 1) // 8)
    seconds = 2 * max(heartbeat, gossip * eights)
    number, rest = divmod(time, 4 * seconds)
    others = [place % members for place in range(author + 1, author + members)]
    return {
        "heartbeat": heartbeat, "gossip": gossip, "members": members, "author": author, "time": time,
        "quarter_seconds": seconds, "number": number, "quarter": rest // seconds,
        "speaker": others[number % len(others)],
    }  # fmt: skip


def evidence() -> dict[str, Any]:
    pairs = [(5, 5, 0), (5, 5, 3), (4, 9, 2), (9, 4, 2), (8, 9, 7), (1, 300, 0)]
    return {
        "valid": [hex_of(forked(entries(one, 1, common), entries(two, 2, common))) for one, two, common in pairs],
        "refused": [{"why": why, "entry": hex_of(message)} for why, message in refused_evidence()],
    }


def forked(one: Sequence[bytes], two: Sequence[bytes], key: Key = LOG) -> entry_pb2.Evidence:
    """As who holds the larger tree makes it."""
    small, large = sorted((one, two), key=lambda history: (len(history), rfc6962.mth(history)))
    message = entry_pb2.Evidence(origin=ORIGINS[0], known=signed(small, key), conflicting=signed(large, key))
    if len(small) < len(large):
        message.old_root = rfc6962.mth(large[: len(small)])
        message.consistency.extend(rfc6962.proof(len(small), large))
    return message


def refused_evidence() -> list[tuple[str, entry_pb2.Evidence]]:
    made = []

    def change(why: str, one: int, two: int, common: int, **values: Any) -> None:
        message = forked(entries(one, 1, common), entries(two, 2, common))
        for name, value in values.items():
            message.ClearField(name)  # type: ignore[arg-type]
            getattr(message, name).extend(value) if name == "consistency" else setattr(message, name, value)
        made.append((why, message))

    one, two = entries(4, 1, 2), entries(9, 1, 2)
    change("another log", 4, 9, 2, origin=ORIGINS[1])
    change("no root to part from", 4, 9, 2, old_root=b"", consistency=[])
    change("the proof does not lead to the larger head", 4, 9, 2, consistency=[bytes(32)] * 4)
    change("a proof where none is needed", 5, 5, 3, old_root=bytes(32))
    made.append(("one history", forked(one, two)))
    empty = entry_pb2.Evidence(origin=ORIGINS[0], known=signed([]), conflicting=signed(two), old_root=bytes(32))
    made.append(("size 0 is of every history", empty))
    same = entry_pb2.Evidence(origin=ORIGINS[0], known=signed(two), conflicting=signed(two))
    made.append(("the same head twice", same))
    turned = forked(entries(5, 1), entries(5, 2))
    turned.known, turned.conflicting = turned.conflicting, turned.known
    made.append(("the wrong order", turned))
    made.append(("another key", forked(entries(5, 1), entries(5, 2), FORGER)))
    return made


def hex_of(message: entry_pb2.Evidence) -> str:
    return entry_pb2.Entry(time=TIME, evidence=message).SerializeToString(deterministic=True).hex()


def main() -> None:
    vectors = {
        "log_key": LOG.vkey,
        "cosigner_keys": [key.vkey for key in COSIGNERS],
        "witnessed": witnessed(),
        "shown": shown(),
        "turns": turns(),
        "evidence": evidence(),
    }
    (FOLDER / "witness.json").write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
