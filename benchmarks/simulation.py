"""Seconds and memory of the simulators, by qubits: state vectors, observables, 30-qubit circuits.

    python benchmarks/simulation.py [--repeats 5] [--skip-large]

Circuits are two-layer QAOA circuits of a ring with chords. State vectors: one circuit at a time,
against Qiskit's `Statevector`; on a GPU where torch and Aer find one. The large circuits, and the
whole verification of large problems, run each in a process of its own, so that its peak memory is
its own. Medians of interleaved repeats.

Observables: a Heisenberg chain and dense random Pauli strings, on the same circuits. The floor of a
gradient is that of a diagonal observable, whose two sweeps over the gates no method is spared.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import networkx as nx
import numpy as np
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector
from rich.console import Console
from rich.table import Table

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.to_qiskit import to_qiskit
from quasar.config import VerificationConfig
from quasar.problems import build_instance
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.pauli import PauliSum
from quasar.simulation import MatrixProductLimits, get_simulator
from quasar.simulation.eigensolver import MAX_QUBITS, ground_space
from quasar.simulation.statevector.exact import energy_and_gradient, expectation_value
from quasar.verification.verifier import Verifier

# γ and β of the one layer: a ratio of about 0.9 on these graphs.
ANGLES = ((0.4,), (-0.42,))
VERIFIED = (16, 20, 22, 24, 30, 36, 40)
LARGE = (("exact", 24, 0), ("aer", 24, 0), ("mps", 30, 16), ("mps", 30, 32), ("mps", 30, 64))


def edges(num_qubits: int) -> list[tuple[int, int]]:
    """A ring, and a chord across from every second qubit."""
    n = num_qubits
    chords = [(q, (q + n // 2) % n) for q in range(0, n // 2, 2)]
    return [(q, (q + 1) % n) for q in range(n)] + [e for e in chords if e[0] != e[1]]


def qaoa(num_qubits: int, *, ring: bool = False) -> Circuit:
    """Two layers; ring: without the chords."""
    pairs = edges(num_qubits)[: num_qubits if ring else None]
    found = [Gate("h", (q,)) for q in range(num_qubits)]
    for gamma, beta in ((0.4, 0.9), (0.7, 0.5)):
        for a, b in pairs:
            found += [Gate("cx", (a, b)), Gate("rz", (b,), (gamma,)), Gate("cx", (a, b))]
        found += [Gate("rx", (q,), (beta,)) for q in range(num_qubits)]
    return Circuit(num_qubits, tuple(found))


def cost(num_qubits: int) -> IsingHamiltonian:
    return IsingHamiltonian(num_qubits, tuple((1.0, pair) for pair in edges(num_qubits)))


def medians(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call; the calls take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def one_by_one(console: Console, sizes: range, repeats: int) -> None:
    table = Table(title="probabilities of one circuit: ms, and times faster than Statevector")
    for column in ("qubits", "gates", "Statevector", "exact", "aer", "torch"):
        table.add_column(column, justify="right")
    for n in sizes:
        circuit = qaoa(n)
        calls: dict[str, Callable] = {"Statevector": lambda c=circuit: _plain(c)}
        for name in ("exact", "aer", "torch"):
            simulator = get_simulator(name, n, device="GPU")
            calls[name] = lambda s=simulator, c=circuit: s.probabilities(c)
        found = medians(calls, repeats if n < 18 else 2)
        cells = [f"{1e3 * found[k]:.2f} ({found['Statevector'] / found[k]:.1f})" for k in calls]
        table.add_row(str(n), str(len(circuit.gates)), *cells)
    console.print(table)


def not_diagonal(console: Console, sizes: range, repeats: int) -> None:
    table = Table(
        title="⟨H⟩ from amplitudes, ms (times faster than Qiskit's Statevector); gradient of the "
        "circuit, ms, beside that of a diagonal observable, the floor; ground space"
    )
    columns = ("qubits", "observable", "strings", "groups", "Qiskit ⟨H⟩", "⟨H⟩", "angles")
    for column in (*columns, "gradient", "floor", "ratio", "E0, s"):
        table.add_column(column, justify="right")
    for n in sizes:
        for name, observable in (("chain", heisenberg(n)), ("random", random_strings(n))):
            circuit, energies = qaoa(n), cost(n).energies
            state = Statevector(to_qiskit(circuit))
            terms = [(t.letters, list(t.qubits), t.coefficient) for t in observable.terms]
            operator = SparsePauliOp.from_sparse_list(terms, num_qubits=n)
            calls: dict[str, Callable] = {
                "Qiskit": lambda s=state, o=operator: s.expectation_value(o),
                "ours": lambda s=state.data, o=observable: expectation_value(s, o),
                "gradient": lambda c=circuit, o=observable: energy_and_gradient(c, o),
                "floor": lambda c=circuit, e=energies: energy_and_gradient(c, e),
            }
            found = medians(calls, repeats)
            assert abs(calls["Qiskit"]() - calls["ours"]()) < 1e-8 * observable.one_norm
            seconds = "–"
            if n <= MAX_QUBITS:
                started = time.perf_counter()
                ground_space(observable)
                seconds = f"{time.perf_counter() - started:.3f}"
            ours = f"{1e3 * found['ours']:.3f} ({found['Qiskit'] / found['ours']:.0f})"
            table.add_row(
                *(str(n), name, str(len(observable.terms)), str(len(observable.groups))),
                *(f"{1e3 * found['Qiskit']:.3f}", ours, str(len(circuit.parameters))),
                *(f"{1e3 * found[k]:.3f}" for k in ("gradient", "floor")),
                *(f"{found['gradient'] / found['floor']:.2f}", seconds),
            )
    console.print(table)


def heisenberg(num_qubits: int) -> PauliSum:
    return PauliSum.of(
        num_qubits, [(1.0, f"{p}{q}*{p}{q + 1}") for q in range(num_qubits - 1) for p in "XYZ"]
    )


def random_strings(num_qubits: int) -> PauliSum:
    """As many strings as a small molecule has, each on any of the qubits."""
    rng, found = np.random.default_rng(num_qubits), []
    for _ in range(12 * num_qubits):
        letters = enumerate(rng.choice(list("IXYZ"), num_qubits))
        word = "*".join(f"{letter}{q}" for q, letter in letters if letter != "I")
        found.append((float(rng.normal()), word or "I"))
    return PauliSum.of(num_qubits, found)


def _plain(circuit: Circuit) -> np.ndarray:
    return Statevector(to_qiskit(circuit)).probabilities()


def large(console: Console) -> None:
    table = Table(title="large circuits, each in a process of its own")
    columns = ("backend", "qubits", "bond", "gates", "seconds", "peak MiB", "⟨H⟩", "truncation")
    for column in (*columns, "1000 samples: seconds", "⟨H⟩ sampled"):
        table.add_column(column, justify="right")
    for name, n, bond in LARGE:
        command = [sys.executable, __file__, "--one", name, str(n), str(bond)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        table.add_row(name, str(n), str(bond or ""), *json.loads(done.stdout))
    console.print(table)


def measure_one(name: str, num_qubits: int, bond: int) -> None:
    """One large circuit in this process; prints the cells of its row."""
    limits = MatrixProductLimits(bond_dimension=bond or 64)
    simulator = get_simulator(name, num_qubits, mps=limits)
    small = get_simulator(name, 4, mps=limits)
    small.expectation_value(qaoa(4), cost(4))  # loads and compiles
    circuit, hamiltonian = qaoa(num_qubits, ring=name == "mps"), cost(num_qubits)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    estimate = simulator.expectation_value(circuit, hamiltonian)
    seconds = time.perf_counter() - started
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    started = time.perf_counter()
    sampled = simulator.sample(circuit, shots=1000, seed=0).estimate(hamiltonian)
    cells = [str(len(circuit.gates)), f"{seconds:.2f}", f"{peak:.0f}", f"{estimate.value:.4f}"]
    cells += [f"{estimate.truncation_error:.1e}", f"{time.perf_counter() - started:.2f}"]
    print(json.dumps([*cells, f"{sampled.value:.3f} ± {sampled.standard_error:.3f}"]))


def verified(console: Console) -> None:
    table = Table(title="verification of a QAOA layer, independent set of a 3-regular graph")
    columns = ("qubits", "gates", "first, s", "next, s", "peak MiB", "approximation ratio")
    for column in (*columns, "truncation", "P(optimum)", "of it uniform"):
        table.add_column(column, justify="right")
    for n in VERIFIED:
        command = [sys.executable, __file__, "--verify", str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        table.add_row(str(n), *json.loads(done.stdout))
    console.print(table)


def verify_one(num_qubits: int) -> None:
    """One large problem in this process, its facts included; prints the cells of its row."""
    graph = nx.random_regular_graph(3, num_qubits, seed=1)
    problem = build_instance("maximum_independent_set", nx.node_link_data(graph, edges="edges"))
    circuit = qaoa_circuit(problem.hamiltonian, ANGLES[0], ANGLES[1])
    verifier = Verifier(VerificationConfig(max_qubits=40))
    verifier.warm_up()
    text, times = circuit.to_qasm(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        started = time.perf_counter()
        report = verifier.verify(problem, text, diagnose=True)
        times.append(time.perf_counter() - started)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    e, d = report.expectation, report.distribution
    cells = [str(report.num_gates), *(f"{t:.2f}" for t in times), f"{peak:.0f}"]
    cells += [f"{e.approximation_ratio:.4f}", f"{e.truncation_error:.1e}"]
    cells += [f"{d.optimum_probability:.5f}", f"{d.uniform_optimum_probability:.1e}"]
    print(json.dumps(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, help="qubits; default 20, with CUDA 24")
    parser.add_argument("--skip-large", action="store_true", help="no more than 20 qubits")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--verify", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, n, bond = arguments.one
        measure_one(name, int(n), int(bond))
        return
    if arguments.verify:
        verify_one(arguments.verify)
        return
    cuda = torch.cuda.is_available()
    console = Console(width=140)
    console.print(f"torch {torch.__version__}, CUDA: {'yes' if cuda else 'no GPU here'}")
    largest = arguments.largest or (24 if cuda else 20)
    not_diagonal(console, range(4, min(largest, 16) + 1, 4), arguments.repeats)
    one_by_one(console, range(4, largest + 1, 4), arguments.repeats)
    if not arguments.skip_large:
        large(console)
        verified(console)


if __name__ == "__main__":
    main()
