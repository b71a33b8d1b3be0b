"""Caches of the libraries, where the home directory cannot be written to.

numba refuses to start without a place for what it compiled; matplotlib, torch, Triton and others
write to the home directory as well. Everything goes to a directory of this user's below the
temporary one, unless the environment says otherwise. Needs nothing but the standard library,
because it must run before any of them is imported.
"""

import os
import stat
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

_PLACES = {
    "XDG_CACHE_HOME": "",  # numba, Hugging Face, torch, fontconfig
    "XDG_CONFIG_HOME": "config",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
    "TRITON_CACHE_DIR": "triton",
    "TORCH_EXTENSIONS_DIR": "torch_extensions",
}


def use_writable_caches(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Point the caches elsewhere if the home directory's cannot be written; that place, or None."""
    home = Path(environment.get("HOME") or "/")
    usual = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    if writable(usual):
        return None
    place = _own_directory()
    models = usual / "huggingface"
    if models.is_dir():  # models that are there can still be read
        environment.setdefault("HF_HOME", str(models))
    for name, folder in _PLACES.items():
        if name == "XDG_CACHE_HOME":  # the one that cannot be written
            environment[name] = str(place)
        else:
            environment.setdefault(name, str(place / folder))
    return place


def writable(place: Path) -> bool:
    """Whether files can be made in a directory, or in the one above where it can be made.

    Tried, not asked: a disk mounted read-only says no to root as well.
    """
    there = next(p for p in (place, *place.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False


def _own_directory() -> Path:
    """What is cached is run as code: a directory that others can write to will not do."""
    place = Path(tempfile.gettempdir()) / f"quasar-cache-{os.getuid()}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        state = place.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="quasar-cache-"))
    own = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
    if not own or state.st_mode & 0o022 or not writable(place):
        return Path(tempfile.mkdtemp(prefix="quasar-cache-"))
    return place
