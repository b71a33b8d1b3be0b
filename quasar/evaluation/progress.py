"""What an evaluation that was interrupted had already graded: a log of one line a problem.

The first line is the key of the evaluation (its files and configuration); a log with another key is
started anew. Lines follow the order of the generation file, so the log is always a beginning of it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quasar import __version__
from quasar.errors import InputError
from quasar.evaluation.workers import Graded


def evaluation_key(*files: Path, **settings: Any) -> str:
    """Digest of the files' bytes and of the settings (plain JSON data)."""
    digest = hashlib.sha256(json.dumps([__version__, settings], sort_keys=True).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class ProgressLog:
    """Appends what was graded, and gives back what an earlier run had appended. Use as a context.

    The log is removed when the context is left without an error.
    """

    def __init__(self, path: Path, key: str):
        self._path, self._key = path, key

    def __enter__(self) -> "ProgressLog":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self.num_done, end = self._whole_lines()
            self._file = self._path.open("r+b" if end else "w+b")
            if not end:
                self._append({"key": self._key})
            else:
                self._file.truncate(end)  # a line that was being written
                self._file.seek(end)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror})") from error
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._file.close()
        if kind is None:
            self._path.unlink()

    def done(self) -> Iterator[Graded]:
        """The first `num_done` results, in order."""
        with self._path.open("rb") as lines:
            next(lines)
            for _ in range(self.num_done):
                yield Graded(**json.loads(next(lines)))

    def add(self, graded: Graded) -> None:
        """Append one result; it survives this process."""
        self._append(asdict(graded))

    def _append(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def _whole_lines(self) -> tuple[int, int]:
        """(results, bytes) of an earlier run of this very evaluation; zeros without one."""
        if not self._path.is_file():
            return 0, 0
        with self._path.open("rb") as lines:
            first = lines.readline()
            try:
                known = json.loads(first).get("key")
            except (ValueError, AttributeError):
                known = None
            if known != self._key:
                return 0, 0
            count, end = 0, len(first)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                count, end = count + 1, end + len(line)
        return count, end
