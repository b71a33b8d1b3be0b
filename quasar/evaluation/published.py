"""The published evaluator's metrics of one sample, by its authors' definitions.

Takes a program's text and a problem with a reference circuit; gives SCR, RE, SREV and HQCR as they
are computed there, faults included: programs are accepted without version, include or measurement,
and energies are taken in reversed bit order. Only for comparison; `measure` has the corrected ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import (
    CONTROL_FLOW,
    MID_CIRCUIT_MEASUREMENT,
    RESET,
    Limits,
    check_text,
)
from quasar.errors import CircuitError
from quasar.evaluation.metrics import kl_bits
from quasar.problems.base import ProblemInstance
from quasar.verification.stages.published import read_lenient

ENERGY_TOLERANCE = 0.2  # of SREV, in the Hamiltonian's units
RELATIVE_ENTROPY_CUT = 0.1  # of HQCR, bits
_HEADER = "OPENQASM 3.0"

# What the published reader takes and its simulator then does not: SCR, and no hit.
_NOT_SIMULATED = {CONTROL_FLOW, MID_CIRCUIT_MEASUREMENT, RESET}


@dataclass(frozen=True)
class PublishedEvaluator:
    """Grades samples of one problem against its reference circuit, which is simulated once."""

    problem: ProblemInstance
    reference: Circuit
    limits: Limits
    simulate: Callable[[Circuit], np.ndarray]  # exact probabilities, little-endian

    def grade(self, text: str) -> dict[str, float | bool | None]:
        """`published_*` columns of one answer. A sample of another qubit count has no RE and
        counts as no hit; one that is not accepted counts as no hit in all three rates.
        """
        try:
            check_text(text, self.limits)
            program = extract_program(text)
            circuit = read_lenient(program, self.limits)
        except CircuitError as error:
            return _columns(scr=error.kind in _NOT_SIMULATED and _HEADER in text)
        accepted = _HEADER in program
        if circuit.num_qubits != self.problem.num_qubits:
            return _columns(scr=accepted)
        probabilities = self.simulate(circuit)
        divergence = kl_bits(probabilities, self.reference_probabilities)
        gap = abs(float((probabilities - self.reference_probabilities) @ self._reversed_energies))
        return _columns(
            scr=accepted,
            re=divergence,
            srev=gap <= ENERGY_TOLERANCE,
            hqcr=divergence < RELATIVE_ENTROPY_CUT,
        )

    @cached_property
    def reference_probabilities(self) -> np.ndarray:
        """The reference's distribution from the published simulator (Qiskit's `Statevector`).

        Not from ours, although they agree to 1e-15: where the reference has no amplitude, RE is
        decided by the rounding error (about 1e-33) that the simulator leaves there.
        """
        from qiskit.converters import circuit_to_dag, dag_to_circuit
        from qiskit.quantum_info import Statevector

        from quasar.circuits.to_qiskit import to_qiskit

        # There the measurements are removed first, which sorts the gates topologically.
        circuit = dag_to_circuit(circuit_to_dag(to_qiskit(self.reference)))
        return Statevector(circuit).probabilities()

    @cached_property
    def _reversed_energies(self) -> np.ndarray:
        """Energies with qubit q read as qubit n − 1 − q, as the published evaluator reads them."""
        n = self.problem.num_qubits
        return self.problem.spectrum.energies.reshape((2,) * n).transpose().reshape(-1)


def _columns(
    *, scr: bool, re: float | None = None, srev: bool = False, hqcr: bool = False
) -> dict[str, float | bool | None]:
    return {
        "published_scr": scr,
        "published_re": re,
        "published_srev": srev,
        "published_hqcr": hqcr,
    }
