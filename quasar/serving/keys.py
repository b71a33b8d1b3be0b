"""API keys: made once, kept as hashes, told apart in constant time; and who may do without.

A key is 256 random bits, so one SHA-256 of it is as safe as a slow hash of a password. A line of a
key file is `ID sha256:HEX`; empty lines and lines that start with # are passed over.
"""

import hashlib
import hmac
import ipaddress
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from quasar.config import ServingConfig
from quasar.errors import ConfigError, InputError

ENVIRONMENT = "QUASAR_API_KEYS"  # the lines of a key file, with ; between them
_PREFIX = "qk_"
_LINE = re.compile(r"([A-Za-z0-9_.-]{1,64})\s+sha256:([0-9a-f]{64})")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class ApiKeys:
    """Hashes by id."""

    def __init__(self, hashes: Mapping[str, str]):
        self._hashes = dict(hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def id_of(self, key: str) -> str | None:
        """Whose key it is; None where it is no one's. All hashes are compared, to the end."""
        given, found = _hash(key), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(given, known):
                found = name
        return found


def read_keys(text: str, *, source: str) -> ApiKeys:
    """The keys of a file's text. Raises InputError that names the line; never shows it."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(
                f"{source} line {number}: not 'ID sha256:HEX'; make it with quasar keys new"
            )
        if match[1] in found:
            raise InputError(f"{source} line {number}: the id {match[1]} is there twice")
        found[match[1]] = match[2]
    return ApiKeys(found)


def configured_keys(serving: ServingConfig) -> ApiKeys:
    """Those of serving.keys_file, else of QUASAR_API_KEYS, else none.

    Raises InputError for a file that cannot be read, and one that holds no key.
    """
    if serving.keys_file is None:
        return read_keys(os.environ.get(ENVIRONMENT, "").replace(";", "\n"), source=ENVIRONMENT)
    path = Path(serving.keys_file)
    try:
        keys = read_keys(path.read_text("utf-8-sig"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(f"serving.keys_file {path}: cannot be read: {reason}") from error
    if not keys:
        raise InputError(f"serving.keys_file {path}: holds no key; add one with quasar keys new")
    return keys


def require_keys_or_loopback(serving: ServingConfig, host: str, *, num_keys: int) -> None:
    """Raises ConfigError where others could reach an endpoint that knows no keys."""
    if num_keys or serving.allow_without_keys or is_loopback(host):
        return
    raise ConfigError(
        f"serving.host {host} is not loopback and there are no API keys: make one with "
        "'quasar keys new' and set serving.keys_file, or set serving.allow_without_keys=true"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def new_key(name: str, file: Path) -> str:
    """A new key, whose hash is added to the file under that id. Raises InputError."""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) is None:
        raise InputError(f"--id {name!r}: use 1 to 64 letters, digits, dots, dashes, underscores")
    key = _PREFIX + secrets.token_urlsafe(32)
    try:
        before = file.read_text("utf-8") if file.exists() else ""
        line = f"{name} sha256:{_hash(key)}\n"
        text = before if not before or before.endswith("\n") else f"{before}\n"
        read_keys(text + line, source=str(file))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text[len(before) :] + line)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(f"--file {file}: {reason}") from error
    return key


class RateLimit:
    """A token bucket for each key: `burst` requests at once, then `per_minute`."""

    def __init__(
        self, per_minute: float | None, burst: int, *, clock: Callable[[], float] = time.monotonic
    ):
        self._rate = None if per_minute is None else per_minute / 60.0
        self._burst = float(burst)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # key id -> (tokens, when)

    def take(self, key_id: str) -> int:
        """0 where the request may go on, else the seconds after which the next one may."""
        if self._rate is None:
            return 0
        now = self._clock()
        tokens, when = self._buckets.get(key_id, (self._burst, now))
        tokens = min(self._burst, tokens + (now - when) * self._rate)
        wait = 0 if tokens >= 1.0 else math.ceil((1.0 - tokens) / self._rate)
        self._buckets[key_id] = (tokens if wait else tokens - 1.0, now)
        return wait
