"""Candidates verified per second: this project's verifier against the plain ways, one core.

    OMP_NUM_THREADS=1 python benchmarks/verification.py [--data DIR] [--repeats 5] [--actors]

With --data, DIR holds the benchmark's `problems.jsonl`, a model's generations and the seconds that
the published verifier took for each in one warm process; the same answers are verified here, under
both reward formulas, parse included, every stage that the formula runs. Without it, the reference
circuits of generated problems are. Beside it, in the same run: Qiskit in this process (read,
`Statevector`, `SparsePauliOp`), a new process for each candidate that does that, and the floor: the
bytes that the gates must move, by the memory bandwidth. --actors compares two Ray actors with one.

"first pass" has cold caches; the other figures are medians of further passes, taken in turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
from openqasm3.parser import QASM3ParsingError
from qiskit import QiskitError, qasm3
from qiskit.quantum_info import SparsePauliOp, Statevector
from rich.console import Console
from rich.table import Table

from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.config import RewardConfig, VerificationConfig, load_config
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_generations, read_problems
from quasar.verification.report import VerificationReport
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import score
from quasar.verification.verifier import FORMULAS, Verifier

GENERATIONS = "generations_deepseek_v3_pass1.jsonl"
RECORDED = "reference_rewards_deepseek_v3_pass1.jsonl"
PROCESSES = 5  # of the one-process-each way
BYTES_PER_AMPLITUDE = 16
ONE_PROCESS = """
import sys
from qiskit import qasm3
from qiskit.quantum_info import SparsePauliOp, Statevector
circuit = qasm3.loads(sys.stdin.read())
circuit.remove_final_measurements()
operator = SparsePauliOp("Z" * circuit.num_qubits)
print(Statevector(circuit).expectation_value(operator).real)
"""
ACTOR = "ray::_VerifierActor"
CONSOLE = Console(width=120)


def shared_checks(directory: Path) -> tuple[list[VerificationRequest], float]:
    """The benchmark's answers, and the seconds that the published verifier took for them."""
    problems = {r.sample_index: r.problem for r in read_problems(directory / "problems.jsonl")}
    rows = read_generations(directory / GENERATIONS)
    lines = (directory / RECORDED).read_text("utf-8").splitlines()
    seconds = {row["sample_index"]: row["seconds"] for row in map(json.loads, lines)}
    checks = [VerificationRequest(problems[row.sample_index], row.completions[0]) for row in rows]
    return checks, sum(seconds[row.sample_index] for row in rows)


def generated_checks() -> list[VerificationRequest]:
    """Reference circuits of 3 to 6 qubits."""
    directory = Path(tempfile.mkdtemp())
    generate_dataset(load_config("published", ["dataset.num_examples=120"]), directory)
    records = read_problems(directory / "train.jsonl")
    return [VerificationRequest(r.problem, r.problem.reference_circuit) for r in records]


def plain_qiskit(check: VerificationRequest) -> float | None:
    """Read, simulate, energy: the straightforward way; None where it reads no such circuit."""
    try:
        circuit = qasm3.loads(check.text[max(0, check.text.find("OPENQASM")) :])
        circuit.remove_final_measurements()
        n = check.problem.num_qubits
        terms = [("Z" * len(w), list(w), c) for c, w in check.problem.hamiltonian.interactions()]
        operator = SparsePauliOp.from_sparse_list(terms, num_qubits=n)
        return float(Statevector(circuit).expectation_value(operator).real)
    except (QiskitError, QASM3ParsingError, IndexError):  # the last: an index outside its register
        return None


def one_process(check: VerificationRequest) -> None:
    """The same in a process of its own."""
    command = [sys.executable, "-c", ONE_PROCESS]
    subprocess.run(command, input=check.text, capture_output=True, text=True, check=False)


