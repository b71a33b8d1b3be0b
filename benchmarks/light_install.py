"""What `pip install quasar-rl` brings without extras: size, seconds, and what works without torch.

Builds the wheel, installs it into a fresh virtual environment from the package index that pip is
configured for, and runs there: `import quasar`, `quasar verify` (three times, the best counts) and
`quasar train`, which must say which extra it needs.

    python benchmarks/light_install.py [--keep DIR]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
CIRCUIT = """OPENQASM 3.0;
include "stdgates.inc";
bit[4] c;
qubit[4] q;
x q[0];
ry(0.3) q[1];
x q[3];
c = measure q;
"""
PROBLEM = "max cut of 0-1:10 1-2:1 2-3:1 3-0:1 0-2:10 1-3:10"
HEAVY = ("torch", "ray", "deepspeed", "transformers", "mlflow")


def main() -> int:
    """Exit code 1 where something heavy was installed or a command did not do its work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the environment there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        return measure(given.keep or Path(made) / "venv", Path(made))


def measure(environment: Path, place: Path) -> int:
    """Install and run; prints a line a figure."""
    start = time.perf_counter()
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", place, ROOT], place)
    (wheel,) = place.glob("quasar_rl-*.whl")
    print(f"wheel       {wheel.stat().st_size / 1e6:.1f} MB, {seconds(start)}")
    venv.create(environment, with_pip=True, clear=True)
    python = environment / "bin/python"
    empty = size(environment)
    start = time.perf_counter()
    run([python, "-m", "pip", "install", "-q", wheel], place)
    added = size(environment) - empty
    count = len(run([python, "-m", "pip", "list", "--format=freeze"], place).splitlines())
    print(f"installed   {added / 1e6:.0f} MB in {count} packages, {seconds(start)}")
    found = [name for name in HEAVY if list(environment.glob(f"lib/*/site-packages/{name}"))]
    print(f"heavy       {', '.join(found) or 'none of ' + ', '.join(HEAVY)}")
    print(f"import      {best(lambda: run([python, '-c', 'import quasar'], place))}")
    circuit = place / "circuit.qasm"
    circuit.write_text(CIRCUIT)
    quasar = environment / "bin/quasar"
    verify = [str(quasar), "verify", str(circuit), PROBLEM, "--json"]
    first = time.perf_counter()
    # on a machine that is busy the compilation may outlast the start of the verifier's process
    subprocess.run(verify, cwd=place, capture_output=True)
    answer = run(verify, place)
    print(f"first       {seconds(first)} (compiles what is cached from then on)")
    print(f"verify      {best(lambda: run(verify, place))}")
    done = subprocess.run([quasar, "train"], cwd=place, capture_output=True, text=True)
    print(f"train       exit {done.returncode}: {done.stderr.strip()}")
    right = '"valid":true' in answer.replace(" ", "") and done.returncode == 2
    return 0 if right and not found and "quasar-rl[train]" in done.stderr else 1


def run(command: Sequence[object], place: Path) -> str:
    """Its output, away from the source tree. Raises CalledProcessError."""
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=place, env=variables, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def seconds(start: float) -> str:
    """Of the wall clock since then."""
    return f"{time.perf_counter() - start:.1f} s"


def best(work: Callable[[], object]) -> str:
    """The best of three, by the wall clock, with its processor seconds."""
    found = []
    for _ in range(3):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        work()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append((time.perf_counter() - start, busy))
    wall, busy = min(found)
    return f"{wall:.2f} s, {busy:.2f} s of processor"


def size(directory: Path) -> int:
    """Bytes of all files."""
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
