"""The quantum approximate optimisation ansatz for a diagonal Hamiltonian.

Takes H = Σ_k c_k ∏Z and one (γ, β) a layer, in radians; gives the circuit
    ∏_ℓ [ exp(−i·β_ℓ·Σ_q X_q) · exp(−i·γ_ℓ·H) ] |+…+⟩
in the published gate order: `h` on every qubit; per layer each term in printed order as a cx ladder
onto its first qubit, `rz(2·γ·c)`, the ladder undone; then per qubit `h; rz(2·β); h` (= rx(2β)).
"""

import math
from collections.abc import Sequence

from quasar.circuits.circuit import Circuit, Gate
from quasar.problems.hamiltonian import IsingHamiltonian


def qaoa_circuit(
    hamiltonian: IsingHamiltonian,
    gammas: Sequence[float],
    betas: Sequence[float],
    *,
    decimals: int = 4,
    canonical: bool = False,
) -> Circuit:
    """The circuit with its angles rounded to `decimals`, so that it equals its own `to_qasm` text.

    canonical=False is the published form, gate for gate (terms with coefficient 0 emit `rz(0)`).
    canonical=True prepares the same state with the shortest finite alphabet of angles: each rz
    angle is wrapped into (−π, π] (rz by 2π is a global phase of −1), and rotations that round to
    zero are left out with their ladders. Raises ValueError if the two sequences differ in length.
    """
    gates = [Gate("h", (q,)) for q in range(hamiltonian.num_qubits)]
    for gamma, beta in zip(gammas, betas, strict=True):
        for coefficient, wires in hamiltonian.terms:
            angle = emitted_angle(2 * gamma * coefficient, decimals=decimals, canonical=canonical)
            if canonical and angle == 0.0:
                continue
            ladder = [Gate("cx", (wires[i], wires[i - 1])) for i in range(len(wires) - 1, 0, -1)]
            gates += [*ladder, Gate("rz", (wires[0],), (angle,)), *reversed(ladder)]
        angle = emitted_angle(2 * beta, decimals=decimals, canonical=canonical)
        if canonical and angle == 0.0:
            continue
        for q in range(hamiltonian.num_qubits):
            gates += [Gate("h", (q,)), Gate("rz", (q,), (angle,)), Gate("h", (q,))]
    return Circuit(hamiltonian.num_qubits, tuple(gates))


def emitted_angle(angle: float, *, decimals: int, canonical: bool) -> float:
    """The rz angle (radians) as it is printed: wrapped if canonical, then rounded."""
    return round(wrap_angle(angle) if canonical else angle, decimals)


def wrap_angle(angle: float) -> float:
    """The angle modulo 2π in (−π, π]; rz of the two differ by a global phase only."""
    return math.pi - (math.pi - angle) % (2 * math.pi)
