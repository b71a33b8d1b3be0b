"""How the commands of this environment are called from the shell that called us."""

import os
import shutil
import sys
from pathlib import Path

# Taken before `quasar.cli.main` puts this environment on the PATH for its children.
_SHELL_PATH = os.environ.get("PATH", "")


def command(name: str) -> str:
    """`name` where the caller's shell finds this environment's program by it, else its path.

    `make` and scripts call `.venv/bin/quasar` without having it on the PATH of the shell that they
    return to.
    """
    program = Path(sys.executable).parent / name
    called = sys.argv[0]
    by_path = os.sep in called and not Path(called).is_absolute()  # as it was typed
    found = shutil.which(name, path=_SHELL_PATH)
    if not program.exists() or (found and Path(found).samefile(program) and not by_path):
        return name
    here = Path.cwd()
    return str(program.relative_to(here) if program.is_relative_to(here) else program)
