"""The one way in which this second implementation says no."""

from __future__ import annotations


class Refused(Exception):
    """Bytes or claims that docs/protocol.md does not admit; `code` is the page's own word for it where it has one."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


def require(condition: object, code: str, detail: str = "") -> None:
    if not condition:
        raise Refused(code, detail)
