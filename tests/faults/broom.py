"""Puts a machine back as it was, also where the test that changed it was killed."""

from __future__ import annotations

import subprocess

PATIENCE = 60.0


class Broom:
    """A shell script that runs at the end: when told to, or by itself once this process is gone, be it by kill -9."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null\n{script}"],  # its standard input ends with us
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def sweep(self) -> None:
        """Now; again and again is the same as once."""
        self._process.communicate(timeout=PATIENCE)
