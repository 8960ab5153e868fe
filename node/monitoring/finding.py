"""From two answers to the events that are kept and sent, with their words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from plimsoll.v1 import lender_pb2, sealed_pb2

from ledger.decision import Application, DecisionPolicy
from ledger.decision.assess import headroom
from ledger.decision.facts import Facts, facts_of
from ledger.monitoring import Event, Headroom, Rules, events, text
from ledger.monitoring.texts import LANGUAGES
from node.clock import Clock
from node.consortium import Consortium


class Finder:
    """Any thread may use it."""

    def __init__(self, consortium: Consortium, decision: Callable[[], DecisionPolicy], clock: Clock) -> None:
        """decision: the lender's decision policy as it is now."""
        self._consortium = consortium
        self._decision = decision
        self._clock = clock

    def check(self) -> None:
        """Raises InvalidInput where the decision policy cannot be read: better before a question than after it."""
        self._decision()

    def found(
        self, record: sealed_pb2.WatchRecord, response: lender_pb2.ExposureResponse, rules: Rules
    ) -> list[lender_pb2.WatchEvent]:
        """What this answer says that the last one did not; nothing for the first one."""
        if not record.HasField("last"):
            return []
        minor = self._consortium.manifest.minor_per_major
        facts = partial(facts_of, member=self._consortium.member, minor_per_major=minor)
        before, now = facts(record.last), facts(response)
        changed = events(before, now, rules, minor, self._headroom(record, before, now))
        return [self._message(event, record.watch, response.inquiry_index) for event in changed]

    def ended(self, record: sealed_pb2.WatchRecord) -> lender_pb2.WatchEvent:
        """That the consent has ended."""
        return self._message(Event("CONSENT_ENDED"), record.watch, 0)

    def _headroom(self, record: sealed_pb2.WatchRecord, before: Facts, now: Facts) -> Headroom:
        """By the decision policy as it is now, for both: what has changed is the borrower."""
        if not record.watch.HasField("income"):
            return Headroom()
        application, policy = Application(record.watch.income), self._decision()
        return Headroom(headroom(before, application, policy), headroom(now, application, policy))

    def _message(self, event: Event, watch: lender_pb2.Watch, inquiry: int) -> lender_pb2.WatchEvent:
        manifest = self._consortium.manifest
        return lender_pb2.WatchEvent(
            time=int(self._clock.unix()),
            watch=watch.id,
            borrower=watch.borrower,
            reference=watch.reference,
            code=event.code,
            before=event.before,
            now=event.now,
            limit=event.limit,
            unit=event.unit,
            limit_unit=event.limit_unit,
            members=event.members,
            inquiry_index=inquiry,
            texts=[
                lender_pb2.ReasonText(
                    language=language, text=text(event, language, manifest.currency, manifest.minor_per_major)
                )
                for language in LANGUAGES
            ],
        )
