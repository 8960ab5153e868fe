"""Backups of the running node: one at a time, in threads, while everything else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import structlog

from ledger.errors import InvalidInput, Unready
from node.clock import Clock
from node.homes.home import Home
from node.upkeep.backup import Index, Progress, back_up
from node.upkeep.ending import to_its_end
from node.upkeep.leveldb import LevelStore
from node.upkeep.stores import log_names

log = structlog.get_logger()


class Backups:
    """Of the home and the open stores of a node."""

    def __init__(self, home: Home, chain: LevelStore, book: LevelStore, clock: Clock) -> None:
        self._home = home
        self._chain = chain
        self._book = book
        self._clock = clock
        self._turn = asyncio.Lock()

    async def back_up(self, folder: str) -> AsyncGenerator[Progress | Index, None]:
        """Progress, then what the backup holds. folder: absolute, not there yet.

        Raises InvalidInput, Unready (BACKUP_RUNNING), and as `node.upkeep.backup.back_up`.
        """
        if not Path(folder).is_absolute() or "\0" in folder:
            raise InvalidInput("BAD_PATH", "must be an absolute path on the node's machine", "folder")
        if self._turn.locked():
            raise Unready("BACKUP_RUNNING", "another backup is being made")
        async with self._turn:
            now = datetime.fromtimestamp(self._clock.unix(), UTC)
            names = log_names(self._home.manifest())
            steps = back_up(self._home, Path(folder), self._chain, self._book, names, now)
            try:
                while (step := await to_its_end(next, steps, None)) is not None:
                    yield step
            finally:
                await to_its_end(steps.close)
            log.info("backed up", folder=folder)
