"""The sector of a ground state: numbers of electrons of each spin, and the states with them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.errors import TaskError
from quasar.simulation.eigensolver import ground_space
from quasar.tasks.ground_state.families import Model
from quasar.tasks.programs import prepared


def read_sector(given: Any, num_qubits: int) -> dict[str, int]:
    """As content has it. Raises TaskError naming the field."""
    where = "ground_state: 'instance.sector'"
    if not isinstance(given, Mapping) or set(given) != {"up", "down"}:
        raise TaskError(f"{where} must be an object with up and down alone")
    if num_qubits % 2:
        raise TaskError(f"{where} needs an even number of qubits: up and down modes")
    for name, value in given.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not 0 <= value <= num_qubits // 2
        ):
            raise TaskError(f"{where}.{name} is {value!r}, expected 0 to {num_qubits // 2}")
    return {"up": given["up"], "down": given["down"]}


def sector_states(model: Model, *, up: int = 0, down: int = 0) -> np.ndarray | None:
    """The basis states with the sector's electrons, and so many more; None without a sector."""
    if model.sector is None:
        return None
    n = model.hamiltonian.num_qubits
    states, half = np.arange(1 << n), (1 << n // 2) - 1
    ups, downs = np.bitwise_count(states & half), np.bitwise_count(states & ~half)
    return (ups == model.sector.up + up) & (downs == model.sector.down + down)


def lowest_of_wrong_sector(model: Model) -> Circuit | None:
    """The lowest state with one electron more or fewer, exactly."""
    if model.sector is None or model.hamiltonian.num_qubits > 8:
        return None
    found = []
    for change in (1, -1):
        inside = sector_states(model, up=change)
        if inside is not None and inside.any():
            found.append(ground_space(model.hamiltonian, inside.nonzero()[0]))
    lowest = min(found, key=lambda space: space.energy)
    return prepared(np.ascontiguousarray(lowest.basis[:, 0], dtype=np.complex128))
