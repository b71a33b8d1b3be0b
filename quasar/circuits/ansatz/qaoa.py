"""The quantum approximate optimisation ansatz for a diagonal Hamiltonian, and its multi-angle form.

Takes H = Σ_k c_k ∏Z and one (γ, β) a layer, in radians; gives the circuit
    ∏_ℓ [ exp(−i·β_ℓ·Σ_q X_q) · exp(−i·γ_ℓ·H) ] |+…+⟩
in the published gate order: `h` on every qubit; per layer each term in printed order as a cx ladder
onto its first qubit, `rz(2·γ·c)`, the ladder undone; then per qubit `h; rz(2·β); h` (= rx(2β)).
QAOA: Farhi, Goldstone, Gutmann, arXiv 1411.4028. Multi-angle QAOA: Herrman, Lotshaw, Ostrowski,
Humble, Siopsis, Sci. Rep. 12, 6781 (2022).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.circuits.ansatz.base import Ansatz, ParameterisedCircuit
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit, Gate
from quasar.problems.hamiltonian import IsingHamiltonian


def qaoa_circuit(
    hamiltonian: IsingHamiltonian,
    gammas: Sequence[float],
    betas: Sequence[float],
    *,
    decimals: int = PUBLISHED_DECIMALS,
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
            if not canonical or angle != 0.0:
                gates += _term(wires, angle)
        angle = emitted_angle(2 * beta, decimals=decimals, canonical=canonical)
        if not canonical or angle != 0.0:
            for q in range(hamiltonian.num_qubits):
                gates += _mixer(q, angle)
    return Circuit(hamiltonian.num_qubits, tuple(gates))


def emitted_angle(angle: float, *, decimals: int, canonical: bool) -> float:
    """The rz angle (radians) as it is printed: wrapped if canonical, then rounded."""
    return round(wrap_angle(angle) if canonical else angle, decimals)


def wrap_angle(angle: float) -> float:
    """The angle modulo 2π in (−π, π]; rz of the two differ by a global phase only."""
    return math.pi - (math.pi - angle) % (2 * math.pi)


def _term(wires: tuple[int, ...], angle: float) -> list[Gate]:
    """exp(−i·(angle/2)·∏Z) on the wires."""
    ladder = [Gate("cx", (wires[i], wires[i - 1])) for i in range(len(wires) - 1, 0, -1)]
    return [*ladder, Gate("rz", (wires[0],), (angle,)), *reversed(ladder)]


def _mixer(qubit: int, angle: float) -> list[Gate]:
    """exp(−i·(angle/2)·X)."""
    return [Gate("h", (qubit,)), Gate("rz", (qubit,), (angle,)), Gate("h", (qubit,))]


@dataclass(frozen=True)
class Qaoa(Ansatz):
    """Parameters (γ_1…γ_p, β_1…β_p)."""

    name = family = "qaoa"
    summary = "QAOA: one cost angle and one mixer angle a layer"

    def circuit(self, hamiltonian: IsingHamiltonian, *, layers: int = 1) -> ParameterisedCircuit:
        """2·layers parameters; see `Ansatz.circuit`."""
        self._check(hamiltonian.num_qubits, layers)
        num_terms, num_qubits = len(hamiltonian.terms), hamiltonian.num_qubits
        scales = [2.0 * c for c, _ in hamiltonian.terms] + [2.0] * num_qubits
        slots = [
            slot
            for layer in range(layers)
            for slot in [layer] * num_terms + [layers + layer] * num_qubits
        ]
        zeros = [0.0] * layers
        return ParameterisedCircuit(
            qaoa_circuit(hamiltonian, zeros, zeros),
            np.array(slots, dtype=np.int64),
            np.array(scales * layers),
            2 * layers,
        )


@dataclass(frozen=True)
class MultiAngleQaoa(Ansatz):
    """A cost angle for each term and a mixer angle for each qubit, in every layer.

    Parameters layer by layer: γ of each term with a coefficient (printed order), β of each qubit.
    """

    name = family = "ma_qaoa"
    summary = "multi-angle QAOA: a cost angle a term and a mixer angle a qubit, in each layer"

    def circuit(self, hamiltonian: IsingHamiltonian, *, layers: int = 1) -> ParameterisedCircuit:
        """layers·(terms with a coefficient + qubits) parameters; see `Ansatz.circuit`."""
        num_qubits = hamiltonian.num_qubits
        self._check(num_qubits, layers)
        terms = list(hamiltonian.interactions())
        layer = [gate for _, wires in terms for gate in _term(wires, 0.0)]
        layer += [gate for q in range(num_qubits) for gate in _mixer(q, 0.0)]
        start = [Gate("h", (q,)) for q in range(num_qubits)]
        scales = np.array([2.0 * c for c, _ in terms] + [2.0] * num_qubits)
        num_parameters = layers * scales.size
        return ParameterisedCircuit(
            Circuit(num_qubits, tuple(start + layer * layers)),
            np.arange(num_parameters),
            np.tile(scales, layers),
            num_parameters,
        )
