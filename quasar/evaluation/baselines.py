"""Answers that need no model: what any evaluation must be read beside.

Takes problem records; gives generation rows with the same shape as a model's, so that they go
through the same evaluation.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import Limits, read_qasm
from quasar.datasets.io import read_problems, write_generations
from quasar.datasets.records import GenerationRow, ProblemRecord
from quasar.errors import CircuitError, InputError
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
    if name not in BASELINES:
        raise InputError(f"baseline {name!r}: valid names: {', '.join(BASELINES)}")
    rows = []
    for record in records:
        rng = np.random.default_rng([seed, record.sample_index])
        build, limit = BASELINES[name], limits or Limits()
        texts = [build(record.problem, limit, rng) for _ in range(samples)]
        kept = tuple(text for text in texts if text is not None)
        if kept:
            rows.append(GenerationRow(record.sample_index, kept))
    return rows


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


BASELINES: dict[str, _Build] = {
    "H on every qubit": _hadamard,
    "one optimal bitstring": _bitstring,
    "empty circuit": _empty,
    "random angles": _random_angles,
    "references": _reference,
}
# Those without angles: they have no warm start to measure, and cost next to nothing. On large
# references the other two take longer than a model's ten samples.
QUICK_BASELINES = ("H on every qubit", "one optimal bitstring", "empty circuit")
