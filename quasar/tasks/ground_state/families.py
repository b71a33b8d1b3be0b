"""Hamiltonians by family: spin chains and patches, the Hubbard model, molecules.

Takes a family, its parameters and a number of qubits; gives a `PauliSum` and the sector that the
ground state is sought in. Lattices, with sites 0…n−1 along the rows of a patch:

    tfim     H = −J Σ Z_i Z_j − h Σ X_i                        (bonds i,j; transverse-field Ising)
    xxz      H = J Σ (X_i X_j + Y_i Y_j + Δ Z_i Z_j)
    heisenberg_chain  H = Σ_i J_i (X_i X_{i+1} + Y_i Y_{i+1} + Z_i Z_{i+1})
    hubbard  H = −t Σ_σ (c†_iσ c_jσ + h.c.) + U Σ_i (n_i↑ − ½)(n_i↓ − ½), Jordan–Wigner, up first

The Hubbard model is at half filling, where its ground state lies without a chemical potential.
Molecules are curves along their bond (`molecules`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quasar.errors import TaskError
from quasar.problems.pauli import PauliSum
from quasar.tasks.ground_state.molecules import (
    CHEMICAL_ACCURACY,
    MOLECULES,
    bond_lengths,
    hamiltonian,
)

Bond = tuple[int, int]
CUSTOM = "custom"
FAMILIES: Mapping[str, str] = {
    "tfim_chain": "transverse-field Ising model on an open chain",
    "tfim_ring": "transverse-field Ising model on a ring",
    "tfim_square": "transverse-field Ising model on a square patch",
    "xxz_chain": "XXZ model on an open chain",
    "heisenberg_chain": "Heisenberg model on an open chain with random couplings",
    "heisenberg_ladder": "Heisenberg model on a ladder of two legs",
    "hubbard_chain": "Fermi-Hubbard model on an open chain at half filling",
    "hubbard_square": "Fermi-Hubbard model on a square of four sites at half filling",
    **{name: entry.sentence for name, entry in MOLECULES.items()},
    CUSTOM: "a Hamiltonian that is given term by term",
}
# Names of the numbers of each family, with the range that they are drawn from.
_LATTICE: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "tfim_chain": {"coupling": (0.5, 1.5), "field": (0.3, 2.0)},
    "tfim_ring": {"coupling": (0.5, 1.5), "field": (0.3, 2.0)},
    "tfim_square": {"coupling": (0.5, 1.5), "field": (0.5, 4.0)},
    "xxz_chain": {"coupling": (0.5, 1.5), "anisotropy": (-0.8, 2.5)},
    "heisenberg_ladder": {"rung": (0.3, 2.0), "leg": (0.5, 1.5)},
    "hubbard_chain": {"hopping": (0.5, 1.5), "repulsion": (0.5, 8.0)},
    "hubbard_square": {"hopping": (0.5, 1.5), "repulsion": (0.5, 8.0)},
}
_COUPLINGS = (0.4, 1.6)  # of the Heisenberg chain
_DECIMALS = 2
MAX_QUBITS = 14
# Of these, matrix product states give what vectors give of others (`chains`).
CHAINS = ("tfim_chain", "xxz_chain", "heisenberg_chain")
MAX_SITES = 30


@dataclass(frozen=True, slots=True)
class Sector:
    """Numbers of electrons of each spin; modes are spin up first, by Jordan–Wigner."""

    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Model:
    """A Hamiltonian, where its ground state is sought, and what counts as having found it.

    tolerance: absolute, in the Hamiltonian's unit; None: a share of the distance to the baseline.
    product: a basis state that is a good start (Hartree–Fock); None where none is known.
    """

    hamiltonian: PauliSum
    sector: Sector | None = None
    tolerance: float | None = None
    product: int | None = None


def possible_qubits(family: str, at_most: int) -> tuple[int, ...]:
    """Sizes of the family, ascending."""
    at_most = min(at_most, MAX_SITES if family in CHAINS else MAX_QUBITS)
    if family in MOLECULES:
        sizes = [MOLECULES[family].num_qubits]
    elif family == CUSTOM:
        sizes = []
    elif family == "tfim_square":
        sizes = [4, 6, 8, 9, 10, 12]
    elif family == "hubbard_square":
        sizes = [8]
    elif family in ("heisenberg_ladder", "hubbard_chain"):
        sizes = list(range(4, at_most + 1, 2))
    else:
        sizes = list(range(3 if family == "tfim_ring" else 2, at_most + 1))
    return tuple(size for size in sizes if size <= at_most)


def draw(rng: np.random.Generator, family: str, num_qubits: int) -> dict[str, Any]:
    """Random parameters of the family."""
    if family in MOLECULES:
        shortest, *_, longest = bond_lengths(family)
        return {"bond_length": round(float(rng.uniform(shortest, longest)), _DECIMALS)}
    if family == "heisenberg_chain":
        couplings = rng.uniform(*_COUPLINGS, num_qubits - 1)
        return {"couplings": [round(float(c), _DECIMALS) for c in couplings]}
    return {
        name: round(float(rng.uniform(low, high)), _DECIMALS)
        for name, (low, high) in _LATTICE[family].items()
    }


def middle(family: str, num_qubits: int) -> dict[str, Any] | None:
    """Parameters in the middle of those that are drawn; None of a custom Hamiltonian."""
    if family == CUSTOM:
        return None
    if family in MOLECULES:
        lengths = bond_lengths(family)
        return {"bond_length": lengths[len(lengths) // 2]}
    if family == "heisenberg_chain":
        return {"couplings": [sum(_COUPLINGS) / 2] * (num_qubits - 1)}
    return {name: (low + high) / 2 for name, (low, high) in _LATTICE[family].items()}


def parameter_names(family: str) -> tuple[str, ...]:
    """The parameters of a family; of the Heisenberg chain a list, of all others numbers."""
    if family in MOLECULES:
        return ("bond_length",)
    return tuple(_LATTICE[family]) if family in _LATTICE else ("couplings",)


def spelt_out(family: str, parameters: Mapping[str, Any], num_qubits: int) -> dict[str, Any]:
    """The parameters as an instance has them: one number for all couplings becomes their list."""
    found = dict(parameters)
    couplings = found.get("couplings")
    number = isinstance(couplings, (int, float)) and not isinstance(couplings, bool)
    if family == "heisenberg_chain" and number:
        found["couplings"] = [couplings] * (num_qubits - 1)
    return found


def build(family: str, parameters: Mapping[str, Any], num_qubits: int) -> Model:
    """The model. Raises TaskError naming the parameter that is missing, unknown or no number."""
    if family in MOLECULES:
        (length,) = _numbers(family, parameters, ("bond_length",))
        entry = MOLECULES[family]
        sector = Sector(*entry.electrons) if entry.electrons else None
        return Model(
            hamiltonian(family, length), sector, CHEMICAL_ACCURACY, product=entry.hartree_fock
        )
    if family == "heisenberg_chain":
        couplings = _couplings(parameters, num_qubits - 1)
        terms = [(c, f"{p}{q}*{p}{q + 1}") for q, c in enumerate(couplings) for p in "XYZ"]
        return Model(PauliSum.of(num_qubits, terms))
    one, two = _numbers(family, parameters, tuple(_LATTICE[family]))
    if family.startswith("tfim"):
        bonds = _bonds(family, num_qubits)
        terms = [(-one, f"Z{a}*Z{b}") for a, b in bonds]
        terms += [(-two, f"X{q}") for q in range(num_qubits)]
    elif family == "xxz_chain":
        terms = [
            (one * (two if p == "Z" else 1.0), f"{p}{a}*{p}{b}")
            for a, b in _chain(num_qubits)
            for p in "XYZ"
        ]
    elif family == "heisenberg_ladder":
        length = num_qubits // 2
        legs = [pair for k in (0, length) for pair in _chain(length, first=k)]
        rungs = [(q, q + length) for q in range(length)]
        terms = [(one, f"{p}{a}*{p}{b}") for a, b in rungs for p in "XYZ"]
        terms += [(two, f"{p}{a}*{p}{b}") for a, b in legs for p in "XYZ"]
    else:
        sites = num_qubits // 2
        bonds = _square(2, 2) if family == "hubbard_square" else _chain(sites)
        sector = Sector(up=(sites + 1) // 2, down=sites // 2)
        return Model(PauliSum.of(num_qubits, _hubbard(bonds, sites, one, two)), sector)
    return Model(PauliSum.of(num_qubits, terms))


def _bonds(family: str, num_qubits: int) -> list[Bond]:
    if family == "tfim_square":
        rows = 3 if num_qubits in (9, 12) else 2
        return _square(rows, num_qubits // rows)
    ring = [(num_qubits - 1, 0)] if family == "tfim_ring" else []
    return _chain(num_qubits) + ring


def _chain(length: int, *, first: int = 0) -> list[Bond]:
    return [(q, q + 1) for q in range(first, first + length - 1)]


def _square(rows: int, columns: int) -> list[Bond]:
    along = [
        (r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1)
    ]
    across = [(q, q + columns) for q in range((rows - 1) * columns)]
    return along + across


def _hubbard(
    bonds: list[Bond], sites: int, hopping: float, repulsion: float
) -> list[tuple[float, str]]:
    terms = []
    for a, b in bonds:
        for first in (0, sites):
            between = "".join(f"*Z{q}" for q in range(first + a + 1, first + b))
            terms += [(-hopping / 2, f"{p}{first + a}{between}*{p}{first + b}") for p in ("X", "Y")]
    # (n↑ − ½)(n↓ − ½) = Z↑Z↓/4
    return terms + [(repulsion / 4, f"Z{s}*Z{s + sites}") for s in range(sites)]


def _numbers(family: str, given: Mapping[str, Any], names: tuple[str, ...]) -> list[float]:
    for name in given:
        if name not in names:
            raise TaskError(f"{family}: parameter {name!r} is not used (it takes: {_list(names)})")
    for name in names:
        if name not in given:
            raise TaskError(f"{family}: parameter {name!r} is missing (it takes: {_list(names)})")
    return [_number(f"{family}: parameter {name!r}", given[name]) for name in names]


def _couplings(given: Mapping[str, Any], count: int) -> list[float]:
    where = "heisenberg_chain: parameter 'couplings'"
    if set(given) != {"couplings"} or not isinstance(given["couplings"], (list, tuple)):
        raise TaskError(f"{where} must be given, alone, as a list or one number")
    if len(given["couplings"]) != count:
        raise TaskError(
            f"{where} has {len(given['couplings'])} numbers; the chain has {count} bonds"
        )
    return [_number(where, value) for value in given["couplings"]]


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e6:
        raise TaskError(f"{where} is {value!r}, expected a number")
    return float(value)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)
