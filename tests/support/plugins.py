"""A process that sees an example of this repository as an installed package with entry points."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_with_plugin(
    installed: Path,
    *arguments: str,
    example: Path,
    group: str,
    entry_points: Mapping[str, str],
    program: Sequence[str] = ("-m", "quasar"),
) -> subprocess.CompletedProcess:
    """Run Python on a program and arguments. installed: an empty directory for the metadata."""
    info = installed / "example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    listed = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{listed}")
    path = os.pathsep.join(map(str, (installed, example, ROOT)))
    return subprocess.run(
        [sys.executable, *program, *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
