"""`watch.toml` in the home, read anew each time, and the secret it names."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.errors import NotFound, Unready
from ledger.monitoring import WatchPolicy, Webhook, parse_watch_policy
from ledger.monitoring.webhook import MAX_SECRET, read_secret
from node.homes import files

_EPOCH = date(1970, 1, 1)
_EARLIEST = timedelta(hours=14)  # how far the day anywhere begins before UTC's


def load(path: Path) -> WatchPolicy:
    """The lender's own policy; the default one where there is none. Raises InvalidInput."""
    return files.read_optional(path, parse_watch_policy, WatchPolicy())


def load_secret(home: Path, webhook: Webhook) -> bytes:
    """Raises InvalidInput, Unready where it is not there, or others can read it."""
    path = home / webhook.secret_file
    try:
        if path.stat().st_mode & 0o077:
            raise Unready("SECRET_IN_THE_OPEN", f"{path.name} can be read by others: chmod 600", "webhook.secret_file")
        return read_secret(files.read(path, MAX_SECRET + 2))
    except (OSError, NotFound) as error:
        raise Unready("NO_SECRET", f"{path.name} cannot be read", "webhook.secret_file") from error


def end_of_day(day: int, zone: str) -> int:
    """When that day (since 1970-01-01) is over by the consortium's time zone, Unix seconds; where this machine does not
    know the zone, when it is over anywhere: never later than the borrower has consented to."""
    after = datetime.combine(_EPOCH + timedelta(days=day + 1), time())
    try:
        return int(after.replace(tzinfo=ZoneInfo(zone)).timestamp())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return int((after.replace(tzinfo=UTC) - _EARLIEST).timestamp())
