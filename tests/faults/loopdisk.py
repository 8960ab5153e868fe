"""A disk that stalls: ext4 on a loop device, frozen by FIFREEZE. Reads of what is cached go on, every write waits.

SIGSTOP stops a process, which is something else: behind a stalled disk the node still answers, or should.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.faults.broom import Broom

PROGRAMS = ("mkfs.ext4", "mount", "umount", "fsfreeze")
MIB = 1 << 20
SIZE = 384 * MIB


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")


@cache
def reason() -> str:
    """Why there can be no such disk here; "" where there can."""
    if os.geteuid() != 0:
        return "mounting takes root"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no program {', '.join(missing)}: install Debian's e2fsprogs, mount and util-linux"
    try:
        with tempfile.TemporaryDirectory() as folder, LoopDisk(Path(folder) / "disk", 16 * MIB) as disk:
            disk.stall()
    except OSError as error:
        return f"no file system on a loop device may be mounted and frozen: {error}"
    return ""


class LoopDisk:
    """Mounted at `folder`. A context manager; it is thawed and unmounted also where the test is killed."""

    def __init__(self, folder: Path, size: int = SIZE) -> None:
        self.folder = folder
        self._size = size
        self._broom: Broom | None = None

    def __enter__(self) -> LoopDisk:
        image = self.folder.with_suffix(".img")
        self.folder.mkdir()
        with image.open("wb") as file:
            file.truncate(self._size)
        _run("mkfs.ext4", "-q", "-m", "0", image)
        _run("mount", "-o", "loop", image, self.folder)
        place = f"'{self.folder}'"
        self._broom = Broom(f"fsfreeze --unfreeze {place}; umount {place} || umount --lazy {place}; rm -f '{image}'")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._broom is not None
        self._broom.sweep()

    def move(self, home: Path) -> None:
        """Puts the home of a node that does not run onto this disk; a link leads to it."""
        shutil.copytree(home, self.folder / "home")
        shutil.rmtree(home)
        home.symlink_to(self.folder / "home")

    def stall(self) -> None:
        """Every write waits from now on."""
        _run("fsfreeze", "--freeze", self.folder)

    def go_on(self) -> None:
        """They are done."""
        _run("fsfreeze", "--unfreeze", self.folder)
