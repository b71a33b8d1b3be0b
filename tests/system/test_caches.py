import os
import subprocess
import sys
from pathlib import Path

import pytest

from quasar.system import caches

PACKAGE = Path(__file__).parents[2] / "quasar"


@pytest.fixture
def no_home(tmp_path):
    """A home that nobody can write to, root included: it is a file's child."""
    (tmp_path / "home").write_text("")
    return {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}


def test_caches_stay_where_the_home_can_be_written(tmp_path):
    environment = {"HOME": str(tmp_path)}
    assert caches.use_writable_caches(environment) is None
    assert environment == {"HOME": str(tmp_path)}


def test_caches_go_to_a_directory_of_this_user_alone(no_home, tmp_path, monkeypatch):
    monkeypatch.setattr(caches.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    place = caches.use_writable_caches(no_home)
    assert place.stat().st_mode & 0o077 == 0
    assert no_home["NUMBA_CACHE_DIR"].startswith(str(place))
    place.chmod(0o777)  # others could put code there
    del no_home["XDG_CACHE_HOME"]
    assert caches.use_writable_caches(no_home) != place
    chosen = {**no_home, "NUMBA_CACHE_DIR": "/mine"}
    del chosen["XDG_CACHE_HOME"]
    caches.use_writable_caches(chosen)
    assert chosen["NUMBA_CACHE_DIR"] == "/mine"


def test_compiled_code_is_cached_where_neither_package_nor_home_can_be_written(no_home, tmp_path):
    """numba's own words are "no locator available"."""
    code = """
import os, quasar
from numba.core import caching
caching.InTreeCacheLocator.ensure_cache_path = lambda self: (_ for _ in ()).throw(OSError())
from quasar.problems import walsh
print(os.environ["NUMBA_CACHE_DIR"])
"""
    environment = no_home | {"PYTHONPATH": str(PACKAGE.parent), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(tmp_path))
