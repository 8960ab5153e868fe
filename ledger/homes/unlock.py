"""Where a passphrase comes from: the one rule that a lender's node and client share.

In this order: the file named by --passphrase-file; by PLIMSOLL_PASSPHRASE_FILE; the words in PLIMSOLL_PASSPHRASE; the
file named in the home's config.toml; the person at the terminal. Never the command line, where other users can read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ledger.errors import InvalidInput, Unready

FILE_VARIABLE = "PLIMSOLL_PASSPHRASE_FILE"
VARIABLE = "PLIMSOLL_PASSPHRASE"
MAX_PASSPHRASE = 1024


def find_passphrase(
    option: str | None,
    environment: Mapping[str, str],
    configured: str | None,
    read: Callable[[str], bytes],
    ask: Callable[[], str] | None,
) -> str:
    """The passphrase. `read` reads a file by name, `ask` asks a person; None where nobody can be asked.

    Raises Unready (NO_PASSPHRASE) where there is none, InvalidInput for an empty or overlong one, and what `read` does.
    """
    named = option or environment.get(FILE_VARIABLE)
    if named:
        return _checked(_text(read(named)))
    if VARIABLE in environment:
        return _checked(environment[VARIABLE])
    if configured:
        return _checked(_text(read(configured)))
    if ask is None:
        raise Unready("NO_PASSPHRASE", f"a passphrase is needed: --passphrase-file, {FILE_VARIABLE} or {VARIABLE}")
    return _checked(ask())


def _text(raw: bytes) -> str:
    """The whole file but for the one line ending that editors and `echo` leave."""
    try:
        return raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_PASSPHRASE", "the passphrase file is not UTF-8") from None


def _checked(passphrase: str) -> str:
    if not 1 <= len(passphrase) <= MAX_PASSPHRASE or not passphrase.isprintable():
        raise InvalidInput("BAD_PASSPHRASE", f"a passphrase is 1 to {MAX_PASSPHRASE} printable characters, in one line")
    return passphrase
