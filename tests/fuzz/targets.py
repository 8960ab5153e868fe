"""Every target there is: one for each reader of bytes that come from outside."""

from __future__ import annotations

from tests.fuzz import disclosures, entries, files, formats, governance, logs, messages
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *formats.TARGETS,
    *logs.TARGETS,
    *entries.TARGETS,
    *files.TARGETS,
    *governance.TARGETS,
    *messages.TARGETS,
    *disclosures.TARGETS,
)

BY_NAME = {target.name: target for target in TARGETS}

assert len(BY_NAME) == len(TARGETS), "two targets have one name"
