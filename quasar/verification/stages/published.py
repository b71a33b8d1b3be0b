"""The published system's own signals, for comparison: arXiv 2510.00967 as its code computes them.

Takes an answer, the problem and its reference circuit; gives `PublishedSignals`, from which
`reward` makes the published reward. Faults of the original are kept: no measurement, no
version and no qubit count are asked for, distributions are compared on the qubits that both
circuits have, equal angles are tied, and a circuit without parameters crashes the last stage. One
thing is added: the last stage is left out, with its lower bound 0, where it would take too long.
"""

from dataclasses import dataclass

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import (
    BAD_INCLUDE,
    CONTROL_FLOW,
    MID_CIRCUIT_MEASUREMENT,
    MISSING_HEADER,
    NOT_MEASURED,
    RESET,
    TOO_DEEP,
    TOO_LONG,
    TOO_MANY_BITS,
    TOO_MANY_GATES,
    TOO_MANY_QUBITS,
    Limits,
    read_qasm,
)
from quasar.errors import CircuitError, ProblemError
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.verification.facts import ProblemFacts
from quasar.verification.readout import js_distance
from quasar.verification.report import PublishedSignals
from quasar.verification.stages.costly import UPDATES_PER_S
from quasar.verification.stages.published_utility import Utility, updates

SIMILAR, DISSIMILAR = 0.9, 0.1  # cuts on δ
GOOD_ENERGY = 0.9  # cut on s₃ in the dissimilar branch
_SMOOTHING = 1e-12
# What the original does not ask for. Anything else that the strict reader refuses, it refuses too,
# so the slow complete reader is not asked.
_LENIENT_ON = {BAD_INCLUDE, MISSING_HEADER, NOT_MEASURED}
# What the original's parser takes and its simulator then does not, or not in time.
_CRASHES = {
    CONTROL_FLOW,
    MID_CIRCUIT_MEASUREMENT,
    RESET,
    TOO_DEEP,
    TOO_LONG,
    TOO_MANY_BITS,
    TOO_MANY_GATES,
    TOO_MANY_QUBITS,
}


@dataclass(frozen=True, slots=True)
class Simulated:
    """A program that was read strictly, and its exact distribution: (2**n,), little-endian."""

    program: str
    circuit: Circuit
    probabilities: np.ndarray


@dataclass(frozen=True, slots=True)
class RefusedProgram:
    """A program that was refused by the strict reading, and the kind of the refusal."""

    program: str
    kind: str


class PublishedScorer:
    """Computes the published signals. Keeps nothing but a helper process for the last stage."""

    def __init__(self, limits: Limits, *, time_limit_s: float):
        """time_limit_s: of a verification; the last stage may take half of it, by estimate."""
        self._limits = limits
        self._max_updates = 0.5 * time_limit_s * UPDATES_PER_S
        self._utility = Utility()

    def warm_up(self) -> None:
        """Start the helper process, which the first answer would otherwise wait for."""
        self._utility.warm_up()

    def measure(
        self, facts: ProblemFacts, text: str, known: Simulated | RefusedProgram | None = None
    ) -> PublishedSignals:
        """Signals of one answer. Raises ProblemError for a problem without a readable reference.

        known: what the strict reading of the same answer gave; spares a second reading and
        simulation where this system takes the same program.
        """
        reference = self._reference(facts)
        action = text[text.find("OPENQASM") :] if "OPENQASM" in text else ""
        if "qubit" not in action or "measure" not in action:
            return PublishedSignals(error="action")
        if known is None or known.program != action.strip():
            known = None
        if isinstance(known, RefusedProgram) and known.kind not in _LENIENT_ON:
            return _refused(known.kind)
        if not isinstance(known, Simulated):
            try:
                circuit = read_lenient(action, self._limits)
            except CircuitError as error:
                return _refused(error.kind)
            known = Simulated(action, circuit, probabilities(encode(circuit)))
        return self._signals(known, reference, facts)

    def _reference(self, facts: ProblemFacts) -> Simulated:
        problem = facts.problem
        if problem.reference_circuit is None:
            raise ProblemError(
                f"{problem.primitive}: the published formula compares with a reference circuit, "
                "and this problem has none; use formula: hierarchical"
            )
        if facts.reference_probabilities is not None:
            assert facts.reference is not None
            return Simulated(
                problem.reference_circuit, facts.reference, facts.reference_probabilities
            )
        try:
            circuit = read_lenient(problem.reference_circuit, self._limits)
        except CircuitError as error:
            raise ProblemError(f"{problem.primitive}: the reference circuit: {error}") from error
        return Simulated(problem.reference_circuit, circuit, probabilities(encode(circuit)))

    def _signals(
        self, candidate: Simulated, reference: Simulated, facts: ProblemFacts
    ) -> PublishedSignals:
        circuit, spectrum = candidate.circuit, facts.spectrum
        shared = min(circuit.num_qubits, reference.circuit.num_qubits)
        delta = 1.0 - js_distance(
            _smoothed(_marginal(candidate.probabilities, shared)),
            _smoothed(_marginal(reference.probabilities, shared)),
        )
        kept = _marginal(candidate.probabilities, min(circuit.num_qubits, facts.problem.num_qubits))
        # Qubits that the circuit lacks read as 0, so the first energies are the ones that count.
        energy_score = spectrum.approximation_ratio(float(kept @ spectrum.energies[: kept.size]))
        utility = skipped = None
        if delta > SIMILAR or (delta < DISSIMILAR and energy_score > GOOD_ENERGY):
            if not circuit.parameters:
                return PublishedSignals(error="crash")
            if updates(circuit) > self._max_updates:
                skipped = "the circuit is too large for half of the time limit"
            else:
                evaluations, energy = self._utility.optimise(circuit, facts.problem.hamiltonian)
                utility = 0.8 / evaluations + 0.2 * spectrum.approximation_ratio(energy)
        return PublishedSignals(
            error=None,
            delta=delta,
            energy_score=energy_score,
            qubit_penalty=_qubit_penalty(circuit, reference.circuit),
            weight=1.0 if circuit.num_qubits == reference.circuit.num_qubits else 0.5,
            utility=utility,
            skipped=skipped,
        )


def _refused(kind: str) -> PublishedSignals:
    return PublishedSignals(error="crash" if kind in _CRASHES else "parse")


def read_lenient(text: str, limits: Limits) -> Circuit:
    """Read a program as the published system does; raises CircuitError where it does not either."""
    try:
        return read_qasm(text, limits)
    except CircuitError as error:
        if error.kind not in _LENIENT_ON:
            raise
        from quasar.circuits.qasm.semantics import read_complete

        return read_complete(text, limits, strict=False)


def _marginal(p: np.ndarray, num_qubits: int) -> np.ndarray:
    """Distribution of the first qubits."""
    return p.reshape(-1, 1 << num_qubits).sum(axis=0)


def _smoothed(p: np.ndarray) -> np.ndarray:
    """As the original smooths distributions before it compares them."""
    return (p + _SMOOTHING) / (p + _SMOOTHING).sum()


def _qubit_penalty(circuit: Circuit, reference: Circuit) -> float:
    """−0.2 − 0.05·Δn − 0.1·(extra qubits of the larger circuit with a gate on them), ≥ −1."""
    if circuit.num_qubits == reference.num_qubits:
        return 0.0
    smaller, larger = sorted((circuit, reference), key=lambda c: c.num_qubits)
    active = {q for gate in larger.gates for q in gate.qubits if q >= smaller.num_qubits}
    difference = larger.num_qubits - smaller.num_qubits
    return max(-1.0, -0.2 - 0.05 * difference - 0.1 * len(active))
