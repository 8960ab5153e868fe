"""plimsoll audit"""

from __future__ import annotations

import typer


def audit(context: typer.Context) -> None:
    """Audit."""
