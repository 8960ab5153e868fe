"""Files that are there whole or not at all: written beside their place, made durable, then put in it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ledger.errors import InvalidInput, NotFound, Refused, Unready

T = TypeVar("T")

PUBLIC = 0o644
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700


def read(path: Path, maximum: int = 1 << 20) -> bytes:
    """The file's bytes. Raises NotFound, InvalidInput above `maximum` bytes, Unready where it cannot be read."""
    with explained(path), path.open("rb") as file:
        raw = file.read(maximum + 1)
    if len(raw) > maximum:
        raise InvalidInput("FILE_TOO_LARGE", f"{path} is larger than {maximum} bytes")
    return raw


def read_optional(path: Path, parse: Callable[[bytes], T], default: T) -> T:
    """What a file says that a lender may have of its own, read anew each time. Raises InvalidInput, under its name."""
    try:
        return parse(read(path))
    except NotFound:
        return default
    except InvalidInput as error:
        raise error.under(path.name) from error


def exists(path: Path) -> bool:
    """Whether something is there. Raises Unready where that cannot be told."""
    with explained(path):
        return path.exists()


def write_new(path: Path, content: bytes, mode: int) -> None:
    """A file that must not be there yet, durable on return. Raises Refused where it is, Unready."""
    with explained(path), _staged(path, content, mode) as staged:
        try:
            os.link(staged, path)  # unlike a rename, this never replaces
        except FileExistsError:
            raise Refused("FILE_EXISTS", f"{path} is there already and is not overwritten") from None


def write_over(path: Path, content: bytes, mode: int) -> None:
    """A file, in place of one that may be there; durable on return, and at no time half of either. Raises Unready."""
    with explained(path), _staged(path, content, mode) as staged:
        staged.replace(path)


def remove(path: Path) -> None:
    """Takes a file away, durably, if it is there. Raises Unready."""
    with explained(path):
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def make_folder(path: Path, mode: int = PRIVATE_FOLDER) -> None:
    """A folder with exactly this mode; one that is there stays as it is. Raises Unready."""
    with explained(path):
        try:
            path.mkdir()
        except FileExistsError:
            return
        path.chmod(mode)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _staged(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """The content, durable, under a passing name in the same folder (mkstemp makes it with mode 0600)."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        yield staged
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns the operating system's errors into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("NO_FILE", f"there is no {error.filename or path}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unready("DISK_FULL", f"no space is left for {error.filename or path}") from error
        raise Unready("FILE_SYSTEM", f"{error.filename or path}: {error.strerror}") from error
