"""Writes tlog_policy.json: policies that are read and what satisfies them, and policies that are refused, and where.

    python -m tests.vectors.generate_tlog_policy

Written by hand from the standard's text (C2SP tlog-policy), without the ledger's code. Policies are base64, as some are
no UTF-8. "satisfied" and "not_satisfied" are lists of witnesses whose cosignatures were verified.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.vectors.generate_log_formats import Key, b64

FOLDER = Path(__file__).parent

LOG = Key("example.com/log", 1, bytes(32))
LOG_2 = Key("plimsoll/" + "ab" * 32 + "/lender-1.2", 1, bytes([9]) * 32)
W = [Key(f"witness.example/{number}", 4, bytes([number]) * 32) for number in range(1, 7)]
QUANTUM = "example.com/q+381b9168+" + b64(bytes([6]) + bytes(1312))
QUANTUM_ID_WRONG = "example.com/q+00000000+" + b64(bytes([6]) + bytes(1312))
SAME_KEY = Key("another.example", 4, bytes([1]) * 32)
SAME_LOG = Key("another.example", 1, bytes(32))
LOG_AS_WITNESS = Key(LOG.name, 4, bytes(32))

X = "".join(f"witness X{number} {W[number - 1].vkey}\n" for number in (1, 2, 3))
Y = "".join(f"witness Y{number} {W[number + 2].vkey}\n" for number in (1, 2, 3))
STANDARD = f"log {LOG.vkey}\n\n{X}group X-witnesses 2 X1 X2 X3\n\n{Y}group Y-witnesses any Y1 Y2 Y3\n\n\
group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"


def valid(why: str, policy: str | bytes, yes: list[list[str]], no: list[list[str]], **parts: Any) -> dict[str, Any]:
    raw = policy.encode() if isinstance(policy, str) else policy
    return {"why": why, "policy": b64(raw), "satisfied": yes, "not_satisfied": no, **parts}


def valid_policies() -> list[dict[str, Any]]:
    one = f"witness w {W[0].vkey}\n"
    return [
        valid(
            "the standard's example",
            STANDARD,
            [["X1", "X2", "Y3"], ["X1", "X2", "X3", "Y1", "Y2", "Y3"], ["X2", "X3", "Y1", "stranger"]],
            [[], ["X1", "X2", "X3"], ["X1", "Y1", "Y2", "Y3"], ["X-witnesses", "Y-witnesses"], ["X-and-Y"]],
            logs=[LOG.vkey],
            witnesses=["X1", "X2", "X3", "Y1", "Y2", "Y3"],
            groups=[["X-witnesses", 2, 3], ["Y-witnesses", 1, 3], ["X-and-Y", 2, 2]],
            quorum="X-and-Y",
        ),
        valid("nobody has to cosign", "quorum none\n", [[], ["w"]], [], logs=[], witnesses=[], groups=[], quorum=None),
        valid("one witness", f"{one}quorum w\n", [["w"]], [[], ["W"]], witnesses=["w"], quorum="w"),
        valid("the quorum stands first", f"quorum none\nlog {LOG.vkey}\n", [[]], [], logs=[LOG.vkey], quorum=None),
        valid("lines behind the quorum", f"{one}quorum w\nlog {LOG_2.vkey}\n", [["w"]], [[]], logs=[LOG_2.vkey]),
        valid(
            "blanks, tabs, comments, a URL",
            f"# ours\n \t# too\n\t log \t{LOG.vkey} \thttps://log.example/\t\n \n{one}quorum\tw\n",
            [["w"]],
            [[]],
            logs=[LOG.vkey],
            log_urls=["https://log.example/"],
        ),
        valid("a URL of a witness", f"witness w {W[0].vkey} https://w.example/x\nquorum w\n", [["w"]], [[]]),
        valid("octets that are no UTF-8", b"# \xff\nwitness \xff " + W[0].vkey.encode() + b"\nquorum \xff\n", [], [[]]),
        valid(
            "a no-break space parts nothing",
            f"witness a\u00a0b {W[0].vkey}\nquorum a\u00a0b\n",
            [["a\u00a0b"]],
            [["a"]],
            witnesses=["a\u00a0b"],
        ),
        valid("a Kelvin sign is no K", f"witness \u212a {W[0].vkey}\nquorum \u212a\n", [["\u212a"]], [["K"]]),
        valid("a line separator ends no line", f"# \u2028 \u0085 x\n{one}quorum w\n", [["w"]], [[]]),
        valid("a name that looks like a number or keyword", f"witness all {W[0].vkey}\nquorum all\n", [["all"]], [[]]),
        valid("a group of one", f"{one}group g 1 w\nquorum g\n", [["w"]], [[], ["g"]], groups=[["g", 1, 1]]),
        valid("a group whose name is a number", f"{one}group 7 all w\nquorum 7\n", [["w"]], [[]]),
        valid("the quorum is a group's member", f"{X}group g 2 X1 X2\nquorum X1\n", [["X1"]], [["X2", "X3"]]),
        valid("one key for both", f"log {LOG.vkey}\nwitness w {LOG_AS_WITNESS.vkey}\nquorum w\n", [["w"]], [[]]),
        valid("a witness by ML-DSA-44", f"witness q {QUANTUM}\n{one}group g any q w\nquorum g\n", [["w"]], [[]]),
    ]  # fmt: skip


def refused(why: str, reason: str, line: int | None, policy: str | bytes) -> dict[str, Any]:
    raw = policy.encode() if isinstance(policy, str) else policy
    return {"why": why, "reason": reason, "line": line, "policy": b64(raw)}


def refused_policies() -> list[dict[str, Any]]:
    one = f"witness w {W[0].vkey}\n"
    bad = "BAD_POLICY_LINE"
    return [
        refused("nothing", "NO_QUORUM", None, ""),
        refused("no quorum", "NO_QUORUM", None, f"log {LOG.vkey}\n{one}"),
        refused("two quorums", "SECOND_QUORUM", 2, "quorum none\nquorum none\n"),
        refused("a quorum without a name", bad, 1, "quorum\n"),
        refused("a quorum with two names", bad, 2, f"{one}quorum w w\n"),
        refused("a comment behind a line", bad, 1, "quorum none # nobody\n"),
        refused("an unknown quorum", "UNKNOWN_NAME", 1, "quorum w\n"),
        refused("a quorum that stands above", "UNKNOWN_NAME", 1, f"quorum w\n{one}"),
        refused("a keyword in capitals", bad, 1, "Quorum none\n"),
        refused("another keyword", bad, 2, "# x\nlogs x\n"),
        refused("a byte order mark", bad, 1, "\ufeffquorum none\n"),
        refused("a carriage return", "BAD_CHARACTER", 1, "quorum none\r\n"),
        refused("a NUL", "BAD_CHARACTER", 2, "quorum none\n# \0\n"),
        refused("a DEL", "BAD_CHARACTER", 1, "# \x7f\nquorum none\n"),
        refused("a form feed", "BAD_CHARACTER", 1, "quorum\x0cnone\n"),
        refused("no newline at the end", "NO_NEWLINE", 2, "# x\nquorum none"),
        refused("a log without a key", bad, 1, "log\nquorum none\n"),
        refused("a log with too much", bad, 1, f"log {LOG.vkey} u v\nquorum none\n"),
        refused("a log with a cosigning key", "BAD_KEY_TYPE", 1, f"log {W[0].vkey}\nquorum none\n"),
        refused("a key that is none", "BAD_VERIFIER_KEY", 2, f"{one}log example.com\nquorum w\n"),
        refused("a key with another ID", "BAD_KEY_ID", 1, f"witness q {QUANTUM_ID_WRONG}\nquorum q\n"),
        refused("a log twice", "DUPLICATE_KEY", 2, f"log {LOG.vkey}\nlog {LOG.vkey}\nquorum none\n"),
        refused("a log by two names", "DUPLICATE_KEY", 2, f"log {LOG.vkey}\nlog {SAME_LOG.vkey}\nquorum none\n"),
        refused("a witness without a name", bad, 1, f"witness {W[0].vkey}\nquorum none\n"),
        refused("a witness with too much", bad, 1, f"witness w {W[0].vkey} u v\nquorum none\n"),
        refused("a witness with a log's key", "BAD_KEY_TYPE", 1, f"witness w {LOG.vkey}\nquorum none\n"),
        refused("a witness twice", "DUPLICATE_NAME", 2, f"{one}witness w {W[1].vkey}\nquorum none\n"),
        refused("a witness's key twice", "DUPLICATE_KEY", 2, f"{one}witness v {SAME_KEY.vkey}\nquorum none\n"),
        refused("a witness called none", "RESERVED_NAME", 1, f"witness none {W[0].vkey}\nquorum none\n"),
        refused("a group called none", "RESERVED_NAME", 2, f"{one}group none any w\nquorum none\n"),
        refused("none in a group", "UNKNOWN_NAME", 2, f"{one}group g any none\nquorum none\n"),
        refused("a group of nobody", bad, 2, f"{one}group g any\nquorum w\n"),
        refused("a group without a number", "UNKNOWN_NAME", 4, f"{X}group g X1 X2 X9\nquorum g\n"),
        refused("a group without a number, of known names", "BAD_THRESHOLD", 4, f"{X}group g X1 X2 X3\nquorum g\n"),
        refused("a group of a stranger", "UNKNOWN_NAME", 2, f"{one}group g any v\nquorum w\n"),
        refused("a group of itself", "UNKNOWN_NAME", 2, f"{one}group g any g\nquorum w\n"),
        refused("a group with a name that is taken", "DUPLICATE_NAME", 2, f"{one}group w any w\nquorum w\n"),
        refused("a name twice in a group", "LISTED_TWICE", 2, f"{one}group g 2 w w\nquorum g\n"),
        refused("a name in two groups", "LISTED_TWICE", 5, f"{X}group a any X1 X2\ngroup b any X2 X3\nquorum b\n"),
        refused("none of a group", "BAD_THRESHOLD", 2, f"{one}group g 0 w\nquorum g\n"),
        refused("more than all of a group", "BAD_THRESHOLD", 2, f"{one}group g 2 w\nquorum g\n"),
        refused("a number with a zero ahead", "BAD_THRESHOLD", 2, f"{one}group g 01 w\nquorum g\n"),
        refused("a number with a sign", "BAD_THRESHOLD", 2, f"{one}group g +1 w\nquorum g\n"),
        refused("an Arabic number", "BAD_THRESHOLD", 2, f"{one}group g \u0661 w\nquorum g\n"),
        refused("a number too long to be one", "BAD_THRESHOLD", 2, f"{one}group g {'9' * 5000} w\nquorum g\n"),
    ]  # fmt: skip


def content() -> str:
    """Of tlog_policy.json."""
    vectors = {"valid": valid_policies(), "refused": refused_policies()}
    return json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (FOLDER / "tlog_policy.json").write_text(content(), "utf-8")
