"""What solved examples cost: by qubits and family, against the plain way, and with a second worker.

    python benchmarks/dataset.py [--each 12] [--examples 400] [--problems FILE.jsonl]

Times are of one process with one thread, over random problems of all primitives. The plain way is
QAOA of one layer tuned by SciPy's COBYLA on Qiskit's `Statevector`. With a file of
the published benchmark, its problems are solved anew with the families of their own references, and
the seconds are compared with those that the file records.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from qiskit.quantum_info import SparsePauliOp, Statevector
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.to_qiskit import to_qiskit
from quasar.config import QuasarConfig, load_config
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.forms import Form, draw_form
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.generation.planning import sizes_of
from quasar.datasets.generation.resolve import SolveOptions, solve_file, solved_table
from quasar.datasets.solver import solve
from quasar.problems.base import ProblemInstance

FAMILIES = ("qaoa", "ma_qaoa", "hardware_efficient", "adaptive")
QUBITS = (4, 6, 8, 10, 12, 14, 16)
MOST_QUBITS_PLAIN = 10
SEED = 0


def problems(config: QuasarConfig, num_qubits: int, count: int) -> Iterator[ProblemInstance]:
    """Random problems of that size, the primitives in turn."""
    names = [p for p in config.dataset.primitives if num_qubits in sizes_of(p, config.dataset)]
    for index in range(count):
        yield make_candidate(Cell(names[index % len(names)], num_qubits), SEED, index)


def seconds_of(problem: ProblemInstance, form: Form) -> float:
    """Seconds for one solution; the spectrum is part of them."""
    started = time.perf_counter()
    solve(problem, ansatz=form.ansatz, layers=form.layers, decimals=4)
    return time.perf_counter() - started


def plain_seconds(problem: ProblemInstance) -> tuple[float, float]:
    """(seconds, approximation ratio) of COBYLA on Qiskit state vectors, from the usual start."""
    terms = [("Z" * len(w), list(w), c) for c, w in problem.hamiltonian.interactions()]
    operator = SparsePauliOp.from_sparse_list(terms, num_qubits=problem.num_qubits)
    scale = float(problem.spectrum.energies.std())

    def energy(angles: np.ndarray) -> float:
        circuit = qaoa_circuit(problem.hamiltonian, angles[:1] / scale, angles[1:], decimals=15)
        return float(Statevector(to_qiskit(circuit)).expectation_value(operator).real)

    started = time.perf_counter()
    found = minimize(energy, [0.8, -0.42], method="COBYLA", tol=1e-4)
    return time.perf_counter() - started, problem.spectrum.approximation_ratio(found.fun)


def by_qubits(config: QuasarConfig, each: int) -> Table:
    """Seconds a solution for each size and family."""
    table = Table(title=f"ms a solution, mean of {each} (layers 1 to 4); QAOA p = 1: median")
    for name in ("qubits", "qaoa", "ma_qaoa", "template", "adaptive", "plain", "ours", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for num_qubits in QUBITS:
        cells = []
        for family in FAMILIES:
            rng = np.random.default_rng([SEED, num_qubits])
            seconds = [
                seconds_of(p, draw_form([family], config.dataset.layers, num_qubits, rng))
                for p in problems(config, num_qubits, each)
            ]
            cells.append(f"{1e3 * statistics.fmean(seconds):.1f}")
        if num_qubits <= MOST_QUBITS_PLAIN:
            pairs = [
                (plain_seconds(p)[0], seconds_of(p, Form("qaoa", 1)))
                for p in problems(config, num_qubits, each)
            ]
            plain, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
            cells += [f"{1e3 * plain:.0f}", f"{1e3 * ours:.2f}", f"{plain / ours:.0f}×"]
        table.add_row(str(num_qubits), *cells)
    return table


def by_workers(num_examples: int) -> Table:
    """Examples a second over all primitives, families and sizes; Ray's start is not counted."""
    table = Table(title=f"generation of {num_examples} examples, 2 to 16 qubits, all primitives")
    for name in ("workers", "seconds", "examples/s", "gain"):
        table.add_column(name, justify="right")
    seconds = {}
    for workers in (1, 2):
        settings = [f"dataset.num_examples={num_examples}", f"dataset.num_workers={workers}"]
        config = load_config("cluster-4b", [*settings, "cluster.accelerator=cpu"])
        if workers == 2:
            from quasar.runtime import init_ray

            init_ray(config, cpus=workers)
        directory = Path(tempfile.mkdtemp())
        seconds[workers] = generate_dataset(config, directory, progress=False).seconds
        table.add_row(
            str(workers),
            f"{seconds[workers]:.1f}",
            f"{num_examples / seconds[workers]:.2f}",
            f"{seconds[1] / seconds[workers]:.2f}×",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--each", type=int, default=12, help="problems a size and family")
    parser.add_argument("--examples", type=int, default=400, help="of the run with 1 and 2 workers")
    parser.add_argument("--problems", type=Path, help="the published benchmark's JSONL")
    arguments = parser.parse_args()
    config, console = load_config("cluster-4b"), Console()
    with threadpool_limits(limits=1):
        seconds_of(next(problems(config, 4, 1)), Form("sim_5", 1))  # loads the compiled kernels
        console.print(by_qubits(config, arguments.each))
        if arguments.problems is not None:
            output = Path(tempfile.mkdtemp()) / "solved.jsonl"
            one = load_config("published", ["dataset.num_workers=1"])
            own = SolveOptions(None, None, 4, SEED)
            figures = solve_file(arguments.problems, output, own, one, progress=False)
            console.print(solved_table(figures))
    console.print(by_workers(arguments.examples))


if __name__ == "__main__":
    main()