class Formula:
    """A verifier of one formula, and what its passes over the checks took."""

    def __init__(self, name: str, checks: Sequence[VerificationRequest]):
        self.name, self.checks = name, checks
        self.verifier = Verifier(VerificationConfig(), name)
        self.verifier.warm_up()
        self.config = RewardConfig(formula=name)
        self.passes: list[list[float]] = []  # seconds of each check
        self.stages: list[dict[str, float]] = []  # seconds of each stage
        self.reports: list[VerificationReport] = []

    def run(self) -> None:
        seconds, stages, self.reports = [], defaultdict(float), []
        for check in self.checks:
            started = time.perf_counter()
            report = self.verifier.verify(check.problem, check.text)
            score(report, self.config)
            seconds.append(time.perf_counter() - started)
            self.reports.append(report)
            for stage, spent in report.seconds.items():
                stages[stage] += spent
        self.passes.append(seconds)
        self.stages.append(stages)

    @property
    def first(self) -> float:
        """Seconds of the first pass."""
        return sum(self.passes[0])

    @property
    def total(self) -> float:
        """Median seconds of the later passes."""
        return statistics.median(map(sum, self.passes[1:]))

    def of_check(self, k: int) -> float:
        return statistics.median(one[k] for one in self.passes[1:])

    def share(self, stage: str) -> float:
        return statistics.median(
            one.get(stage, 0.0) / sum(spent)
            for one, spent in zip(self.stages[1:], self.passes[1:], strict=True)
        )


def memory_bandwidth() -> float:
    """Bytes a second that one core copies, reads and writes counted; best of five."""
    source = np.ones(1 << 24)
    target = np.empty_like(source)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - started)
    return 2 * source.nbytes / min(times)


def bytes_moved(circuits: Sequence[Circuit]) -> float:
    """Each gate reads and writes the state vector once."""
    return sum(2.0 * BYTES_PER_AMPLITUDE * len(c.gates) * 2**c.num_qubits for c in circuits)


def print_throughput(formulas: Sequence[Formula], others: dict[str, float], count: int) -> None:
    table = Table(title=f"{count} candidates")
    for column in ("", "ms a candidate", "candidates/s", *(f"times {name}" for name in others)):
        table.add_column(column, justify="right")
    rows = [(name, seconds) for name, seconds in others.items()]
    for formula in formulas:
        rows.append((f"{formula.name}, first pass", formula.first / count))
        rows.append((formula.name, formula.total / count))
    for name, seconds in rows:
        ratios = (f"{other / seconds:.1f}" for other in others.values())
        table.add_row(name, f"{1e3 * seconds:.3f}", f"{1 / seconds:.0f}", *ratios)
    CONSOLE.print(table)


def print_by_qubits(formulas: Sequence[Formula], checks: Sequence[VerificationRequest]) -> None:
    table = Table(title="candidates/s by qubits")
    for column in ("qubits", "candidates", *(formula.name for formula in formulas)):
        table.add_column(column, justify="right")
    groups: dict[int, list[int]] = defaultdict(list)
    for k, check in enumerate(checks):
        groups[check.problem.num_qubits].append(k)
    for n, members in sorted(groups.items()):
        speeds = (len(members) / sum(f.of_check(k) for k in members) for f in formulas)
        table.add_row(str(n), str(len(members)), *(f"{speed:.0f}" for speed in speeds))
    CONSOLE.print(table)


def print_shares(formulas: Sequence[Formula]) -> None:
    table = Table(title="share of the time by stage, %")
    stages = ("syntax", "distribution", "expectation", "published", "optimisation")
    for column in ("", *stages, "rest"):
        table.add_column(column, justify="right")
    for formula in formulas:
        shares = [100 * formula.share(stage) for stage in stages]
        table.add_row(formula.name, *(f"{s:.1f}" for s in [*shares, 100 - sum(shares)]))
    CONSOLE.print(table)


