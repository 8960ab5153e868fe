"""What is fuzzed: a function of bytes that may refuse them, samples that it takes, and words of its language.

The promise is one for all targets: what comes out is a `PlimsollError` or nothing, soon, and every refusal can be sent
over the wire and shown. What a target itself asserts on top (that a value read is written back as it was read, that two
implementations agree) is a bug of the reader, too, where it fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ledger import refusal
from ledger.errors import PlimsollError

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True)
class Target:
    """name: as the command line has it. run: reads the bytes; raises PlimsollError where they are refused.

    make_samples: bytes that `run` takes. tokens: what a mutation may put in.
    """

    name: str
    run: Callable[[bytes], object]
    make_samples: Callable[[], Sequence[bytes]] = field(repr=False)
    tokens: tuple[bytes, ...] = field(default=(), repr=False)

    @cached_property
    def samples(self) -> tuple[bytes, ...]:
        """Made when first asked for."""
        return tuple(self.make_samples())

    def check(self, raw: bytes) -> None:
        """Fails where the promise is broken."""
        try:
            self.run(raw)
        except PlimsollError as error:
            check_refusal(error)


def check_refusal(error: PlimsollError) -> None:
    """A refusal has a code for programs, one line for people, and survives the wire."""
    assert _REASON.fullmatch(error.reason), error.reason
    assert error.message, "a refusal says why"
    assert error.message.isprintable(), repr(error.message)
    assert error.path.isprintable(), repr(error.path)
    raw = refusal.to_status(error).SerializeToString()
    told = refusal.from_status(raw, error.grpc_status, error.message)
    assert isinstance(error, type(told))
    assert told.reason == error.reason


def words(text: str) -> tuple[bytes, ...]:
    """Tokens out of one line."""
    return tuple(word.encode() for word in text.split())
