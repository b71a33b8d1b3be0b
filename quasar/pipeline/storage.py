"""Copies of a run on other storage: `s3://bucket/runs`, `gs://…`, another directory.

A `Mirror` copies a directory tree by the file systems of fsspec, so that an upload may be cut off
at any moment without harm to the last good copy:

- a file that is there already is replaced as a whole;
- `manifest.json`, written after all files, names those of the last whole copy;
- what is no longer wanted is removed after the new manifest is there.

It relies on how runs are written: a checkpoint's files never change once they have their name.
"""

import json
import logging
import os
import shutil
import uuid
from fnmatch import fnmatch
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from quasar.errors import ConfigError, StorageError

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_NOT_COPIED = ("*.partial", "*.partial/*", "*.partial-*", "mlflow.db-*", "*.lock", "*.lock-holder")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}  # URL scheme -> extra of setup.cfg

Files = dict[str, list[int]]  # path below the root -> bytes, time of change (ns since 1970)


class Mirror:
    """A local directory and its copy at a URL."""

    def __init__(self, directory: Path, url: str):
        """Raises ConfigError where this kind of storage is not known or has no driver here."""
        self.directory = directory
        self.url = url.rstrip("/")
        if "://" not in url and not Path(url).is_absolute():
            raise ConfigError(
                f"run.upload {url}: give a URL, e.g. s3://bucket/runs, or an absolute directory"
            )
        scheme = url.partition("://")[0] if "://" in url else "file"
        try:
            self._storage, self._root = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            extra = _EXTRAS.get(scheme)
            hint = f"pip install -e '.[{extra}]'" if extra else str(error)
            raise ConfigError(f"{url}: no driver for {scheme}:// here; {hint}") from None
        except ValueError as error:
            raise ConfigError(f"{url}: {error}; write s3://…, gs://… or a directory") from None

    def push(self) -> int:
        """Copy what has changed since the last whole copy; the number of files copied.

        Raises StorageError where the storage refuses; what was there is then still there.
        """
        here, there = _files(self.directory), self._manifest()
        changed = [path for path, state in here.items() if there.get(path) != state]
        gone = [path for path in there if path not in here]
        if not changed and not gone:
            return 0
        try:
            for path in changed:
                self._put(self.directory / path, path)
            self._put_manifest(here)
            for path in gone:
                if self._storage.exists(self._at(path)):
                    self._storage.rm_file(self._at(path))
        except Exception as error:  # each driver has its own kinds
            raise StorageError(
                f"{self.url}: the copy of {self.directory} was not finished ({_reason(error)}); "
                "check the credentials and that the place can be written to, then start the same "
                "command again"
            ) from error
        return len(changed)

    def try_push(self) -> None:
        """As `push`, in mid-run: of a failure it warns, the next push makes up for it."""
        try:
            self.push()
        except StorageError as error:
            logger.warning("%s", error)

    def fetch(self) -> int:
        """Copy the last whole copy into the local directory; the number of files, 0: none there.

        The directory appears with all files or not at all. Raises StorageError.
        """
        files = self._manifest()
        if not files:
            return 0
        partial = self.directory.with_name(f"{self.directory.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for path, (_, changed) in files.items():
                target = partial / path
                target.parent.mkdir(parents=True, exist_ok=True)
                self._storage.get_file(self._at(path), str(target))
                os.utime(target, ns=(changed, changed))  # as it was, so that it is not sent again
        except Exception as error:  # each driver has its own kinds
            raise StorageError(
                f"{self.url}: the run there cannot be read ({_reason(error)}); name another one "
                "with --set run.name=NAME, or leave run.upload empty"
            ) from error
        partial.rename(self.directory)
        return len(files)

    def read_text(self, path: str) -> str | None:
        """A file's text there, None where there is none. Raises StorageError."""
        try:
            return self._storage.cat_file(self._at(path)).decode()
        except FileNotFoundError:
            return None
        except Exception as error:  # each driver has its own kinds
            raise StorageError(
                f"{self.url}: cannot be read ({_reason(error)}); check run.upload and the "
                "credentials of this machine"
            ) from error

    def _manifest(self) -> Files:
        return json.loads(self.read_text(MANIFEST) or "{}")

    def _put_manifest(self, files: Files) -> None:
        local = self.directory / f"{MANIFEST}.partial"  # never itself a file of the copy
        local.write_text(json.dumps(files, indent=0))
        try:
            self._put(local, MANIFEST)
        finally:
            local.unlink()

    def _put(self, source: Path, path: str) -> None:
        """The remote file is the old one or the new one, at every moment.

        An upload that ends early may leave a torn file: where there is one already, the new one
        goes beside it and takes its place when whole (object stores copy a file as a whole).
        """
        target = self._at(path)
        local = isinstance(self._storage, LocalFileSystem)
        if not local and not self._storage.exists(target):
            self._storage.put_file(str(source), target)
            return
        partial = f"{target}.partial-{uuid.uuid4().hex[:8]}"
        self._storage.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            self._storage.put_file(str(source), partial)
            if local:
                os.replace(partial, target)
            else:
                self._storage.cp_file(partial, target)
        finally:
            if self._storage.exists(partial):
                self._storage.rm_file(partial)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"


def _files(directory: Path) -> Files:
    found: Files = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        name = path.relative_to(directory).as_posix()
        if not any(fnmatch(name, pattern) for pattern in _NOT_COPIED):
            status = path.stat()
            found[name] = [status.st_size, status.st_mtime_ns]
    return found


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
