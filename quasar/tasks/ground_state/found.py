"""What is exact of a ground state, what is measured of a circuit, and what a person is shown of it.

Plain data; the task (`quasar.tasks.ground_state.task`) makes it. Energies are in the Hamiltonian's
unit: hartree for molecules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from quasar.problems.pauli import PauliSum, PauliTerm
from quasar.simulation.eigensolver import GroundSpace
from quasar.simulation.statevector import exact
from quasar.tasks.ground_state.families import Model
from quasar.tasks.product_states import (
    ProductState,
    closest_product_state,
    lowest_product_state,
)

SHARE = 0.02  # of E_ref − E0: what counts as found, of a lattice
_DRAWN_TERMS = 16


@dataclass(frozen=True)
class GroundFacts:
    """What is exact of an instance; what takes long, when it is asked for."""

    model: Model
    ground: GroundSpace
    sector: np.ndarray | None  # bool (2**n,), the basis states of the sector; None: all

    @cached_property
    def product(self) -> ProductState:
        """Of lowest energy."""
        return lowest_product_state(self.hamiltonian)

    @cached_property
    def closest(self) -> ProductState:
        """Of largest overlap with the ground space."""
        return closest_product_state(self.ground.basis)

    @cached_property
    def wanted(self) -> np.ndarray:
        """Mean of each string in the ground space."""
        means = [exact.string_means(state, self.hamiltonian) for state in self.ground.basis.T]
        return np.mean(means, axis=0)

    @property
    def nbytes(self) -> int:
        """About."""
        return self.ground.basis.nbytes + self.hamiltonian.tables.nbytes

    @property
    def hamiltonian(self) -> PauliSum:
        return self.model.hamiltonian

    @property
    def room(self) -> float:
        """E_ref − E0."""
        return self.product.value - self.ground.energy

    @property
    def tolerance(self) -> float:
        """Largest |⟨H⟩ − E0| of a success."""
        return SHARE * self.room if self.model.tolerance is None else self.model.tolerance


@dataclass(frozen=True)
class GroundFound:
    """What was measured of a circuit."""

    facts: GroundFacts
    state: np.ndarray
    energy: float
    fidelity: float
    in_sector: float  # weight, 1 where there is no sector

    @property
    def means(self) -> np.ndarray:
        """Of each string of the Hamiltonian."""
        return exact.string_means(self.state, self.facts.hamiltonian)

    @property
    def worst_energy(self) -> float:
        """⟨H⟩ at most; here exact."""
        return self.energy

    @property
    def least_fidelity(self) -> float:
        """F at least; here exact."""
        return self.fidelity

    @property
    def off(self) -> float:
        """|⟨H⟩ − E0| at most."""
        return abs(self.energy - self.facts.ground.energy)


class Excess(NamedTuple):
    """A term, the mean of its string in the circuit's state and in the ground space, and what it
    adds to ⟨H⟩ − E0.
    """

    term: PauliTerm
    mean: float
    wanted: float
    excess: float


def excesses(found: GroundFound) -> list[Excess]:
    """Of every term but the identity."""
    hamiltonian, wanted, means = found.facts.hamiltonian, found.facts.wanted, found.means
    return [
        Excess(t, float(mean) + 0.0, float(want) + 0.0, float(t.coefficient * (mean - want)))
        for t, mean, want in zip(hamiltonian.terms, means, wanted, strict=True)
        if t.word != "I"
    ]


def draw_levels(found: GroundFound) -> Mapping[str, Any]:
    """As `TaskSignals.drawing`: levels, the error in its unit, the terms that add most to it."""
    facts, ground = found.facts, found.facts.ground
    levels = [
        {"name": "ground state", "energy": ground.energy},
        {"name": "this circuit", "energy": found.energy},
        {"name": "best product state", "energy": facts.product.value},
    ]
    if ground.gap:
        levels.append({"name": "next level", "energy": ground.energy + ground.gap})
    terms = sorted(excesses(found), key=lambda t: -abs(t.excess))
    return {
        "kind": "levels",
        "levels": levels,
        "gap": ground.gap,
        "fidelity": found.fidelity,
        "error": _error_shown(found),
        "terms": [
            {
                "word": t.term.word,
                "coefficient": t.term.coefficient,
                "mean": t.mean,
                "wanted": t.wanted,
                "excess": t.excess,
            }
            for t in terms[:_DRAWN_TERMS]
        ],
        "omitted": max(0, len(terms) - _DRAWN_TERMS),
    }


def _error_shown(found: GroundFound) -> dict[str, Any]:
    """⟨H⟩ − E0 and the largest one of a success, in the unit that they are spoken of in."""
    facts = found.facts
    error = found.energy - facts.ground.energy
    if facts.model.tolerance is not None:
        return {"value": 1e3 * error, "tolerance": 1e3 * facts.tolerance, "unit": "mHa"}
    unit = "% of the best product state's error"
    return {"value": 100 * error / facts.room, "tolerance": 100 * SHARE, "unit": unit}
