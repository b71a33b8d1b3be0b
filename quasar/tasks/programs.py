"""What teachers share: circuits as programs, exact preparation of a vector, tuned angles."""

from collections.abc import Sequence

import numpy as np

from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.problems.pauli import PauliSum
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient

DECIMALS = 4  # of angles in a teacher's program


def rounded(circuit: Circuit, decimals: int = DECIMALS) -> Circuit:
    """With angles in (−π, π] as they are printed; rotations by 0 are left out."""
    gates = []
    for gate in circuit.gates:
        turns = gate.params if len(gate.qubits) > 1 else map(_wrapped, gate.params)
        angles = tuple(round(angle, decimals) + 0.0 for angle in turns)
        if not angles or any(angles):
            gates.append(Gate(gate.name, gate.qubits, angles))
    return Circuit(circuit.num_qubits, tuple(gates))


def program(circuit: Circuit, *, decimals: int = DECIMALS, comments: Sequence[str] = ()) -> str:
    """OpenQASM 3; comments stand behind the include, a line each."""
    text = rounded(circuit, decimals).to_qasm(decimals=decimals)
    head, include, rest = text.partition('include "stdgates.inc";\n')
    return head + include + "".join(f"// {line}\n" for line in comments) + rest


def _wrapped(angle: float) -> float:
    """The same rotation up to a sign of the state, which nothing sees where it has no control."""
    return float(angle - 2 * np.pi * np.ceil((angle - np.pi) / (2 * np.pi)))


def tuned(
    circuit: Circuit, observable: PauliSum, rng: np.random.Generator, *, starts: int, steps: int
) -> tuple[float, Circuit]:
    """(energy, the circuit at its angles): the best descent from small random angles (L-BFGS)."""
    from scipy.optimize import minimize  # a third of a second that commands need not wait for

    encoded, best = encode(circuit), (np.inf, circuit)
    for _ in range(starts):
        found = minimize(
            lambda angles: energy_and_gradient(encoded, observable, angles),
            rng.normal(0.0, 0.4, len(circuit.parameters)),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps},
        )
        if found.fun < best[0] - 1e-9:
            best = (float(found.fun), circuit.with_parameters(found.x))
    return best


def real_layers(num_qubits: int, layers: int) -> Circuit:
    """ry on every qubit, then `layers` times a chain of cx and ry on every qubit."""
    turn = [Gate("ry", (q,), (0.0,)) for q in range(num_qubits)]
    chain = [Gate("cx", (q, q + 1)) for q in range(num_qubits - 1)]
    return Circuit(num_qubits, tuple(turn + (chain + turn) * layers))


def prepared(vector: np.ndarray) -> Circuit:
    """A circuit from |0…0⟩ to the vector, up to a phase: uniformly controlled rotations, qubit by
    qubit from the highest (Möttönen, Vartiainen, Bergholm, Salomaa, quant-ph/0407010).
    """
    n = len(vector).bit_length() - 1
    largest = vector[np.argmax(np.abs(vector))]
    vector = np.asarray(vector * np.exp(-1j * np.angle(largest)), dtype=np.complex128)
    if np.allclose(np.imag(vector), 0.0, atol=1e-12):  # signs are turns: no phases are needed
        sizes, phases = [np.real(vector)], [np.zeros(len(vector))]
    else:
        sizes = [np.abs(vector)]
        phases = [np.angle(vector) * (sizes[0] > 1e-12)]
    while sizes[-1].size > 1:
        pairs, angles = sizes[-1].reshape(-1, 2), phases[-1].reshape(-1, 2)
        sizes.append(np.sqrt((pairs**2).sum(axis=1)))
        phases.append(angles.mean(axis=1))
    gates: list[Gate] = []
    # Level k has a pair for each state of the qubits above k − 1; its own qubit is k − 1.
    for k in range(n, 0, -1):
        pairs, angles = sizes[k - 1].reshape(-1, 2), phases[k - 1].reshape(-1, 2)
        turns = 2.0 * np.arctan2(pairs[:, 1], pairs[:, 0])
        gates += _multiplexed("ry", k - 1, tuple(range(k, n)), turns)
    for k in range(n, 0, -1):
        angles = phases[k - 1].reshape(-1, 2)
        gates += _multiplexed("rz", k - 1, tuple(range(k, n)), angles[:, 1] - angles[:, 0])
    return Circuit(n, tuple(gates))


def _multiplexed(
    name: str, target: int, controls: tuple[int, ...], angles: np.ndarray
) -> list[Gate]:
    """The rotation by angles[i] where the controls hold i, the first control its lowest bit."""
    if np.allclose(angles, 0.0, atol=1e-12):
        return []
    if np.allclose(angles, angles[0], atol=1e-12) or not controls:
        return [Gate(name, (target,), (float(angles[0]),))]
    *lower, top = controls
    half = angles.size // 2
    mean, difference = (angles[:half] + angles[half:]) / 2, (angles[:half] - angles[half:]) / 2
    first = _multiplexed(name, target, tuple(lower), mean)
    second = _multiplexed(name, target, tuple(lower), difference)
    if not second:
        return first
    flip = Gate("cx", (top, target))
    return [*first, flip, *second, flip]


def from_qiskit(circuit) -> Circuit:
    """A Qiskit circuit of standard gates as one of ours."""
    names = {"u": "U", "u1": "p"}
    gates = []
    for step in circuit.data:
        name = names.get(step.operation.name, step.operation.name)
        assert name in STANDARD_GATES, name
        qubits = tuple(circuit.find_bit(bit).index for bit in step.qubits)
        gates.append(Gate(name, qubits, tuple(map(float, step.operation.params))))
    return Circuit(circuit.num_qubits, tuple(gates))
