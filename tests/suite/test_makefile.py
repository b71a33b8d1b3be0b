"""What `make setup` says, with stand-ins for the interpreters that a machine has."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEW = 'echo "Python 3.14.0"; exit 1'
BARE = 'case "$2" in *version_info*) exit 0;; *) exit 1;; esac'  # no headers, no venv
OLD = 'echo "Python 3.10.1"; exit 1'
FAILING = """case "$*" in *"pip install"*) for i in $(seq 700); do echo line $i; done; exit 7;; esac
exit 0"""
WORKING = FAILING.replace("exit 7", "exit 0")
# Where the suite itself was started by make, its variables would speak in the make of a test.
OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
OUTSIDE.pop("MFLAGS", None)


@pytest.fixture
def setup(tmp_path):
    """Runs `make setup` in a project of its own: (exit code, lines of stdout and of stderr)."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "make", "tail", "echo", "rm", "touch", "seq"):
        (tools / name).symlink_to(shutil.which(name))

    def run(*, python=None, environment=None, compiler=False):
        for path, text in (
            (tools / "python3", python),
            (tmp_path / ".venv/bin/python", environment),
        ):
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"#!/bin/sh\n{text}\n")
                path.chmod(0o755)
        if compiler:
            (tools / "c++").symlink_to("/bin/true")
        done = subprocess.run(
            ["make", "setup"],
            cwd=tmp_path,
            env=OUTSIDE | {"PATH": str(tools)},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()

    return run


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ({}, "no Python 3.11, 3.12 or 3.13: apt-get install python3 python3-venv python3-dev"),
        ({"python": NEW}, "no Python 3.11, 3.12 or 3.13: apt-get install python3 python3-venv"),
        ({"python": BARE}, "apt-get install g++ python3-dev python3-venv ("),
        ({"python": BARE, "compiler": True}, "apt-get install python3-dev python3-venv ("),
        ({"environment": OLD}, ".venv has Python 3.10.1, not 3.11 to 3.13: rm -r .venv"),
    ],
    ids=["no Python", "too new", "bare", "no headers", "old environment"],
)
def test_what_is_missing_is_named_at_once(setup, machine, told):
    code, _, err = setup(**machine)
    assert code == 2
    assert err[0].startswith(f"make setup: {told}")
    assert len(err) == 2  # and make's own


def test_pip_is_quiet_where_it_works_and_shows_its_end_where_not(setup, tmp_path):
    code, out, err = setup(environment=WORKING, compiler=True)
    assert (code, err) == (0, [])
    assert [line for line in out if not line.startswith("== ")] == []
    assert len((tmp_path / ".venv" / "setup.log").read_text().splitlines()) == 700

    (tmp_path / ".venv" / ".installed").unlink()
    (tmp_path / "tools" / "c++").unlink()
    code, out, err = setup(environment=FAILING, compiler=True)
    assert err[:20] == [f"line {i}" for i in range(681, 701)]
    assert err[20].endswith("pip failed; all that it said: .venv/setup.log")
    assert "Error 7" in err[21]
    assert code == 2
