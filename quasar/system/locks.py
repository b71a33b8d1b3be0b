"""One writer at a time: what a command writes is held by it until it ends.

`held(path)` takes an advisory lock (flock) that ends with its process, however that ends, so that
nothing has to be cleaned up after a kill. On a file system without flock the library falls back to
lock files, which it removes where their process is gone. Over NFS the lock is seen by other
machines where the server keeps locks (NFS 4; docs/runs.md).
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quasar.errors import InputError

LOCK = ".lock"


def lock_of_file(path: Path) -> Path:
    """The lock of an output that is a file: a hidden file beside it."""
    path = path.absolute()
    return path.with_name(f".{path.name}{LOCK}")


def lock_of_directory(path: Path) -> Path:
    """The lock of an output that is a directory: a hidden file in it."""
    return path / LOCK


@contextmanager
def held_file(output: Path) -> Iterator[None]:
    """Hold an output that is a file. Raises as `held`, and InputError for a directory."""
    if output.is_dir():
        raise InputError(f"{output}: is a directory; name a file in it")
    with held(lock_of_file(output), output):
        yield


@contextmanager
def held_directory(output: Path) -> Iterator[None]:
    """Hold an output that is a directory. Raises as `held`."""
    with held(lock_of_directory(output), output):
        yield


@contextmanager
def held(lock: Path, what: str | Path) -> Iterator[None]:
    """Hold `lock`, made with the directories above it, while the block runs.

    what: for the message. Raises InputError, which names the holder, where another process holds
    it; OSError where the place cannot be written to.
    """
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    holder = lock.with_name(f"{lock.name}-holder")
    guard = FileLock(lock, blocking=False)
    try:
        guard.acquire()
    except Timeout:
        raise InputError(
            f"{what}: is being written by {_told(holder)}; wait for it, end it, or choose another "
            "place"
        ) from None
    try:
        holder.write_text(json.dumps(_myself()))
        yield
    finally:
        with suppress(OSError):  # a full disk, or one that went away: the lock is what counts
            holder.unlink(missing_ok=True)
        guard.release()


def _myself() -> dict[str, str | int]:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _told(holder: Path) -> str:
    try:
        found = json.loads(holder.read_text())
        return f"process {found['pid']} on {found['host']} (since {found['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, or is about to end
        return "another process"
