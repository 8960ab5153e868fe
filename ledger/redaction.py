"""Masks whatever looks like a person's or a company's number in a text meant for a log (design, section 11).

Node logs get pasted into tickets and chats. Masking too much costs a little legibility; masking too little leaks an
identity, so everything of the right shape goes, whether its check digit fits or not.
"""

from __future__ import annotations

import re

from ledger.borrower.identity import SCHEMES

MASK = "[redacted]"

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # to ASCII, place by place
_SCHEME = "|".join(SCHEMES)
_VALUE = r"[^\s,;\"'`<>()\[\]{}|]+(?:[ -][0-9]{3,}[0-9Xx]?(?![0-9A-Za-z]))*"  # with further groups of digits
_GAP = "[ -]?"

_BARE = (
    # cn-id, new and old, in one piece or in its usual groups.
    rf"[0-9]{{6}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{3}}[0-9Xx]",
    rf"[0-9]{{6}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{3}}",
    # cn-uscc; lei.
    r"[0-9A-Za-z]{2}[0-9]{6}[0-9A-Za-z]{10}",
    r"[0-9A-Z]{18}[0-9]{2}",
    # Passports and the identity cards of Taiwan, Hong Kong or Macau: one to three letters, then digits.
    r"[A-Za-z]{1,3}[0-9]{6,9}(?:\([0-9A]\))?",
    # in-pan; jp-cn and th-pin. (tw-ubn is 8 digits, as is any date: it goes only behind its scheme.)
    r"[A-Za-z]{5}[0-9]{4}[A-Za-z]",
    rf"[0-9](?:{_GAP}[0-9]{{4}}){{3}}",
    rf"[0-9]{_GAP}[0-9]{{4}}{_GAP}[0-9]{{5}}{_GAP}[0-9]{{2}}{_GAP}[0-9]",
)
_PATTERNS = (
    re.compile(rf"(?<![0-9A-Za-z-])(?P<keep>(?i:(?:{_SCHEME})(?::|%3A)))\s?{_VALUE}", re.ASCII),
    *(re.compile(rf"(?<![0-9A-Za-z])(?:{bare})(?![0-9A-Za-z])", re.ASCII) for bare in _BARE),
)


def redact(text: str) -> str:
    """The text with every identity-like part replaced by "[redacted]"; a known scheme's name stays for context."""
    folded = text.translate(_FULL_WIDTH)  # same length: a place found here is the same place there
    spans = sorted(_span(match) for pattern in _PATTERNS for match in pattern.finditer(folded))
    out: list[str] = []
    end = 0
    for start, stop in spans:
        if stop <= end:
            continue
        if start >= end:
            out += (text[end:start], MASK)
        end = stop
    out.append(text[end:])
    return "".join(out)


def _span(match: re.Match[str]) -> tuple[int, int]:
    start = match.end("keep") if "keep" in match.re.groupindex else match.start()
    return start, match.end()
