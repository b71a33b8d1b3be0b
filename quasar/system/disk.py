"""Room on the disk that a run writes to: waited for, and said in one line that names the disk."""

import errno
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from quasar.errors import StorageError

ROOM_TIMEOUT_S = 600.0  # longest wait; then the run ends, and goes on from its last checkpoint
LOOK_EVERY_S = 2.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MIB = 2**20

logger = logging.getLogger(__name__)
T = TypeVar("T")


def is_full(error: BaseException) -> bool:
    """Whether this is an operating system's error of a full disk or a used-up quota."""
    return isinstance(error, OSError) and error.errno in _FULL


def wait_for_room(place: Path, num_bytes: int) -> None:
    """Return when the disk of `place` has so many bytes free; a line says what is waited for.

    Raises StorageError after `ROOM_TIMEOUT_S`.
    """
    where = _existing(place)

    def has_room() -> bool:
        return shutil.disk_usage(where).free >= num_bytes

    _wait(has_room, where, f"{num_bytes / _MIB:.1f} MiB are needed there")


def when_there_is_room(write: Callable[[], T], place: Path) -> T:
    """What `write` gives; it is called again, after a wait, where the disk was full.

    `write` must write its file as a whole. Raises StorageError as `wait_for_room`.
    """
    given: list[T] = []

    def done() -> bool:
        try:
            given.append(write())
        except OSError as error:
            if not is_full(error):
                raise
        return bool(given)

    _wait(done, _existing(place), f"{place.name} cannot be written")
    return given[0]


def full_disk(place: Path) -> str:
    """A sentence on the disk of a path."""
    where = _existing(place)
    return f"the disk of {where} is full ({shutil.disk_usage(where).free / _MIB:.1f} MiB free)"


def _wait(done: Callable[[], bool], where: Path, what: str) -> None:
    if done():
        return
    until = time.monotonic() + ROOM_TIMEOUT_S
    logger.warning(
        "%s: %s; the run goes on when there is room, or ends in %.0f s",
        full_disk(where), what, ROOM_TIMEOUT_S,
    )  # fmt: skip
    while not done():
        if time.monotonic() > until:
            raise StorageError(
                f"{full_disk(where)}: {what}; free space there and start the same command again: "
                "it goes on from the last checkpoint"
            )
        time.sleep(LOOK_EVERY_S)
    logger.info("%s: there is room again, going on", where)


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next(p for p in (place, *place.parents) if p.exists())
