"""plimsoll propose: puts a successor of the manifest before the members."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.cli.connect import connect
from client.cli.failure import UsageError
from client.cli.options import settings_of
from client.cli.output import answer

if TYPE_CHECKING:
    from client.sdk import Session
    from ledger.consortium.amendment import Amendment
    from ledger.consortium.manifest import Manifest
    from ledger.consortium.member import Member
    from ledger.tlog.checkpoint import Head

Paths = list[Path] | None
Texts = list[str] | None


def propose(
    context: typer.Context,
    add: Annotated[
        Paths,
        typer.Option(metavar="CARD", help="Take this lender in; may be repeated.", show_default=False),
    ] = None,
    remove: Annotated[
        Texts, typer.Option(metavar="MEMBER", help="Remove a member; may be repeated.", show_default=False)
    ] = None,
    card: Annotated[
        Paths,
        typer.Option(metavar="CARD", help="A member's new card; may be repeated.", show_default=False),
    ] = None,
    policy: Annotated[
        Texts, typer.Option(metavar="KEY=VALUE", help="Change the policy; may be repeated.", show_default=False)
    ] = None,
    custodian: Annotated[
        Texts, typer.Option(metavar="MEMBER", help="A custodian from now on; name them all.", show_default=False)
    ] = None,
    threshold: Annotated[
        int | None, typer.Option(metavar="T", help="Custodians needed to decrypt.", show_default=False)
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Have the custodians' shares dealt anew.")] = False,
    dealt_from: Annotated[
        int | None,
        typer.Option("--dealt-from", metavar="EPOCH", help="The key epoch whose custodians deal, if not the last one."),
    ] = None,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The successor's whole text, instead.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Propose a successor of the manifest in force, by an entry in this member's log. It is no approval yet.

    What is to change is shown first. Approve it, too: plimsoll approve.
    """
    from client.text import one_line
    from ledger.consortium.amendment import Amendment, describe_change
    from ledger.consortium.succession import read_successor

    settings = settings_of(context)
    change = Amendment(
        add=_cards("add", add),
        replace=_cards("card", card),
        remove=remove or (),
        policy=dict(map(_setting, policy or ())),
        custodians=custodian or (),
        threshold=threshold,
        refresh=refresh,
        dealt_from=dealt_from,
    )
    if (text is not None) == (change != Amendment()):
        raise UsageError("say what is to change, or give the whole --text")
    with connect(settings, "operator") as session:
        lineage = session.lineage()
        before = lineage.current
        successor = text.read_text("utf-8") if text is not None else _amended(session, before, change)
        after = read_successor(lineage.history, successor)
        changes = describe_change(before, after)
        confirm(changes, "Propose this?", yes=yes, as_json=settings.json)
        response = session.propose(successor.encode())
    facts = {"id": response.manifest.hex(), "index": response.index, "changes": changes}
    lines = [*map(one_line, changes), f"proposed: {response.manifest.hex()}"]
    answer(facts, lambda: "\n".join(lines[-1:] if not yes else lines), as_json=settings.json)


def confirm(changes: list[str], question: str, *, yes: bool, as_json: bool) -> None:
    """Shows what changes and asks. Raises UsageError where nobody can be asked, typer.Abort for a no."""
    import sys

    from client.text import one_line

    if yes:
        return
    if as_json or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("--yes is needed where nobody can be asked")
    for line in changes:
        typer.echo(one_line(line), err=True)
    typer.confirm(question, abort=True, err=True)


def _amended(session: Session, before: Manifest, change: Amendment) -> str:
    from ledger.consortium.amendment import amend

    return amend(before, change, _standing(session, before))


def _standing(session: Session, before: Manifest) -> Callable[[str], Head]:
    """Where a log ends: a frozen one where it was last witnessed, any other as far as this member's node holds it."""
    from ledger.tlog.checkpoint import Head, open_head, parse_head_text
    from ledger.tlog.merkle import EMPTY_ROOT
    from ledger.tlog.note import parse_note

    def standing(member: str) -> Head:
        key = before.log_key(member)
        frozen = next((log for log in session.status().logs if log.member == member and log.frozen), None)
        if frozen is not None:
            root = bytes.fromhex(frozen.witnessed_root) if frozen.witnessed_size else EMPTY_ROOT
            return Head(key.name, frozen.witnessed_size, root)
        for raw in session.heads():
            if parse_head_text(parse_note(raw).text).origin == key.name:
                return open_head(raw, key).head
        return Head(key.name, 0, EMPTY_ROOT)

    return standing


def _cards(option: str, paths: Paths) -> tuple[Member, ...]:
    from ledger.consortium.card import parse_card
    from ledger.errors import PlimsollError

    found = []
    for number, path in enumerate(paths or ()):
        try:
            found.append(parse_card(path.read_bytes()))
        except PlimsollError as error:
            raise error.under(f"{option}[{number}]") from error
    return tuple(found)


def _setting(text: str) -> tuple[str, str]:
    from ledger.errors import InvalidInput

    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput("BAD_OPTION", "must be KEY=VALUE", "policy")
    return key, value