def print_floor(formula: Formula) -> None:
    """Of one simulation of each valid candidate, against the stage that simulates."""
    valid = [
        read_qasm(extract_program(check.text))
        for check, report in zip(formula.checks, formula.reports, strict=True)
        if report.valid
    ]
    bandwidth, moved = memory_bandwidth(), bytes_moved(valid)
    spent = formula.share("distribution") * formula.total
    CONSOLE.print(
        f"floor: {moved / 1e6:.1f} MB at {bandwidth / 1e9:.1f} GB/s = "
        f"{1e3 * moved / bandwidth:.2f} ms for all; the distribution stage takes "
        f"{1e3 * spent:.2f} ms ({spent * bandwidth / moved:.1f} times)"
    )


def print_actors(checks: Sequence[VerificationRequest], repeats: int, formula: str) -> None:
    """Two actors against one, the same batch on both in turns, and what a check costs whom.

    The caller needs a processor too: with as many actors as cores it takes its time from theirs.
    """
    from quasar.runtime import init_ray
    from quasar.verification.execution.pool import VerifierPool

    init_ray(load_config("published"))
    batch = list(checks) * max(1, 4000 // len(checks))
    pools = {
        n: VerifierPool(VerificationConfig(num_workers=n, cpus_per_worker=0.25), formula)
        for n in (1, 2)
    }
    times: dict[int, list[float]] = {1: [], 2: []}
    spent: dict[int, list[float]] = {1: [], 2: []}  # processor seconds of the actors
    caller: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(repeats + 1):
        for n, pool in pools.items():
            actors, mine = processor_s(ACTOR), time.process_time()
            started = time.perf_counter()
            pool.verify(batch)
            if turn:
                times[n].append(time.perf_counter() - started)
                spent[n].append(processor_s(ACTOR) - actors)
                caller[n].append(time.process_time() - mine)
    speeds = {n: len(batch) / statistics.median(times[n]) for n in pools}
    work = {n: 1e3 * statistics.median(spent[n]) / len(batch) for n in pools}
    call = {n: 1e3 * statistics.median(caller[n]) / len(batch) for n in pools}
    CONSOLE.print(
        f"{formula}: one actor {speeds[1]:.0f} candidates/s, two {speeds[2]:.0f}, "
        f"ratio {speeds[2] / speeds[1]:.2f}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    CONSOLE.print(
        f"  processor ms a candidate: actors {work[1]:.3f} (one), {work[2]:.3f} (two); "
        f"caller {call[1]:.3f}, {call[2]:.3f}"
    )
    for pool in pools.values():
        pool.close()


def processor_s(name: str) -> float:
    """Processor seconds so far of all processes of this name."""
    times = [p.cpu_times() for p in psutil.process_iter(["name"]) if p.info["name"] == name]
    return sum(t.user + t.system for t in times)


def seconds_each(
    call: Callable[[VerificationRequest], object], checks: Sequence[VerificationRequest]
) -> float:
    """Mean seconds a check."""
    started = time.perf_counter()
    for check in checks:
        call(check)
    return (time.perf_counter() - started) / len(checks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="directory of the benchmark's files")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--actors", action="store_true", help="also two Ray actors against one")
    arguments = parser.parse_args()
    recorded = None
    if arguments.data is None:
        checks = generated_checks()
    else:
        checks, recorded = shared_checks(arguments.data)
    count = len(checks)
    formulas = [Formula(name, checks) for name in FORMULAS]
    qiskit_times: list[float] = []
    for _ in range(arguments.repeats + 1):
        for formula in formulas:
            formula.run()
        qiskit_times.append(seconds_each(plain_qiskit, checks))
    picked = checks[:: max(1, count // PROCESSES)][:PROCESSES]
    others = {
        "Qiskit": statistics.median(qiskit_times),
        "a process each": seconds_each(one_process, picked),
    }
    if recorded is not None:
        others["the recorded"] = recorded / count
    print_throughput(formulas, others, count)
    print_by_qubits(formulas, checks)
    print_shares(formulas)
    print_floor(formulas[0])
    if arguments.actors:
        for name in FORMULAS if recorded is not None else FORMULAS[:1]:
            print_actors(checks, arguments.repeats, name)


if __name__ == "__main__":
    main()
