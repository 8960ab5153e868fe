"""plimsoll proposals, plimsoll approve: what is proposed to succeed the manifest in force, and saying yes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.cli.connect import connect
from client.cli.options import settings_of
from client.cli.output import answer
from client.cli.propose import confirm

if TYPE_CHECKING:
    from plimsoll.v1 import operator_pb2

    from ledger.consortium.history import History
    from ledger.consortium.manifest import Manifest

_LEAST_DIGITS = 8


def proposals(context: typer.Context) -> None:
    """List what is proposed to succeed the manifest in force, and who approves it."""
    from client import render

    settings = settings_of(context)
    with connect(settings, "operator") as session:
        lineage, found = session.lineage(), session.proposals()
    history = lineage.history
    facts = [_facts(history, each) for each in found]
    answer(
        {"manifest": history.current.id.hex(), "sequence": history.current.sequence, "proposals": facts},
        lambda: render.proposals(facts),
        as_json=settings.json,
    )


def approve(
    context: typer.Context,
    proposal: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first 8 digits of it, or more.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Approve a proposal, by an entry in this member's log.

    A member approves one successor of a manifest and never another: two approvals are fraud, and on record.
    """
    from client import render
    from ledger.errors import NotFound

    settings = settings_of(context)
    with connect(settings, "operator") as session:
        history = session.lineage().history
        wanted = proposal.lower()
        found = [one for one in session.proposals() if one.manifest.hex().startswith(wanted)]
        if len(wanted) < _LEAST_DIGITS or len(found) != 1:
            message = f"no single proposal has an id that begins so ({_LEAST_DIGITS} digits or more)"
            raise NotFound("UNKNOWN_PROPOSAL", message, "id")
        facts = _facts(history, found[0])
        confirm(facts["changes"], "Approve this, for good?", yes=yes, as_json=settings.json)
        response = session.approve(found[0].manifest)
    facts = {"id": facts["id"], "index": response.index, "changes": facts["changes"]}
    answer(facts, lambda: render.approved(facts), as_json=settings.json)


def _facts(history: History, proposed: operator_pb2.ProposedManifest) -> dict[str, Any]:
    from ledger.consortium.amendment import describe_change

    after = _checked(history, proposed)
    return {
        "id": after.id.hex(),
        "proposer": proposed.proposer,
        "approved": list(proposed.approved),
        "needed": proposed.needed,
        "changes": describe_change(history.current, after),
        "text": after.text,
    }


def _checked(history: History, proposed: operator_pb2.ProposedManifest) -> Manifest:
    """The successor, checked here too: what people approve is what they were shown."""
    from ledger.consortium.succession import read_successor
    from ledger.errors import InvalidInput, Unverified

    try:
        after = read_successor(history, proposed.text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_MANIFEST", "a manifest is UTF-8", "text") from error
    if after.id != proposed.manifest:
        raise Unverified("OTHER_MANIFEST", "the node shows another text under this id", "text")
    return after
