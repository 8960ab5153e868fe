"""Writes openings.json: positions that their authors have opened, and changes of such files that are refused.

    python -m tests.vectors.generate_openings

Made with the ledger's code; certificates have dates and random signatures in them, so another run writes other bytes.
`manifest`: the text of the only one. `public_keys`: X_f. `openings`: files that hold, as objects, and what they are.
`refused`: per case what is wrong (`why`), the keys of `openings[of]` that are set (`set`) or left out (`drop`), and the
code of section 21, D1 where the file is none.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger.crypto.group import L
from ledger.disclosure import Opening, disclose
from ledger.positions.classification import Classification
from ledger.positions.loan import records_digest
from ledger.positions.position import fold
from ledger.positions.position_entry import PositionEntry
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.receipt import Receipt
from tests.ledger.sample_consortium import Consortium, found, loan
from tests.lenders import lender

FILE = Path(__file__).parent / "openings.json"
BORROWER, AUTHOR = "test:somebody", "lender-1"
LOANS = (
    loan(1_000, loan_id="A-1", overdue=300, days_past_due=12, classification=Classification.SUBSTANDARD),
    loan(2_345, loan_id="A-2", product="住房贷款"),
    loan(77, loan_id="B-1", open=False),
)
LIE = loan(999)
SALT = bytes(range(32))


def receipt(world: Consortium, index: int, *cosigners: Cosigner) -> bytes:
    """Under the newest head, cosigned by these."""
    log = world.log(AUTHOR)
    note = log.head(log.size).note
    lines = [cosigner.cosign(note.text, world.now + at) for at, cosigner in enumerate(cosigners)]
    return Receipt(index, Receipt.parse(log.receipt(index)).path, note.with_signatures(lines).encode()).encode()


def member(world: Consortium, number: int) -> Cosigner:
    name = world.manifest.cosigner_key(f"lender-{number}").name
    return Cosigner.from_seed(name, lender(number).keyring.cosign_seed)


def opened(world: Consortium, index: int, shown: bytes, show_label: bool = False) -> Opening:
    entry, keys = world.log(AUTHOR).entry(index), world.keys.fields
    place = (world.manifest.consortium, AUTHOR, BORROWER, entry, shown)
    return disclose(*place, keys, bytes(32), show_label=show_label)


def as_object(opening: Opening) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(opening.encode())
    return document


def changed(document: dict[str, Any], key: str, place: int, **values: Any) -> dict[str, Any]:
    """Of a list of objects, one changed."""
    objects = document[key]
    return {key: [*objects[:place], objects[place] | values, *objects[place + 1 :]]}


def cases(good: dict[str, Any], closed: dict[str, Any], lying: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """What is wrong, the code, what is set in the first opening."""
    hexed = {key: value for key, value in good.items() if key in ("salt", "nonce", "consortium")}
    other = {key: f"{int(value[0], 16) ^ 1:x}{value[1:]}" for key, value in hexed.items()}
    spelt = (int.from_bytes(bytes.fromhex(good["nonce"]), "little") + L).to_bytes(32, "little").hex()
    loans, amounts, label = good["loans"], good["amounts"], good["label"]
    shown, keys = good["receipt"], good["public_keys"]
    return [
        ("another format", "D1", {"format": "plimsoll/opening/v2"}),
        ("a nonce not below L", "D1", {"nonce": spelt}),
        ("a nonce of zero", "D1", {"nonce": "00" * 32}),
        ("a key too many", "D1", {"borrower": BORROWER}),
        ("an amount as text", "D1", {"amounts": amounts | {"outstanding": "3345"}}),
        ("a loan without a number", "D1", changed(good, "loans", 0, loan_id="")),
        ("an unknown class", "D1", changed(good, "loans", 0, classification="fine")),
        ("six public keys", "D1", {"public_keys": good["public_keys"][:6]}),
        ("a number of 2^32", "D1", {"label": label | {"number": 1 << 32}}),
        ("another consortium", "OTHER_CONSORTIUM", {"consortium": other["consortium"]}),
        ("a stranger", "NOT_A_MEMBER", {"member": "lender-9"}),
        ("another member", "BAD_RECEIPT", {"member": "lender-2"}),
        ("another entry's receipt", "BAD_RECEIPT", {"receipt": closed["receipt"]}),
        ("another entry", "BAD_RECEIPT", {"entry": closed["entry"]}),
        ("another index", "BAD_RECEIPT", {"receipt": shown.replace("index 1", "index 0", 1)}),
        ("a cosigner that nobody knows", "BAD_RECEIPT", {"receipt": shown.replace("/cosigner", "/witness", 1)}),
        ("a cosignature twice", "BAD_RECEIPT", {"receipt": shown + "— " + shown.rpartition("— ")[2]}),
        ("a nonce of a closed position", "BAD_ENTRY", {key: closed[key] for key in ("entry", "receipt")}),
        ("two public keys exchanged", "BAD_PROOF", {"public_keys": [*keys[1::-1], *keys[2:]]}),
        ("another amount in a loan", "OTHER_RECORDS", changed(good, "loans", 0, outstanding=1_001)),
        ("another class of a loan", "OTHER_RECORDS", changed(good, "loans", 1, classification="loss")),
        ("a closed loan said to be open", "OTHER_RECORDS", changed(good, "loans", 2, open=True)),
        ("a loan missing", "OTHER_RECORDS", {"loans": loans[:2]}),
        ("the loans in another order", "OTHER_RECORDS", {"loans": loans[::-1]}),
        ("another salt", "OTHER_RECORDS", {"salt": other["salt"]}),
        ("another amount", "OTHER_POSITION", {"amounts": amounts | {"monthly_due": amounts["monthly_due"] + 1}}),
        ("another band", "OTHER_POSITION", {"amounts": amounts | {"band": amounts["band"] << 6}}),
        ("loans whose digest is right and that make another position", "OTHER_POSITION",
         {key: lying[key] for key in lying if key != "amounts"}),
        ("the same, with the amounts that they make", "OTHER_CIPHERTEXT", lying),
        ("another nonce", "OTHER_CIPHERTEXT", {"nonce": "01" + "00" * 31}),
        ("another number", "OTHER_LABEL", {"label": label | {"number": label["number"] + 1}}),
        ("another label key", "OTHER_LABEL", {"label": label | {"key": "00" * 32}}),
    ]  # fmt: skip


def lie(world: Consortium) -> Opening:
    """An entry whose records digest is of another loan than its ciphertext; opened with what that loan makes."""
    entry = PositionEntry.parse(world.position_entry(AUTHOR, BORROWER, loan(5_000)))
    published = replace(entry, records_digest=records_digest(SALT, [LIE])).encode()
    index = world.log(AUTHOR).append(published)

    amounts = fold([LIE], world.bands).amounts
    return replace(opened(world, index, receipt(world, index)), loans=(LIE,), salt=SALT, amounts=amounts)


def main() -> None:
    world = found(3, seed="openings")
    world.report(AUTHOR, "test:other", loan(5))
    world.report(AUTHOR, BORROWER, *LOANS)
    world.report(AUTHOR, BORROWER, *(replace(each, open=False) for each in LOANS))
    cosigners = [member(world, number) for number in (1, 2, 3)]
    first = as_object(opened(world, 1, receipt(world, 1, *cosigners), show_label=True))
    plain = as_object(opened(world, 1, receipt(world, 1)))
    closed = as_object(opened(world, 2, receipt(world, 2, *cosigners[1:])))
    lying = as_object(lie(world))
    kinds = ("with the label key", "without it", "closed")
    refused = [{"why": why, "of": 0, "code": code, "set": values} for why, code, values in cases(first, closed, lying)]
    refused += [{"why": f"{key} is missing", "of": 1, "code": "D1", "drop": [key]} for key in plain]
    refused.append({"why": "an amount of a closed position", "of": 2, "code": "D1", "set": {"amounts": {"band": 0}}})
    vectors = {
        "about": "docs/protocol.md, section 21.",
        "manifest": world.manifest.text,
        "public_keys": [key.hex() for key in world.keys.fields],
        "openings": [
            {"what": what, "opening": opening} for what, opening in zip(kinds, (first, plain, closed), strict=True)
        ],
        "refused": refused,
    }
    FILE.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
