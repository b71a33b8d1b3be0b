"""Molecules along their bond, from a table that `benchmarks/molecule_table.py` made with PySCF.

STO-3G; energies in hartree, bond lengths in ångström. At the table's bond lengths coefficients are
the table's; between them a quintic spline in the logarithm of the bond length, which differs from
PySCF's at the midpoints by at most 1.2e-6 hartree in any coefficient and 1.1e-6 in the lowest
energy (H2 at 0.325 Å; beyond 0.5 Å, and for LiH, at most 2e-7 in the energy).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from quasar.errors import TaskError
from quasar.problems.pauli import PauliSum

CHEMICAL_ACCURACY = 1.6e-3  # hartree: one kilocalorie a mole


@dataclass(frozen=True, slots=True)
class Molecule:
    """A row of the table: sentence; size; electrons of each spin, where the mapping shows them;
    the basis state of Hartree–Fock, where it is one bit an electron.
    """

    sentence: str
    num_qubits: int
    electrons: tuple[int, int] | None
    hartree_fock: int | None


MOLECULES: Mapping[str, Molecule] = {
    "h2": Molecule("hydrogen molecule, STO-3G, Jordan-Wigner on 4 qubits", 4, (1, 1), 0b0101),
    "h2_parity": Molecule("hydrogen molecule, STO-3G, parity mapping on 2 qubits", 2, None, None),
    "lih": Molecule(
        "lithium hydride, STO-3G, two electrons in three orbitals, parity mapping on 4 qubits",
        4,
        None,
        None,
    ),
}


@cache
def _table() -> Mapping[str, Any]:
    place = resources.files("quasar").joinpath("tasks/ground_state/molecules.json")
    return json.loads(place.read_text("utf-8"))


def bond_lengths(name: str) -> tuple[float, ...]:
    """The bond lengths (Å) of the table, ascending; the first and the last are the range."""
    return tuple(_table()[name]["bond_lengths"])


def full_ci(name: str, bond_length: float) -> float:
    """The energy of full configuration interaction in the active orbitals, hartree. Raises as
    `hamiltonian`.
    """
    return _row(name, bond_length)[1]


def hamiltonian(name: str, bond_length: float) -> PauliSum:
    """Raises TaskError for a bond length outside the table's range."""
    terms = zip(_row(name, bond_length)[0], _table()[name]["words"], strict=True)
    return PauliSum.of(MOLECULES[name].num_qubits, terms)


def _row(name: str, bond_length: float) -> tuple[list[float], float]:
    """(coefficients, energy)"""
    found, lengths = _table()[name], bond_lengths(name)
    nearest = min(range(len(lengths)), key=lambda k: abs(lengths[k] - bond_length))
    if abs(lengths[nearest] - bond_length) <= 1e-9:
        return found["coefficients"][nearest], found["full_ci"][nearest]
    if not lengths[0] < bond_length < lengths[-1]:
        raise TaskError(
            f"{name}: parameter 'bond_length' is {bond_length:g} Å, expected {lengths[0]:g} to "
            f"{lengths[-1]:g}"
        )
    *coefficients, energy = _curves(name)(np.log(bond_length)).tolist()
    return coefficients, energy


@cache
def _curves(name: str) -> Any:
    """The spline of all coefficients and the energy."""
    from scipy.interpolate import make_interp_spline  # commands at a table's point need none

    found = _table()[name]
    values = np.column_stack([found["coefficients"], found["full_ci"]])
    # The repulsion of the nuclei, 1/r, is smoother in log r than in r.
    return make_interp_spline(np.log(found["bond_lengths"]), values, k=5)
