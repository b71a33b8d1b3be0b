"""Fuzzes the verification tool: no crash, no hang, no leak, and every refusal has a name.

    OMP_NUM_THREADS=1 python benchmarks/fuzz.py [--cases 100000] [--seed 0] [--data DIR]
                                                [--task NAME]

Random programs, mutated answers (of the generations in DIR, where given) and heaps of tokens go
through extraction, reader and all stages, against problems (or instances of a task, one of each
family) of up to six qubits, in a child process
under limits on time and memory. Exit code 1 where a case ends in a fault (at the time limit:
twice), or where the child's memory grows from a tenth of the cases to the end. `--replay K` shows
case K and verifies it in this process, without limits.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing import Cases, verdict
from rich.console import Console
from rich.progress import track
from rich.table import Table

from quasar.config import VerificationConfig
from quasar.datasets.io import read_generations
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.reward import Failed
from quasar.verification.verifier import FORMULAS, Verifier

CONSOLE = Console(width=100)
TASKS = ("ground_state", "state_preparation", "stabiliser")
LEAK_MB = 32.0  # of growth that is no leak: caches are bounded, and full by then
SHOWN = 20  # faults


@dataclass
class Tally:
    """What has been found so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)  # case -> what
    repeated: list[int] = field(default_factory=list)  # cases that came to the limit the first time
    slowest: tuple[float, int] = (0.0, -1)  # seconds, case
    early_mb: float = 0.0  # child's memory after a tenth of the cases
    late_mb: float = 0.0  # and at the end

    @property
    def growth_mb(self) -> float:
        return self.late_mb - self.early_mb

    @property
    def sound(self) -> bool:
        """No case ended in a fault, and no memory leaks."""
        return not self.faults and self.growth_mb < LEAK_MB


def corpus(directory: Path | None) -> list[str]:
    """All answers in the generations of a folder."""
    if directory is None:
        return []
    files = sorted(directory.glob("generations_*.jsonl"))
    return [text for file in files for row in read_generations(file) for text in row.completions]


def child_mb() -> float:
    """Resident memory of the child process, MB; 0 where it has just been ended."""
    children = multiprocessing.active_children()
    pages = [int(Path(f"/proc/{c.pid}/statm").read_text().split()[1]) for c in children]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(cases: Cases, number: int, config: VerificationConfig, formula: str) -> Tally:
    """Verify cases 0 … number − 1 in a child process."""
    tally = Tally()
    with GuardedVerifier(config, formula) as verifier:
        verifier.verify([cases.check(0)])  # starts the child
        for k in track(range(number), "cases", console=Console(stderr=True)):
            check = cases.check(k)
            started = time.perf_counter()
            (result,) = verifier.verify([check])
            tally.slowest = max(tally.slowest, (time.perf_counter() - started, k))
            if isinstance(result, Failed):
                verifier.verify([cases.check(0)])  # starts a new child, which takes seconds
                if result.kind == "timeout":  # others may have loaded the machine
                    tally.repeated.append(k)
                    (result,) = verifier.verify([check])
            found = verdict(result)
            if found.startswith("fault"):
                tally.faults[k], found = found, "fault"
            tally.verdicts[found] += 1
            if k == number // 10 or k == number - 1:
                tally.early_mb, tally.late_mb = tally.early_mb or child_mb(), child_mb()
    return tally


def show(tally: Tally, seconds: float, title: str) -> None:
    number = tally.verdicts.total()
    table = Table(title=title)
    for column in ("verdict", "cases", "share"):
        table.add_column(column, justify="left" if column == "verdict" else "right")
    for name, count in tally.verdicts.most_common():
        table.add_row(name, f"{count:,}", f"{100 * count / number:.2f} %")
    CONSOLE.print(table)
    slowest, case = tally.slowest
    CONSOLE.print(
        f"{number / seconds:.0f} cases/s; slowest {slowest:.2f} s (case {case}); "
        f"memory {tally.early_mb:.0f} MB after a tenth, {tally.late_mb:.0f} MB at the end"
    )
    if tally.repeated:
        CONSOLE.print(f"tried twice, for the time limit: {tally.repeated}")
    for case, what in list(tally.faults.items())[:SHOWN]:
        CONSOLE.print(f"case {case}: {what}", markup=False)


def replay(cases: Cases, case: int, config: VerificationConfig, formula: str) -> None:
    """Show a case and verify it here, so that a fault has its traceback."""
    check = cases.check(case)
    CONSOLE.print(check.text.encode("unicode_escape").decode().replace("\\n", "\n"), markup=False)
    verifier = Verifier(config, formula)
    verifier.warm_up()
    started = time.perf_counter()
    report = check.answer(verifier)
    seconds = time.perf_counter() - started
    CONSOLE.print(f"{verdict(report)} in {seconds:.3f} s: {report.error}", markup=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="folder with generations_*.jsonl to mutate")
    parser.add_argument("--task", choices=TASKS, help="other than graph problems")
    parser.add_argument("--formula", choices=FORMULAS, default="hierarchical")
    parser.add_argument("--time-limit", type=float, default=2.0, help="seconds a case")
    parser.add_argument("--memory-limit", type=int, default=500, help="MiB beyond the start")
    parser.add_argument("--replay", type=int, metavar="K", help="show and verify one case")
    arguments = parser.parse_args()
    config = VerificationConfig(
        time_limit_s=arguments.time_limit, memory_limit_mb=arguments.memory_limit
    )
    cases = Cases(arguments.seed, corpus(arguments.data), arguments.task)
    if arguments.replay is not None:
        replay(cases, arguments.replay, config, arguments.formula)
        return 0
    started = time.perf_counter()
    tally = run(cases, arguments.cases, config, arguments.formula)
    against = arguments.task or f"formula {arguments.formula}"
    title = f"seed {arguments.seed}, {against}"
    show(tally, time.perf_counter() - started, title)
    return 0 if tally.sound else 1


if __name__ == "__main__":
    sys.exit(main())
