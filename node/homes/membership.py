"""The commands by which a member joins a consortium that is there, and changes its own keys (docs/operations.md)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ledger.consortium.address import parse_address
from ledger.consortium.card import parse_card
from ledger.consortium.lineage import MAX_LINEAGE_BYTES
from node.answer import Answer
from node.homes import files, founding, staging
from node.homes.home import Home, open_home

Add = Callable[[str, Callable[[argparse.Namespace], Answer | None], str], argparse.ArgumentParser]
Folder = Callable[[argparse.Namespace], Path]
Passphrase = Callable[[argparse.Namespace, Home], str]


def add_to(add: Add, folder: Folder, passphrase: Passphrase) -> None:
    """Adds `join` and `rekey`."""

    def join(options: argparse.Namespace) -> Answer:
        home = open_home(folder(options))
        raw = files.read(options.lineage, MAX_LINEAGE_BYTES)
        manifest = founding.join(home, raw, passphrase(options, home), rng=os.urandom, now=datetime.now(UTC))
        facts: dict[str, object] = {
            "home": str(home.folder),
            "id": manifest.id.hex(),
            "sequence": manifest.sequence,
            "name": manifest.name,
        }
        said = f"{home.folder} is in {manifest.name} now, by manifest {manifest.sequence}: {manifest.id.hex()}"
        return Answer(facts, [said])

    def rekey(options: argparse.Namespace) -> Answer:
        home = open_home(folder(options))
        if options.discard:
            staging.discard(home)
            return Answer({"home": str(home.folder), "card": None}, ["what was made ahead is gone"])
        card = staging.stage(
            home,
            passphrase(options, home),
            rng=os.urandom,
            now=datetime.now(UTC),
            log=options.log,
            cosign=options.cosign,
            tls=options.tls,
            address=parse_address(options.address, "address") if options.address else None,
        )
        if options.output is not None:
            files.write_over(options.output, card, files.PUBLIC)
        member = parse_card(card)
        facts: dict[str, object] = {"member": member.name, "address": str(member.address), "card": card.decode()}
        where = options.output or home.folder / "card.next"
        return Answer(facts, [f"{where}: the card to be proposed; until it is in force nothing changes"])

    joining = add("join", join, "Put the last manifest of a lineage in force: when taken in, or after being away.")
    joining.add_argument("lineage", type=Path, metavar="FILE", help="from any member: plimsoll lineage -o FILE")
    parser = add("rekey", rekey, "Make new keys, or name a new address, and make the card to be proposed.")
    parser.add_argument("--log", action="store_true", help="a new key for the log, which ends; a new one begins")
    parser.add_argument("--cosign", action="store_true", help="a new cosigning key")
    parser.add_argument("--tls", action="store_true", help="a new certificate authority")
    parser.add_argument("--address", metavar="HOST:PORT", help="where the others will reach this node")
    parser.add_argument("--discard", action="store_true", help="drop what was made: only if no proposal has it")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the card goes, too")
