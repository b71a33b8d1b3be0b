"""Answers that need no model: what any evaluation must be read beside.

Takes problem records; gives generation rows with the same shape as a model's, so that they go
through the same evaluation.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit, Gate
from quasar.circuits.qasm import Limits, read_qasm
from quasar.datasets.io import read_problems, write_generations
from quasar.datasets.records import GenerationRow, ProblemRecord
from quasar.datasets.solver import solve
from quasar.datasets.solver.qaoa import START
from quasar.errors import CircuitError, InputError, ProblemError
from quasar.problems.base import ProblemInstance

_Build = Callable[[ProblemInstance, Limits, np.random.Generator], str | None]


def baseline_rows(
    name: str,
    records: Sequence[ProblemRecord],
    *,
    samples: int = 1,
    seed: int = 0,
    limits: Limits | None = None,
) -> list[GenerationRow]:
    """A baseline's generations (names: `BASELINES`), problems that it cannot answer left out.

    Only "random angles" differs between samples; it is deterministic in seed and sample_index.
    Raises InputError for an unknown name.
    """
    rows = []
    for record in records:
        rng = np.random.default_rng([seed, record.sample_index])
        made = (
            build_baseline(name, record.problem, seed=rng, limits=limits) for _ in range(samples)
        )
        kept = tuple(text for text in made if text is not None)
        if kept:
            rows.append(GenerationRow(record.sample_index, kept))
    return rows


def build_baseline(
    name: str,
    problem: ProblemInstance,
    *,
    seed: Sequence[int] | np.random.Generator,
    limits: Limits | None = None,
) -> str | None:
    """One program of a baseline; None where it has none for this problem.

    Raises InputError for an unknown name.
    """
    if name not in BASELINES:
        raise InputError(f"baseline {name!r}: valid names: {', '.join(BASELINES)}")
    return BASELINES[name](problem, limits or Limits(), np.random.default_rng(seed))


def write_baseline(
    name: str, problems: Path | str, output: Path | str, *, samples: int = 1, seed: int = 0
) -> None:
    """Write a baseline's generation file for a problem file. Raises InputError."""
    rows = baseline_rows(name, read_problems(problems), samples=samples, seed=seed)
    if not rows:
        raise InputError(f"{problems}: baseline {name!r} needs reference circuits; there are none")
    write_generations(output, rows)


def _hadamard(problem: ProblemInstance, limits: Limits, rng: np.random.Generator) -> str:
    gates = tuple(Gate("h", (q,)) for q in range(problem.num_qubits))
    return Circuit(problem.num_qubits, gates).to_qasm()


def _bitstring(problem: ProblemInstance, limits: Limits, rng: np.random.Generator) -> str:
    """X gates that prepare the first ground state: the answer, found classically."""
    state = int(problem.spectrum.optimal[0])
    gates = tuple(Gate("x", (q,)) for q in range(problem.num_qubits) if state >> q & 1)
    return Circuit(problem.num_qubits, gates).to_qasm()


def _empty(problem: ProblemInstance, limits: Limits, rng: np.random.Generator) -> str:
    return Circuit(problem.num_qubits, ()).to_qasm()


def _random_angles(
    problem: ProblemInstance, limits: Limits, rng: np.random.Generator
) -> str | None:
    """The reference's gates, each angle uniform on [0, 2π)."""
    if problem.reference_circuit is None:
        return None
    try:
        circuit = read_qasm(problem.reference_circuit, limits)
    except CircuitError:
        return None
    angles = rng.uniform(0, 2 * math.pi, len(circuit.parameters))
    return circuit.with_parameters(angles).to_qasm()


def _reference(problem: ProblemInstance, limits: Limits, rng: np.random.Generator) -> str | None:
    return problem.reference_circuit


def _fixed_angles(problem: ProblemInstance, limits: Limits, rng: np.random.Generator) -> str:
    """One layer of QAOA at angles that know no problem but the spread of its energies."""
    gamma, beta = START
    scale = float(problem.spectrum.energies.std()) or 1.0
    return qaoa_circuit(problem.hamiltonian, [gamma / scale], [beta]).to_qasm()


def _tuned(problem: ProblemInstance, limits: Limits, rng: np.random.Generator) -> str | None:
    """One layer of QAOA with this problem's best angles."""
    try:
        return solve(problem, layers=1, decimals=PUBLISHED_DECIMALS).circuit.to_qasm()
    except ProblemError:  # all bitstrings have the same energy
        return None


BASELINES: dict[str, _Build] = {
    "H on every qubit": _hadamard,
    "one optimal bitstring": _bitstring,
    "empty circuit": _empty,
    "random angles": _random_angles,
    "fixed-angle QAOA": _fixed_angles,
    "tuned QAOA p = 1": _tuned,
    "references": _reference,
}
