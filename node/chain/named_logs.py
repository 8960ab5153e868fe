"""All logs of the chain by name, as they are now: "lender-4", and "lender-4.2" for its second log (joined)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.chain.chain import Chain, Log
from ledger.consortium.joined import log_name
from ledger.errors import NotFound


class NamedLogs(Mapping[str, Log]):
    """A view. Logs come as members join, and are replaced where one is fetched anew."""

    def __init__(self, chain: Chain, consortium: bytes) -> None:
        """consortium: its id, 32 bytes."""
        self._chain = chain
        self._prefix = f"plimsoll/{consortium.hex()}/"

    def origin(self, name: str) -> str:
        """The origin of the log of this name."""
        return self._prefix + name

    def __getitem__(self, name: str) -> Log:
        try:
            return self._chain.log_by_origin(self.origin(name))
        except NotFound:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (log_name(held.origin) for held in self._chain.logs())

    def __len__(self) -> int:
        return len(self._chain.logs())
