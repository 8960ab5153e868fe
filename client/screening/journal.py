"""The file beside the output: what is being screened, so that nobody goes on with something else, and by how many at
once.

JSON lines, only ever appended to. The first one says what is screened; then there is one for each run, with the secret
that the salts of its consent digests are made of, so that the consent to an inquiry can be shown even where no answer
came. Whoever has the file can do that, too: mode 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ledger.crypto.hashing import derive
from ledger.errors import InvalidInput, Unready

FORMAT = "plimsoll/screening/v1"
SECRET = 32  # bytes
SALT = "plimsoll/v1/screening-salt"


@dataclass(frozen=True, slots=True)
class Screening:
    """portfolio, policy: SHA-256 of the file, hex; policy "" for the node's own. purpose: its name."""

    portfolio: str
    purpose: str
    policy: str


def beside(output: Path) -> Path:
    """Where the journal of an output lies."""
    return output.with_name(f"{output.name}.screening")


class Journal:
    """Held open, and to oneself, while screening: a context manager."""

    def __init__(self, output: Path, screening: Screening, rng: Callable[[int], bytes]) -> None:
        """Raises Unready (SCREENING_RUNS) where another run holds it; InvalidInput (OTHER_SCREENING) where it is of
        other cases, (NOT_A_SCREENING) where there is an output without one, or what is there is none."""
        self._secret = rng(SECRET)
        path = beside(output)
        if output.exists() and not path.exists():
            raise InvalidInput("NOT_A_SCREENING", "is there already, and no screening wrote it", str(output))
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "r+b")
        try:
            _lock(self._file.fileno(), path)
            self._begin(path, screening)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def salt(self, line: int) -> bytes:
        """32 bytes for the consent to the question about this line, other ones in every run."""
        return derive(self._secret, SALT, line)

    def _begin(self, path: Path, screening: Screening) -> None:
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # a write that a crash cut short
            self._file.truncate(len(whole))
        if whole:
            _check(whole.split(b"\n", 1)[0], path, screening)
        else:
            self._append({"format": FORMAT, **asdict(screening)})
        self._append({"secret": self._secret.hex()})
        self._file.flush()
        os.fsync(self._file.fileno())

    def _append(self, facts: dict[str, Any]) -> None:
        self._file.write(json.dumps(facts).encode() + b"\n")


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unready("SCREENING_RUNS", "another run is screening into this output", str(path)) from None


def _check(line: bytes, path: Path, screening: Screening) -> None:
    try:
        known = json.loads(line)
    except ValueError:
        known = None
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        raise InvalidInput("NOT_A_SCREENING", "is no file of a screening", str(path))
    other = [name for name, value in asdict(screening).items() if known.get(name) != value]
    if other:
        raise InvalidInput(
            "OTHER_SCREENING",
            f"the output is of another {' and '.join(other)}: name another output, or ask as before",
            str(path),
        )
