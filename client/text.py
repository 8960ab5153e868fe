"""Text from elsewhere, made safe to show."""

from __future__ import annotations


def one_line(text: str) -> str:
    """The text without anything that moves a cursor: messages come from nodes and files that may not be ours."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
