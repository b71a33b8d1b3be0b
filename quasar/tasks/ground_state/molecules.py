"""Molecules along their bond, from a table that `benchmarks/molecule_table.py` made with PySCF.

STO-3G; energies in hartree, bond lengths in ångström.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

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
    """The bond lengths (Å) of the table, ascending."""
    return tuple(_table()[name]["bond_lengths"])


def full_ci(name: str, bond_length: float) -> float:
    """The energy of full configuration interaction in the active orbitals, hartree."""
    return _table()[name]["full_ci"][_place(name, bond_length)]


def hamiltonian(name: str, bond_length: float) -> PauliSum:
    """Raises TaskError for a bond length that is not in the table."""
    found, place = _table()[name], _place(name, bond_length)
    terms = zip(found["coefficients"][place], found["words"], strict=True)
    return PauliSum.of(MOLECULES[name].num_qubits, terms)


def _place(name: str, bond_length: float) -> int:
    lengths = bond_lengths(name)
    nearest = min(range(len(lengths)), key=lambda k: abs(lengths[k] - bond_length))
    if abs(lengths[nearest] - bond_length) > 1e-9:
        raise TaskError(
            f"{name}: parameter 'bond_length' is {bond_length:g} Å, the table has {lengths[0]:g} "
            f"to {lengths[-1]:g} in steps of {lengths[1] - lengths[0]:.2g}; the nearest is "
            f"{lengths[nearest]:g}"
        )
    return nearest
