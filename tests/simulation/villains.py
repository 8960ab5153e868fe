"""Members that do not keep to the protocol. Each is the real node, changed in one way, under its real keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.simulation.machine import Machine

if TYPE_CHECKING:
    from tests.simulation.world import World

KINDS: Mapping[str, Callable[[World, Machine], None]] = {}
