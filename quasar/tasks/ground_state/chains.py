"""Ground states of chains of more sites than a vector has room for: facts, measure, teacher.

The same parts and verdict as below `families.MAX_QUBITS`, from matrix product states, each figure
with what it is uncertain by:

- E0 by sweeps (`quasar.simulation.dmrg`), stated with its σ.
- ⟨H⟩ of a circuit by its matrix product state. Where a gate drops the weight w, the state moves
  by at most √(2w); ε is the sum over all gates, and ⟨H⟩ is off by at most 2ε·Σ|c|. Both parts are
  taken at the bad end: energy + error, and (√F − ε)².
- The ground space is spanned by the state found and its mirror image under X on every site, which
  all of these Hamiltonians keep; of the two only what lies within the error of E0. So an odd chain
  has its two states, and a split of the ground level below the error is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.errors import TaskError
from quasar.problems.pauli import PauliSum
from quasar.simulation.base import MatrixProductLimits
from quasar.simulation.dmrg import ChainGround, chain_ground
from quasar.simulation.matrix_product import MatrixProductState, environments
from quasar.simulation.matrix_product_circuit import run_circuit
from quasar.tasks.base import TaskInstance
from quasar.tasks.ground_state.families import Model
from quasar.tasks.ground_state.found import GroundFacts, GroundFound
from quasar.tasks.ground_state.staircase import staircases
from quasar.tasks.product_states import ProductState

# Nothing is dropped below the bond dimension but rounding, so that ε says what the bond costs.
LIMITS = MatrixProductLimits(bond_dimension=64, truncation=1e-24)
_STARTS, _SWEEPS = 4, 60
_SEED = 0
_CONVERGED = 1e-8
_ROUNDING = 1e-10  # of an energy, a site
_SPARED = 0.9  # of the tolerance: what rounding of angles to two decimals may take the rest of


@dataclass(frozen=True)
class ChainFacts(GroundFacts):
    """As `GroundFacts`, of a chain. `ground` is a `ChainGround`, `sector` None."""

    ground: ChainGround  # type: ignore[assignment]  # has what is asked of a ground space here
    sector: None = None

    @classmethod
    def of(cls, model: Model) -> "ChainFacts":
        """Takes seconds; the same model is worked out once."""
        return cls(model, _ground(model.hamiltonian), None)

    @cached_property
    def closest(self) -> ProductState:
        """Of largest overlap with the ground space, of those that alternating steps find."""
        return _closest(self.ground, self.product)

    @cached_property
    def wanted(self) -> np.ndarray:
        """Mean of each string in the ground state."""
        return self.ground.states[0].means(self.hamiltonian)

    @property
    def nbytes(self) -> int:
        """About."""
        return sum(state.nbytes for state in self.ground.states)


@dataclass(frozen=True)
class ChainFound(GroundFound):
    """As `GroundFound`; energy and fidelity are those of the truncated state.

    error: how far the energy can be from the circuit's; moved: ε, how far the state can be.
    """

    state: MatrixProductState  # type: ignore[assignment]
    error: float = 0.0
    moved: float = 0.0

    @property
    def means(self) -> np.ndarray:
        """Of each string of the Hamiltonian."""
        return self.state.means(self.facts.hamiltonian)

    @property
    def worst_energy(self) -> float:
        """⟨H⟩ at most."""
        return self.energy + self.error

    @property
    def least_fidelity(self) -> float:
        """F at least."""
        return max(0.0, self.fidelity**0.5 - self.moved) ** 2

    @property
    def off(self) -> float:
        """|⟨H⟩ − E0| at most, with the error of E0."""
        ground = self.facts.ground
        assert isinstance(ground, ChainGround)
        return abs(self.energy - ground.energy) + self.error + ground.error


def measure(circuit: Circuit, facts: ChainFacts) -> ChainFound:
    """One simulation."""
    state, moved = run_circuit(circuit, LIMITS)
    hamiltonian = facts.hamiltonian
    means = state.means(hamiltonian)
    size = hamiltonian.one_norm - abs(hamiltonian.constant)
    return ChainFound(
        facts=facts,
        state=state,
        energy=float(means @ [term.coefficient for term in hamiltonian.terms]),
        fidelity=facts.ground.overlap(state),
        in_sector=1.0,
        error=2.0 * size * min(1.0, moved),
        moved=min(1.0, moved),
    )


def figures(found: ChainFound) -> Mapping[str, float]:
    """As `TaskSignals.figures`: neither gap nor degeneracy is known, errors are."""
    facts = found.facts
    assert isinstance(facts, ChainFacts)
    return {
        "energy": found.energy,
        "energy_error": found.error,
        "ground_energy": facts.ground.energy,
        "ground_energy_error": facts.ground.error,
        "product_energy": facts.product.value,
        "tolerance": facts.tolerance,
        "fidelity": found.fidelity,
        "fidelity_at_least": found.least_fidelity,
        "product_fidelity": facts.closest.value,
        "bond_dimension": float(found.state.bond_dimension),
    }


def require_ordinary(family: str, parameters: Mapping[str, Any], num_qubits: int) -> None:
    """Raises TaskError for parameters whose ground space the sweeps may find a part of: of a
    ferromagnet it has as many dimensions as sites.
    """
    for name, given in parameters.items():
        least = -1.0 if name == "anisotropy" else 0.0
        if min(given if isinstance(given, list) else [given]) <= least:
            raise TaskError(
                f"{family}: parameter {name!r} must be above {least:g} on {num_qubits} sites (on "
                "up to 14 any number is taken)"
            )


def free_fermion_energy(num_sites: int, coupling: float, field: float) -> float:
    """E0 of the transverse-field Ising chain, exact at any size: minus the sum of the singular
    values of its matrix of fields and couplings (Lieb, Schultz, Mattis, Annals of Physics 16, 407,
    1961; Pfeuty, Annals of Physics 57, 79, 1970).
    """
    matrix = np.diag(np.full(num_sites, field)) + np.diag(np.full(num_sites - 1, coupling), 1)
    return -float(np.linalg.svd(matrix, compute_uv=False).sum())


def second_opinion(instance: TaskInstance, facts: ChainFacts) -> str | None:
    """As `Task.second_opinion`: of transverse-field Ising chains, by free fermions."""
    if instance.family != "tfim_chain":
        return None
    given, n = instance.content["parameters"], instance.num_qubits
    exactly = free_fermion_energy(n, given["coupling"], given["field"])
    if -_ROUNDING * n <= facts.ground.energy - exactly <= facts.ground.error:
        return ""
    return f"E0 is {facts.ground.energy!r}, by free fermions {exactly!r}"


def teach(facts: ChainFacts) -> Circuit:
    """The fewest staircases that are a success with some room to spare; else the best ones."""
    tried: list[tuple[float, Circuit]] = []

    def is_good(circuit: Circuit) -> bool:
        off = measure(circuit, facts).off
        tried.append((off, circuit))
        return off <= _SPARED * facts.tolerance

    found = staircases(facts.ground.states[0], is_good)
    return min(tried, key=lambda one: one[0])[1] if found is None else found


@lru_cache(maxsize=32)
def _ground(hamiltonian: PauliSum) -> ChainGround:
    return chain_ground(hamiltonian)


def _closest(ground: ChainGround, product: ProductState) -> ProductState:
    """Qubit after qubit, the others fixed, from the best product state and others."""
    n, rng = len(product.qubits), np.random.default_rng(_SEED)
    starts = [product.qubits + 0.0]
    starts += [np.tile([1.0, 0.0], (n, 1)), np.eye(2)[np.arange(n) % 2]]
    starts += [rng.normal(size=(n, 2)) for _ in range(_STARTS - len(starts))]
    best = ProductState(-1.0, starts[0])
    for start in starts:
        qubits = start + 1e-3 * rng.normal(size=(n, 2))
        found = _climbed(ground, (qubits / np.linalg.norm(qubits, axis=1, keepdims=True)))
        if found.value > best.value + 1e-12:
            best = found
    return best


def _climbed(ground: ChainGround, qubits: np.ndarray) -> ProductState:
    value, qubits = 0.0, qubits.astype(np.complex128)
    n = len(qubits)
    for _ in range(_SWEEPS):
        before = value
        product = MatrixProductState.of_product(qubits).tensors
        rights = []
        for state in ground.states:
            mirrored = (
                [t.transpose(2, 1, 0) for t in reversed(ts)] for ts in (state.tensors, product)
            )
            rights.append(environments(*mirrored)[::-1])
        lefts = [np.ones(1) for _ in ground.states]
        for q in range(n):
            around = np.array(
                [
                    np.einsum("l,lsr,r->s", left, state.tensors[q], right[q + 1][:, 0])
                    for left, state, right in zip(lefts, ground.states, rights, strict=True)
                ]
            )
            rows = ground.mix.T @ around  # ⟨ground_d|, what is around the qubit
            levels, vectors = np.linalg.eigh(rows.conj().T @ rows)
            qubits[q], value = vectors[:, -1], float(levels[-1])
            lefts = [
                np.einsum("l,lsr,s->r", left, state.tensors[q], qubits[q])
                for left, state in zip(lefts, ground.states, strict=True)
            ]
        if value - before < _CONVERGED * value:
            break
    return ProductState(min(1.0, value), qubits)
