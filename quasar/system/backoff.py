"""How long a call over the network waits before it is made again."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 8.0
MAX_RETRY_AFTER_S = 60.0  # a server that asks for more is not waited for


def backoff_s(retry: int, *, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds before a retry, counted from 0: exponential with full jitter."""
    return uniform(0.0, min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(retry, 30)))


def retry_after_s(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait, at least 0; None where it cannot be read.

    value: seconds, or an HTTP date.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:12])
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
