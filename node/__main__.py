"""`python -m node <command>`: everything that touches a home's secrets. The command `plimsoll` hands over to this."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from ledger.consortium.address import parse_address
from ledger.consortium.caller import ROLES, check_role
from ledger.consortium.founding import SignedManifest, merge_signed, read_signed_manifest
from ledger.errors import InvalidInput, PlimsollError
from node import config
from node.answer import Answer
from node.homes import credentials, files, founding, membership
from node.homes.authority import LEAF_DAYS
from node.homes.home import Home, open_home
from node.upkeep import upkeep
from node.wire import hardening

HOME_VARIABLE = "PLIMSOLL_HOME"
USAGE_EXIT = 2


Command = Callable[[argparse.Namespace], Answer | None]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and takes options by their whole names only."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **{**keywords, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_EXIT, f"plimsoll: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        answer: Answer | None = options.command(options)
        if answer is not None:
            print(json.dumps(answer.facts) if options.json else "\n".join(answer.lines))
            return answer.exit_code
    except PlimsollError as error:
        return _failed(error, as_json=options.json)
    except KeyboardInterrupt:
        return 130
    return 0


def _failed(error: PlimsollError, *, as_json: bool) -> int:
    facts = {"error": {"reason": error.reason, "message": error.message, "path": error.path}}
    print(json.dumps(facts) if as_json else f"plimsoll: {error}", file=sys.stderr)
    return error.exit_code


def build_parser() -> Parser:
    """All commands. Each sets `command` to the function that does it."""
    parser = Parser(prog="plimsoll", description="One lender's node.", parents=[_common(top=True)])
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=[_common(top=False)])
        sub.set_defaults(command=command)
        return sub

    _add_init(add("init", _init, "Make a home with fresh keys."))
    _add_card(add("card", _card, "Give out this lender's public card."))
    _add_found(add("found", _found, "Write a manifest over the lenders' cards, or merge signed copies of one."))
    _add_sign(add("sign", _sign, "Show a manifest, check one's own card in it, and sign it."))
    add("adopt", _adopt, "Put a manifest in force that everybody has signed.").add_argument("manifest", type=Path)
    run = add("run", _run, "Run the node until SIGTERM or Ctrl-C.")
    run.add_argument("--manifest", type=Path, metavar="FILE", help="adopt this manifest first (once, at the founding)")
    run.add_argument(
        "--alone", action="store_true", help="sign without asking the others: no other copy of this node ever ran"
    )
    membership.add_to(add, _folder, _passphrase)
    _add_credential(add("credential", _credential, "Issue a certificate for a program elsewhere."))
    upkeep.add_to(add, _folder, _passphrase)
    return parser


def _common(*, top: bool) -> Parser:
    """Options that may stand before or after the command; after it, an absent one must not undo one before."""
    common = Parser(add_help=False)

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    common.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        default=default(os.environ.get(HOME_VARIABLE) or None),
        help=f"the lender's home directory (or {HOME_VARIABLE})",
    )
    common.add_argument("--passphrase-file", metavar="FILE", default=default(None), help="the home's passphrase")
    common.add_argument("--json", action="store_true", default=default(False), help="answer in JSON")
    return common


# -- init


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--member", required=True, metavar="NAME", help="this lender's name among the members")
    parser.add_argument("--address", required=True, metavar="HOST:PORT", help="where the others reach this node")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where it listens, if that is elsewhere")


def _init(options: argparse.Namespace) -> Answer:
    home = founding.init(
        _folder(options),
        options.member,
        parse_address(options.address, "address"),
        config.new_passphrase(options.passphrase_file),
        rng=os.urandom,
        now=datetime.now(UTC),
        listen=parse_address(options.listen, "listen") if options.listen else None,
    )
    facts: dict[str, object] = {"home": str(home.folder), "member": options.member, "address": str(home.config.address)}
    return Answer(facts, [f"{home.folder} is now the home of {options.member}. Hand out its card: plimsoll card"])


# -- card


def _add_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where to write it; standard output otherwise"
    )


def _card(options: argparse.Namespace) -> Answer | None:
    home = open_home(_folder(options))
    member, card = home.member(), home.card()
    if options.output is None and not options.json:
        sys.stdout.write(card.decode())
        return None
    if options.output is not None:
        files.write_over(options.output, card, files.PUBLIC)
    facts: dict[str, object] = {"member": member.name, "address": str(member.address), "card": card.decode()}
    return Answer(facts, [f"{options.output}: the card of {member.name} at {member.address}"])


# -- found


def _add_found(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="cards; with --merge, signed manifests")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where the manifest goes")
    parser.add_argument("--merge", action="store_true", help="put the signatures of several copies into one")
    parser.add_argument("--name", help="the consortium's name")
    parser.add_argument("--currency", help="ISO 4217, e.g. CNY")
    parser.add_argument("--minor-per-major", type=int, default=100, metavar="N", help="minor units in one (100)")
    parser.add_argument("--time-zone", help="e.g. Asia/Shanghai")
    parser.add_argument("--threshold", type=int, metavar="T", help="custodians needed (more than half)")
    parser.add_argument("--custodian", action="append", default=[], metavar="MEMBER", help="a custodian (all members)")
    parser.add_argument("--policy", action="append", default=[], metavar="KEY=VALUE", help="e.g. grace_days=15")


def _found(options: argparse.Namespace) -> Answer:
    raws = [files.read(path) for path in options.files]
    if options.merge:
        signed = merge_signed([read_signed_manifest(raw) for raw in raws])
    else:
        for key in ("name", "currency", "time_zone"):
            if getattr(options, key) is None:
                raise InvalidInput("MISSING_OPTION", f"--{key.replace('_', '-')} is needed", key)
        signed = founding.found(
            raws,
            name=options.name,
            currency=options.currency,
            time_zone=options.time_zone,
            minor_per_major=options.minor_per_major,
            threshold=options.threshold,
            custodians=options.custodian,
            policy=dict(map(_setting, options.policy)),
        )
    return _written(signed, options.output)


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput("BAD_OPTION", "must be KEY=VALUE", "policy")
    return key, value


# -- sign, adopt


def _add_sign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, metavar="FILE")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the signed copy goes (FILE itself)")
    parser.add_argument("--dry-run", action="store_true", help="show and check only")


def _sign(options: argparse.Namespace) -> Answer:
    home = open_home(_folder(options))
    signed = read_signed_manifest(files.read(options.manifest))
    if options.dry_run:
        founding.check_signable(home, signed.manifest)
        return Answer(founding.describe(signed), founding.summary(signed))
    return _written(founding.sign(home, signed, _passphrase(options, home)), options.output or options.manifest)


def _adopt(options: argparse.Namespace) -> Answer:
    home = open_home(_folder(options))
    raw = files.read(options.manifest)
    manifest = founding.adopt(home, raw, _passphrase(options, home), rng=os.urandom, now=datetime.now(UTC))
    facts: dict[str, object] = {"home": str(home.folder), "id": manifest.id.hex(), "name": manifest.name}
    return Answer(facts, [f"{home.folder} is in {manifest.name} now: {manifest.id.hex()}"])


# -- run


def _run(options: argparse.Namespace) -> None:
    hardening.leave_no_core()
    hardening.give_memory_back()
    hardening.allow_files()
    home = open_home(_folder(options))
    passphrase = _passphrase(options, home)
    if options.manifest is not None:
        raw = files.read(options.manifest)
        founding.adopt(home, raw, passphrase, rng=os.urandom, now=datetime.now(UTC))
    identity = credentials.open_node(home, passphrase, rng=os.urandom, now=datetime.now(UTC))
    # gRPC and LevelDB take a while to load, which the other commands need not wait for.
    from node import logs, runtime

    logs.configure(home.config.log_level)
    runtime.run(home, identity, alone=options.alone)


def _written(signed: SignedManifest, output: Path) -> Answer:
    files.write_over(output, signed.encode(), files.PUBLIC)
    facts = {**founding.describe(signed), "output": str(output)}
    return Answer(facts, [*founding.summary(signed), f"written to {output}"])


# -- credential


def _add_credential(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", required=True, choices=[role for role in ROLES if role != "node"])
    parser.add_argument("--name", required=True, help="the program's or person's name")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where certificate, key and CA go")
    parser.add_argument("--days", type=int, default=LEAF_DAYS, metavar="N", help="how long it is valid")
    parser.add_argument("--plain", action="store_true", help="leave the key unsealed, for tools that cannot unseal it")
    parser.add_argument("--key-passphrase-file", metavar="FILE", help="seal the key under this, not the home's own")


def _credential(options: argparse.Namespace) -> Answer:
    home = open_home(_folder(options))
    passphrase = _passphrase(options, home)
    key_passphrase = config.passphrase(options.key_passphrase_file) if options.key_passphrase_file else passphrase
    issued = credentials.issue_credential(
        home,
        check_role(options.role, "role"),
        options.name,
        options.out,
        passphrase,
        rng=os.urandom,
        now=datetime.now(UTC),
        key_passphrase=None if options.plain else key_passphrase,
        days=options.days,
    )
    facts: dict[str, object] = {
        "uri": issued.caller.uri,
        "certificate": str(issued.certificate),
        "key": str(issued.key),
        "ca": str(issued.authority),
        "fingerprint": issued.fingerprint.hex(),
        "expires": issued.expires.isoformat(),
    }
    return Answer(facts, [f"{key:<12} {value}" for key, value in facts.items()])


def _folder(options: argparse.Namespace) -> Path:
    if options.home is None:
        raise InvalidInput("MISSING_OPTION", f"--home or {HOME_VARIABLE} is needed", "home")
    return Path(options.home)


def _passphrase(options: argparse.Namespace, home: Home) -> str:
    return config.passphrase(options.passphrase_file, home.folder, home.config.passphrase_file)


if __name__ == "__main__":
    sys.exit(main())
