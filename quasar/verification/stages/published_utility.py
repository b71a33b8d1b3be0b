"""The published warm-start signal's optimiser: COBYLA, at most 80 evaluations, equal angles tied.

Takes a circuit and a Hamiltonian; gives (number of evaluations, energy at the end). On the flat
landscapes where this stage mostly runs, COBYLA stops where rounding sends it, and rounding differs
between processors: in the amplitudes (`simulation.statevector.fused` fixes that) and in the linear
algebra within COBYLA. So the optimiser runs with the AVX2 kernels of OpenBLAS, which have to be
chosen before numpy is loaded: in a helper process, unless this process was started that way.
"""

import os
import pickle
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.encoding import EncodedCircuit, encode

MAX_EVALUATIONS = 80
TOLERANCE = 1e-6
# Of one evaluation: a gate takes at least as long as this many updates of amplitudes.
_LEAST_UPDATES = 300
PINNED = {"OPENBLAS_CORETYPE": "Haswell", "OMP_NUM_THREADS": "1"}


def can_pin() -> bool:
    """Whether this machine has the AVX2 kernels."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        return " avx2 " in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def updates(circuit: Circuit) -> float:
    """Work of `minimise` for a circuit, known beforehand, in updates of amplitudes.

    COBYLA evaluates the circuit at least two times more than it has variables, and keeps matrices
    of its variables.
    """
    variables = len(set(circuit.parameters))
    evaluations = max(MAX_EVALUATIONS, variables + 2)
    gates = len(circuit.gates) * (2.0**circuit.num_qubits + _LEAST_UPDATES)
    return evaluations * (gates + variables**2)


class Utility:
    """Runs the optimiser, in this process or in a helper that lives as long as this object."""

    def __init__(self):
        pinned = os.environ.get("OPENBLAS_CORETYPE") == PINNED["OPENBLAS_CORETYPE"]
        self._in_process = pinned or not can_pin()
        self._helper: subprocess.Popen | None = None

    def optimise(self, circuit: Circuit, hamiltonian: IsingHamiltonian) -> tuple[int, float]:
        """(evaluations used, energy reached). The circuit has at least one angle."""
        if self._in_process:
            return minimise(circuit, hamiltonian)
        if self._helper is None or self._helper.poll() is not None:
            self._helper = subprocess.Popen(
                [sys.executable, "-m", "quasar.verification.stages.published_utility"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | PINNED,
            )
        assert self._helper.stdin is not None
        assert self._helper.stdout is not None
        try:
            _send(self._helper.stdin, (circuit, hamiltonian))
            return pickle.load(self._helper.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise RuntimeError("the optimiser's helper process ended") from error

    def warm_up(self) -> None:
        """Start the helper and load what it needs."""
        self.optimise(Circuit(1, (Gate("rx", (0,), (0.1,)),)), IsingHamiltonian(1, ((1.0, (0,)),)))

    def __del__(self):
        helper = getattr(self, "_helper", None)
        if helper is not None and helper.poll() is None:
            helper.kill()
            helper.wait()
            helper.stdin.close()
            helper.stdout.close()


def minimise(circuit: Circuit, hamiltonian: IsingHamiltonian) -> tuple[int, float]:
    """COBYLA on ⟨H⟩ from the circuit's angles; each distinct value is one variable."""
    from scipy.optimize import minimize

    from quasar.simulation.statevector import fused

    encoded, start, variable_of = _tied(circuit)
    masks, coefficients = _terms(hamiltonian, circuit.num_qubits)

    def energy(values: np.ndarray) -> float:
        angles = values[variable_of]
        return fused.energy(encoded, angles, masks=masks, coefficients=coefficients)

    result = minimize(
        energy,
        start,
        method="COBYLA",
        options={"maxiter": MAX_EVALUATIONS, "tol": TOLERANCE},
    )
    return int(result.nfev), float(result.fun)


def _tied(circuit: Circuit) -> tuple[EncodedCircuit, np.ndarray, np.ndarray]:
    """Encoded circuit, distinct angle values in order of appearance, and each angle's variable."""
    values = list(dict.fromkeys(circuit.parameters))
    ordered = _topological(circuit)
    variable_of = np.array([values.index(angle) for angle in ordered.parameters])
    return encode(ordered), np.array(values, dtype=np.float64), variable_of


def _topological(circuit: Circuit) -> Circuit:
    """The gates in the order in which Qiskit leaves them after removing final measurements."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import Gate as Numbered

    converted = QuantumCircuit(circuit.num_qubits)
    for place, gate in enumerate(circuit.gates):
        converted.append(Numbered(str(place), len(gate.qubits), []), gate.qubits)
    converted.measure_all()
    converted.remove_final_measurements()
    gates = (circuit.gates[int(instruction.name)] for instruction in converted.data)
    return Circuit(circuit.num_qubits, tuple(gates))


def _terms(hamiltonian: IsingHamiltonian, num_qubits: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the qubits of each term, and coefficients."""
    # Terms on qubits that the circuit lacks read those as 0: Z is 1 there.
    masks = [sum(1 << q for q in wires if q < num_qubits) for _, wires in hamiltonian.terms]
    return np.array(masks, dtype=np.int64), np.array([c for c, _ in hamiltonian.terms])


def _send(stream: Any, message: Any) -> None:
    pickle.dump(message, stream)
    stream.flush()


def _serve() -> None:
    """Helper process: a request on standard input, an answer on standard output, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not mix with the answers
    while True:
        try:
            circuit, hamiltonian = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _send(answers, minimise(circuit, hamiltonian))


if __name__ == "__main__":
    _serve()
