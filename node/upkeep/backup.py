"""A copy of a home that is consistent, also while the node goes on working, and that says what it is.

In it: configuration, card, manifest, certificates, the sealed keyring and keys, all logs, and the book. Never in it: a
custodian's shares (design section 5: whoever has a copy of them has that custodian's part in decrypting). The book is
copied before the logs: what it says is published must be in them. Every file stands with its SHA-256 in backup.json,
which is written last; a folder without it is no backup.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from ledger.chain.chain import Chain
from ledger.consortium.caller import ROLES
from ledger.errors import InvalidInput, NotFound, Refused, Unverified
from ledger.homes import home as layout
from ledger.strict_json import Document
from node.homes import files
from node.homes.home import Home, open_home, staged_home
from node.lending.book import count_borrowers
from node.upkeep.copying import copy_file, copy_store, drop_litter, hash_file, seal_file
from node.upkeep.leveldb import LevelStore
from node.upkeep.stores import LogId, log_names

FORMAT = "plimsoll/backup/v1"
INDEX = "backup.json"
_INDEX_LIMIT = 16 << 20
_SIZE_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has got. total: 0 where not known."""

    phase: str
    done: int
    total: int = 0


@dataclass(frozen=True, slots=True)
class FileCopy:
    """path: within the backup, with slashes. sha256: hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LogCopy:
    """root: of all entries, hex; "" where the log had rotted already."""

    member: str
    origin: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Index:
    """What backup.json says. created: ISO 8601."""

    created: str
    version: str
    member: str
    consortium: str
    borrowers: int
    logs: tuple[LogCopy, ...]
    files: tuple[FileCopy, ...]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    @property
    def entries(self) -> int:
        """Of all logs."""
        return sum(log.size for log in self.logs)


def kept_files() -> Iterator[str]:
    """What of a home goes into a backup beside the stores, as far as it is there."""
    yield from (layout.CONFIG, layout.CARD, layout.MANIFEST, layout.LINEAGE, layout.AUTHORITY, layout.KEYRING)
    yield from (layout.STAGED_KEYRING, layout.STAGED_CARD, layout.STAGED_AUTHORITY)
    for role in ROLES:
        yield layout.certificate_file(role)
        yield layout.key_file(role)


def back_up(
    home: Home, target: Path, chain: LevelStore, book: LevelStore, names: Sequence[LogId], now: datetime
) -> Generator[Progress | Index, None, None]:
    """Copies everything into `target`, which must not be there; the last thing it yields is what it holds.

    It appears whole or not at all. names: of the logs. Raises Refused (FILE_EXISTS), Unready, Unverified where what is
    to be copied has rotted.
    """
    with files.explained(target):
        if target.exists():
            raise Refused("FILE_EXISTS", f"{target} is there already and is not overwritten", "folder")
        staged = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))  # mode 0700
    try:
        for done in copy_store(book, staged / layout.BOOK):
            yield Progress("book", done)
        for done in copy_store(chain, staged / layout.CHAIN):
            yield Progress("chain", done)
        borrowers, logs = _look(staged, names)
        copies: list[FileCopy] = []
        yield from _copy_files(home, staged, copies)
        index = Index(
            now.isoformat(timespec="seconds"),
            version("plimsoll"),
            home.config.member,
            home.manifest().consortium.hex(),
            borrowers,
            logs,
            tuple(copies),
        )
        files.write_new(staged / INDEX, _encode(index), files.PRIVATE)
        with files.explained(target):
            staged.rename(target)
            files.sync_folder(target.parent)
        yield index
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _copy_files(home: Home, staged: Path, copies: list[FileCopy]) -> Iterator[Progress]:
    stored = [path for store in (layout.CHAIN, layout.BOOK) for path in sorted((staged / store).iterdir())]
    kept = [name for name in kept_files() if files.exists(home.folder / name)]
    total = len(stored) + len(kept)
    for path in stored:
        copies.append(FileCopy(path.relative_to(staged).as_posix(), *seal_file(path)))
        yield Progress("files", len(copies), total)
    for name in kept:
        copies.append(FileCopy(name, *copy_file(home.folder / name, staged / name)))
        yield Progress("files", len(copies), total)
    for folder in {(staged / copy.path).parent for copy in copies}:
        files.sync_folder(folder)


def _look(folder: Path, names: Sequence[LogId]) -> tuple[int, tuple[LogCopy, ...]]:
    """What the stores of a folder hold: how many borrowers, and which logs."""
    with closing(LevelStore(folder / layout.BOOK, cache_mib=8)) as book:
        borrowers = count_borrowers(book)
    with closing(LevelStore(folder / layout.CHAIN, cache_mib=8)) as store:
        chain = Chain(store, names)
        copies = []
        for member, origin, _ in names:
            if origin in chain.damaged:
                copies.append(LogCopy(member, origin, 0, ""))
            else:
                log = chain.log_by_origin(origin)
                copies.append(LogCopy(member, origin, log.size, log.root_at(log.size).hex()))
    for part in (layout.BOOK, layout.CHAIN):
        drop_litter(folder / part)
    return borrowers, tuple(copies)


def read_index(folder: Path) -> Index:
    """What a backup says of itself. Raises NotFound (NO_BACKUP), InvalidInput."""
    try:
        document = Document.parse(files.read(folder / INDEX, _INDEX_LIMIT), _INDEX_LIMIT)
    except NotFound:
        raise NotFound("NO_BACKUP", f"{folder} is not a backup: it has no {INDEX}") from None
    if document.text("format") != FORMAT:
        raise InvalidInput("BAD_BACKUP", f"the format is not {FORMAT}", "format")
    index = Index(
        _word(document, "created"),
        _word(document, "version"),
        _word(document, "member"),
        _word(document, "consortium"),
        document.integer("borrowers", _SIZE_LIMIT),
        tuple(_read_log(each) for each in document.each("logs")),
        tuple(_read_file(each) for each in document.each("files")),
    )
    document.finish()
    return index


def _read_log(document: Document) -> LogCopy:
    size = document.integer("size", _SIZE_LIMIT)
    copy = LogCopy(_word(document, "member"), _word(document, "origin"), size, _word(document, "root"))
    document.finish()
    return copy


def _read_file(document: Document) -> FileCopy:
    copy = FileCopy(_word(document, "path"), document.integer("size", _SIZE_LIMIT), _word(document, "sha256"))
    path = PurePosixPath(copy.path)
    if path.is_absolute() or ".." in path.parts or not path.parts or path.as_posix() != copy.path:
        raise InvalidInput("BAD_BACKUP", "a file's path leads out of the backup", document.path("path"))
    if copy.path == layout.CUSTODY:
        raise InvalidInput("BAD_BACKUP", "a custodian's shares are never in a backup", document.path("path"))
    document.finish()
    return copy


def _word(document: Document, key: str) -> str:
    """A text that can be shown, and as a path opened: no NUL byte, no half of a surrogate."""
    text = document.text(key)
    if not text.isprintable():
        raise InvalidInput("BAD_BACKUP", "must be printable", document.path(key))
    return text


def _encode(index: Index) -> bytes:
    return (json.dumps({"format": FORMAT, **asdict(index)}, indent=1) + "\n").encode()


def restore(folder: Path, target: Path) -> Iterator[Progress | Index]:
    """A new home out of a backup, every byte of which is checked; the last thing it yields is what the backup held.

    Raises Refused (HOME_EXISTS) where something is there already, Unverified (BACKUP_ROTTEN) with the file as path,
    NotFound, InvalidInput, Unready. Nothing is left of a home that could not be made.
    """
    index = read_index(folder)
    with staged_home(target) as staged:
        for done, file in enumerate(index.files, 1):
            with _of(file):
                _compare(file, copy_file(folder / file.path, staged / file.path))
            yield Progress("files", done, len(index.files))
        held = _look(staged, log_names(open_home(staged).manifest()))
        if held != (index.borrowers, index.logs):
            raise Unverified("BACKUP_ROTTEN", "the stores do not hold what the backup says of them", INDEX)
        for path in (staged, *staged.rglob("*")):
            if path.is_dir():
                files.sync_folder(path)
    yield index


def check(folder: Path) -> Iterator[Progress | Index]:
    """Reads a backup and compares every byte. Raises as `restore`."""
    index = read_index(folder)
    for done, file in enumerate(index.files, 1):
        with _of(file):
            _compare(file, hash_file(folder / file.path))
        yield Progress("files", done, len(index.files))
    yield index


def _compare(file: FileCopy, found: tuple[int, str]) -> None:
    if found != (file.size, file.sha256):
        raise Unverified("BACKUP_ROTTEN", "the file is not what was backed up", file.path)


@contextmanager
def _of(file: FileCopy) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise Unverified("BACKUP_ROTTEN", "the backup lacks this file", file.path) from None
