"""Which ansatz and how many layers a candidate problem is solved with: a seeded draw."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.config.dataset import Teacher
from quasar.datasets.solver.published import require_published
from quasar.errors import ConfigError, InputError
from quasar.problems.hamiltonian import IsingHamiltonian

GROUP = "hardware_efficient"  # stands for all of its templates
# The benchmark's names of the kinds of circuit.
OPTIMIZATION_TYPES = {"adaptive": "adaptive_vqe", GROUP: "vqe"}

MAX_LAYERS = 8  # the most that the configuration takes
# Gates times amplitudes of a template that is simulated hundreds of times; about 10 ms.
MAX_AMPLITUDE_UPDATES = 10_000_000


class Form(NamedTuple):
    """The shape that a reference circuit has."""

    ansatz: str
    layers: int

    @property
    def optimization_type(self) -> str:
        """qaoa, ma_qaoa, vqe or adaptive_vqe."""
        family = get_ansatz(self.ansatz).family
        return OPTIMIZATION_TYPES.get(family, family)


def draw_form(
    ansatze: Sequence[str], layers: Sequence[int], num_qubits: int, rng: np.random.Generator
) -> Form:
    """A family, with equal chances, then a template of it, then a depth.

    Raises ConfigError if no family has circuits of that size.
    """
    members = [(name, m) for name in ansatze if (m := _members(name, num_qubits))]
    if not members:
        raise ConfigError(f"dataset.ansatze: none of {list(ansatze)} has {num_qubits} qubits")
    _, templates = members[int(rng.integers(len(members)))]
    name = templates[rng.integers(len(templates))]
    depth = int(layers[int(rng.integers(len(layers)))])
    if name == "adaptive":
        return Form(name, 1)
    return Form(name, min(depth, _affordable_layers(name, num_qubits)))


def require_ansatze(names: Sequence[str], teacher: Teacher = "solver") -> None:
    """Raise ConfigError for a name that is no family, with the nearest one that is, and for a
    family that the teacher does not have.
    """
    for name in names:
        try:
            if name != GROUP:
                family = get_ansatz(name)
                if teacher == "published":
                    require_published(family)
        except InputError as error:
            raise ConfigError(f"dataset.ansatze: {error}") from error


def _affordable_layers(name: str, num_qubits: int) -> int:
    """At least 1. Templates are simulated gate by gate: deep ones on many qubits take minutes."""
    ansatz = get_ansatz(name)
    if ansatz.family != GROUP:
        return MAX_LAYERS
    gates = len(ansatz.circuit(IsingHamiltonian(num_qubits, ())).structure.gates)
    return max(1, MAX_AMPLITUDE_UPDATES // (gates << num_qubits))


def _members(name: str, num_qubits: int) -> list[str]:
    names = [name] if name != GROUP else [n for n in ansatz_names() if get_ansatz(n).family == name]
    return [n for n in names if get_ansatz(n).min_qubits <= num_qubits]
