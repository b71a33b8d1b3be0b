"""An ansatz family, and a circuit whose angles share parameters.

`Ansatz` is the contract of a family: from a Hamiltonian and a number of layers to a
`ParameterisedCircuit`. That is a gate sequence in which each angle is a multiple of one parameter,
so the derivative by a parameter is the sum over its angles (chain rule); angles come from any
simulator that differentiates by each angle on its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit
from quasar.errors import InputError
from quasar.problems.hamiltonian import IsingHamiltonian


@dataclass(frozen=True, eq=False, slots=True)
class ParameterisedCircuit:
    """Gates with angles θ_a = scales[a] · parameters[slots[a]], a in program order.

    structure: the gates, all angles 0; slots: int64 (num_angles,), values in
    [0, num_parameters); scales: float64 (num_angles,). A parameter may be shared by many angles.
    """

    structure: Circuit
    slots: np.ndarray
    scales: np.ndarray
    num_parameters: int

    def angles(self, parameters: Sequence[float] | np.ndarray) -> np.ndarray:
        """All gate angles in radians, float64 (num_angles,), in the order of `Circuit.parameters`.

        parameters: (num_parameters,). Raises InputError where their number is another.
        """
        values = np.asarray(parameters, dtype=np.float64)
        if values.shape != (self.num_parameters,):
            raise InputError(
                f"{values.size} parameters are given, this ansatz has {self.num_parameters}"
            )
        return self.scales * values[self.slots]

    def bind(
        self, parameters: Sequence[float] | np.ndarray, *, decimals: int | None = None
    ) -> Circuit:
        """The circuit at these parameters; rounded to `decimals` it equals its own text.

        decimals=None keeps the angles as they are. Raises InputError as `angles`.
        """
        angles = self.angles(parameters).tolist()
        if decimals is not None:
            angles = [round(angle, decimals) for angle in angles]
        return self.structure.with_parameters(angles)

    def gradient(self, by_angle: np.ndarray) -> np.ndarray:
        """Derivative by each parameter, (num_parameters,), from that by each angle, (num_angles,).

        ∂E/∂p = Σ_{a: slots[a] = p} scales[a] · ∂E/∂θ_a.
        """
        if by_angle.shape != self.slots.shape:
            raise InputError(f"{by_angle.size} derivatives for {self.slots.size} angles")
        return np.bincount(self.slots, self.scales * by_angle, minlength=self.num_parameters)


class Ansatz(ABC):
    """One family of circuits. Immutable.

    Families that do not look at the cost Hamiltonian take it all the same, for its qubits.
    """

    name: str  # what `get_ansatz` takes
    family: str  # the group of names: the name itself, except for the templates
    summary: str  # one phrase for prompts and listings
    min_qubits: int = 1

    @abstractmethod
    def circuit(self, hamiltonian: IsingHamiltonian, *, layers: int = 1) -> ParameterisedCircuit:
        """The family's circuit with free parameters. Raises InputError below `min_qubits` or one
        layer.
        """

    def num_parameters(self, hamiltonian: IsingHamiltonian, *, layers: int = 1) -> int:
        """Number of independent parameters. Raises InputError as `circuit`."""
        return self.circuit(hamiltonian, layers=layers).num_parameters

    def build(
        self,
        hamiltonian: IsingHamiltonian,
        parameters: Sequence[float] | np.ndarray,
        *,
        layers: int = 1,
        decimals: int = PUBLISHED_DECIMALS,
    ) -> Circuit:
        """The circuit at these parameters (radians), angles rounded to `decimals`.

        Its `to_qasm` with the same decimals, four by default, is the published form byte for byte.
        Raises InputError as `circuit`, and for a wrong number of parameters.
        """
        return self.circuit(hamiltonian, layers=layers).bind(parameters, decimals=decimals)

    def _check(self, num_qubits: int, layers: int) -> None:
        if num_qubits < self.min_qubits:
            raise InputError(
                f"ansatz '{self.name}' needs at least {self.min_qubits} qubits, not {num_qubits}"
            )
        if layers < 1:
            raise InputError(f"ansatz '{self.name}' needs at least 1 layer, not {layers}")
