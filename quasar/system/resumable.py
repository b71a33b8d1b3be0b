"""Output that an interrupted call leaves behind, and by what it is known as one's own.

A `Fingerprint` names all that an output depends on: the contents of files and model directories,
and settings. `RowLog` keeps the rows of an output under way in a file whose first line is the
fingerprint; another call's rows are refused, never taken over and never thrown away.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Self

from quasar import __version__
from quasar.config import QuasarConfig, computed, flatten
from quasar.errors import InputError

Fingerprint = Mapping[str, Any]  # what an output depends on, by name: digests and plain values


def settings(config: QuasarConfig, *sections: str) -> Fingerprint:
    """Settings by dotted path: those named, and of a section ("reward.") what is computed by it."""
    chosen = {k: v for k, v in computed(config).items() if k.startswith(sections)}
    return chosen | {k: v for k, v, _ in flatten(config) if k in sections}


def digest_of(value: Any) -> str:
    """16 hex digits of plain JSON data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """16 hex digits of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def model_digest(model: str | Path) -> str:
    """16 hex digits of the contents of a model directory; a hub name stands for itself.

    Takes about two seconds a gigabyte: less than the model takes to load.
    """
    directory = Path(model)
    if not directory.is_dir():
        return str(model)
    files = sorted(path for path in directory.iterdir() if path.is_file())
    return digest_of({path.name: file_digest(path) for path in files})


class RowLog:
    """Rows of an output under way, appended and flushed one by one. Use as a context.

    num_done: rows that an earlier call with the same fingerprint left; its torn last line is cut
    off. The file stays when the context is left: `remove` it once the output is whole.
    Raises InputError where another call's rows are there, OSError where it cannot be written.
    """

    def __init__(self, path: Path, fingerprint: Fingerprint):
        self.path = path
        self._fingerprint = json.loads(json.dumps({"quasar": __version__, **fingerprint}))
        self.num_done = 0

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        end = self._read() if self.path.is_file() else 0
        self._file = self.path.open("r+b" if end else "wb")
        if end:
            self._file.truncate(end)
            self._file.seek(end)
        else:
            self.add(self._fingerprint)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def done(self) -> Iterator[dict[str, Any]]:
        """The first `num_done` rows, in order."""
        return islice(self.rows(), self.num_done)

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows, those of earlier calls first."""
        with self.path.open("rb") as lines:
            next(lines)
            yield from map(json.loads, lines)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row; it survives this process."""
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def remove(self) -> None:
        """Remove the file: the output is whole."""
        self._file.close()
        self.path.unlink()

    def _read(self) -> int:
        """Count the rows; bytes of the whole lines."""
        with self.path.open("rb") as lines:
            first = lines.readline()
            if not first.endswith(b"\n"):  # killed before there was anything
                return 0
            self._require_own(first)
            end = len(first)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self.num_done, end = self.num_done + 1, end + len(line)
        return end

    def _require_own(self, line: bytes) -> None:
        try:
            there = json.loads(line)
        except ValueError:
            there = None
        if there != self._fingerprint:
            raise left_by_another(self.path, differences(self._fingerprint, there))


def differences(here: Fingerprint, there: Any) -> list[str]:
    """Names of what differs between two fingerprints, parts of a part included."""
    if not isinstance(there, Mapping) or here.keys() != there.keys():
        return []
    found: list[str] = []
    for name, value in here.items():
        if value != there[name]:
            inner = differences(value, there[name]) if isinstance(value, Mapping) else []
            found += inner or [name]
    return found


def left_by_another(path: Path, differing: Iterable[str] = ()) -> InputError:
    """The refusal to go on with, or to overwrite, what another call left."""
    names = list(differing)
    why = f" ({', '.join(names[:4])}{', …' if names[4:] else ''} differ)" if names else ""
    return InputError(f"{path}: left by another call{why}; delete it to start anew")
