"""Reading programs: the fast readers against the complete one, in the same run.

    python benchmarks/reading.py [--qubits 5 8 12 16] [--layers 1 2 4] [--repeats 30]

QAOA of random Ising problems with a field on every qubit and, on average, three couplings a qubit,
in the canonical style (named parameters) and in the published one (gate by gate). Each program is
read in turns by the fast reader, whose caches are warm as they are for all but the first answers to
a problem, and by the complete one; the figures are medians. The circuits must be equal.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from random import Random

from rich.console import Console
from rich.table import Table

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.canonical import normalised_terms, qaoa_program
from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import Limits
from quasar.circuits.qasm.canonical_reader import read_canonical
from quasar.circuits.qasm.fast_reader import read_plain
from quasar.circuits.qasm.semantics import read_complete
from quasar.problems.hamiltonian import IsingHamiltonian

LIMITS = Limits()
COUPLINGS = 3  # of each qubit, on average
Read = Callable[[str, Limits], Circuit | None]


def random_ising(num_qubits: int, random: Random) -> IsingHamiltonian:
    """Fields on all qubits and random couplings."""
    pairs = [(a, b) for b in range(num_qubits) for a in range(b)]
    chosen = random.sample(pairs, min(len(pairs), COUPLINGS * num_qubits // 2))
    wires = [(q,) for q in range(num_qubits)] + sorted(chosen)
    return IsingHamiltonian(num_qubits, tuple((round(random.gauss(0, 1), 2), w) for w in wires))


def programs(num_qubits: int, layers: int, random: Random) -> dict[str, tuple[str, Read]]:
    """Style → program and its fast reader."""
    hamiltonian = random_ising(num_qubits, random)
    gammas, betas = ([random.uniform(-1.5, 1.5) for _ in range(layers)] for _ in range(2))
    canonical = qaoa_program(num_qubits, normalised_terms(hamiltonian), gammas, betas)
    published = qaoa_circuit(hamiltonian, gammas, betas).to_qasm()
    return {"canonical": (canonical, read_canonical), "published": (published, read_plain)}


def microseconds(text: str, fast: Read, repeats: int) -> tuple[float, float, int]:
    """Medians of the fast and of the complete reader, and the number of gates."""
    spent: tuple[list[float], list[float]] = ([], [])
    circuits = []
    for _ in range(repeats + 1):
        for read, times in zip((fast, read_complete), spent, strict=True):
            started = time.perf_counter()
            circuits.append(read(text, LIMITS))
            times.append(1e6 * (time.perf_counter() - started))
    circuit = circuits[-1]
    assert circuit is not None
    assert all(other == circuit for other in circuits)
    fast_us, complete_us = (statistics.median(times[1:]) for times in spent)
    return fast_us, complete_us, len(circuit.gates)


def main() -> None:
    parser = argparse.ArgumentParser(description="Median time to read a program, in both styles")
    parser.add_argument("--qubits", type=int, nargs="+", default=[5, 8, 12, 16])
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = Table(title="median µs a program")
    for column in ("qubits", "layers", "style", "gates", "fast", "complete", "ratio"):
        table.add_column(column, justify="left" if column == "style" else "right")
    random = Random(arguments.seed)
    for num_qubits in arguments.qubits:
        for layers in arguments.layers:
            for style, (text, fast) in programs(num_qubits, layers, random).items():
                quick, slow, gates = microseconds(text, fast, arguments.repeats)
                row = (num_qubits, layers, style, gates, f"{quick:.0f}", f"{slow:.0f}")
                table.add_row(*map(str, row), f"{slow / quick:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
