"""The five-tier classification of loans (design, section 6), worst last."""

from __future__ import annotations

from enum import IntEnum

from ledger.errors import InvalidInput


class Classification(IntEnum):
    """A loan's class by its number in records, tallies and reports."""

    PASS = 0
    SPECIAL_MENTION = 1
    SUBSTANDARD = 2
    DOUBTFUL = 3
    LOSS = 4

    @property
    def label(self) -> str:
        """The name in feeds and reports: "special-mention"."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, text: str, path: str = "classification") -> Classification:
        """The class with this label, spelled exactly. Raises InvalidInput."""
        for classification in cls:
            if text == classification.label:
                return classification
        raise InvalidInput("UNKNOWN_CLASS", f"must be one of {', '.join(CLASS_LABELS)}", path)


CLASS_LABELS = tuple(classification.label for classification in Classification)
