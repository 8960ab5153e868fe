"""A smaller plan that still fails: events are left out as long as that is so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.plan import Plan


def shrunk(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """Leaves out halves, then quarters, .. then single events, each as long as `fails` says so of what remains."""
    size = max(1, len(plan.events) // 2)
    while True:
        start = 0
        while start < len(plan.events):
            smaller = replace(plan, events=plan.events[:start] + plan.events[start + size :])
            if fails(smaller):
                plan = smaller
            else:
                start += size
        if size == 1:
            return plan
        size //= 2
