"""From an exposure to a decision that a borrower can understand (docs/decisions.md).

Pure and without any machine learning: facts, a loan and a policy go in, an outcome with its reasons comes out, and the
same goes in and comes out again when a record of it is replayed years later.
"""

from ledger.decision.assess import ENGINE, Assessment, Outcome, assess
from ledger.decision.facts import Application, Facts, NewLoan
from ledger.decision.policy import DecisionPolicy, default_policy, parse_decision_policy, render_decision_policy
from ledger.decision.reason import Effect, Reason
from ledger.decision.record import Record, parse_record
from ledger.decision.scenario import Change, Scenario, play
from ledger.queries.exposure import Amounts

__all__ = [
    "ENGINE",
    "Amounts",
    "Application",
    "Assessment",
    "Change",
    "DecisionPolicy",
    "Effect",
    "Facts",
    "NewLoan",
    "Outcome",
    "Reason",
    "Record",
    "Scenario",
    "assess",
    "default_policy",
    "parse_decision_policy",
    "parse_record",
    "play",
    "render_decision_policy",
]
