"""The parameters of a given program that may move, and the program at other values of them.

Takes a circuit as it was read; gives `FreeParameters`: QAOA's γ and β, the independent parameters
of a template or an adaptive circuit, otherwise each angle. The program stays of its family, in the
style it was written in, with two to four decimals, as its own numbers have.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quasar.circuits.ansatz.alternating import read_layers
from quasar.circuits.ansatz.base import ParameterisedCircuit
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import Recognised
from quasar.circuits.canonical import (
    as_printed,
    energy_scale,
    gate_program,
    normalised_terms,
    qaoa_program,
)
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit
from quasar.circuits.convert import style_of
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector import alternating
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient
from quasar.verification.facts import ProblemFacts

_FEWEST_DECIMALS = 2
_DECIMALS = re.compile(r"(?<![\w.])[0-9]++\.([0-9]++)")


@dataclass(frozen=True, slots=True)
class ProgramStyle:
    """How the given program is written."""

    canonical: bool
    decimals: int

    @classmethod
    def of(cls, program: str) -> "ProgramStyle":
        """From its text."""
        decimals = max((len(digits) for digits in _DECIMALS.findall(program)), default=0)
        return cls(
            canonical=style_of(program) == "canonical",
            decimals=min(PUBLISHED_DECIMALS, max(_FEWEST_DECIMALS, decimals)),
        )


class FreeParameters(Protocol):
    """Parameters of one circuit for one problem, scaled so that a radian is a usual step.

    start: float64 (num_parameters,), those of the given program.
    """

    start: np.ndarray

    @property
    def updates(self) -> float:
        """Amplitude updates of one gradient evaluation, in the units of `stages.costly`."""
        ...

    @property
    def num_bytes(self) -> float:
        """Memory of one gradient evaluation beyond a few state vectors."""
        ...

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The energy scaled to [0, 1], and its derivative by each parameter."""
        ...

    def program(self, parameters: np.ndarray) -> str:
        """OpenQASM 3 at these parameters, rounded as they are printed."""
        ...

    def named(self, parameters: np.ndarray) -> Mapping[str, float]:
        """The printed values by name, as `OptimisedProgram` has them."""
        ...


def free_parameters(
    circuit: Circuit, recognised: Recognised | None, facts: ProblemFacts, style: ProgramStyle
) -> FreeParameters:
    """What may move in a circuit of an enumerated problem. recognised: its family, if it has one,
    for the problem's Hamiltonian.
    """
    if recognised is not None and recognised.family == "qaoa":
        return QaoaParameters(circuit, recognised, facts, style)
    return AngleParameters(circuit, recognised, facts, style)


class QaoaParameters:
    """(γ_1…γ_p in radians per standard deviation of the energies, β_1…β_p in radians)."""

    def __init__(
        self, circuit: Circuit, recognised: Recognised, facts: ProblemFacts, style: ProgramStyle
    ):
        hamiltonian = facts.problem.hamiltonian
        self._hamiltonian, self._style = hamiltonian, style
        self._layers = recognised.layers
        self._scale = energy_scale(hamiltonian) or 1.0
        # As recognition tells them: mixers of rx belong to the canonical style.
        self._canonical = circuit.gates[-1].name == "rx"
        energies = facts.spectrum.energies
        if self._canonical:
            energies = facts.keep("printed energies", lambda: as_printed(hamiltonian).energies)
        self._phases = energies / self._scale
        self._energies = facts.scaled_energies
        self.start = np.array(recognised.parameters, dtype=np.float64)
        self.start[: self._layers] *= self._scale

    @property
    def updates(self) -> float:
        # Forward, and back with two vectors; the phases of a layer cost about three rotations.
        return 3.0 * self._layers * (self._hamiltonian.num_qubits + 3) * self._energies.size

    @property
    def num_bytes(self) -> float:
        return 56.0 * self._layers * self._energies.size  # phases with their temporaries, slopes

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        gammas, betas = np.split(parameters, 2)
        mixers = np.repeat(betas[:, None], self._hamiltonian.num_qubits, axis=1)
        value, slopes, by_beta = alternating.value_and_gradient(
            np.exp(-1j * np.outer(gammas, self._phases)), mixers, self._energies
        )
        return value, np.concatenate((slopes @ self._phases, by_beta.sum(axis=1)))

    def program(self, parameters: np.ndarray) -> str:
        gammas, betas = np.split(parameters, 2)
        decimals = self._style.decimals
        if self._canonical:
            terms = normalised_terms(self._hamiltonian)
            n = self._hamiltonian.num_qubits
            return qaoa_program(n, terms, gammas.tolist(), betas.tolist(), decimals=decimals)
        return qaoa_circuit(
            self._hamiltonian,
            (gammas / self._scale).tolist(),
            betas.tolist(),
            decimals=decimals,
            canonical=True,
        ).to_qasm(decimals=decimals)

    def named(self, parameters: np.ndarray) -> Mapping[str, float]:
        gammas, betas = np.split(parameters, 2)
        if not self._canonical:
            gammas = gammas / self._scale
        named = {}
        for layer, (gamma, beta) in enumerate(zip(gammas, betas, strict=True), start=1):
            named[f"g{layer}"] = round(float(gamma), self._style.decimals)
            named[f"b{layer}"] = round(float(beta), self._style.decimals)
        return named


class AngleParameters:
    """Angles of the circuit's own gates, radians; those that a template ties are one parameter."""

    def __init__(
        self,
        circuit: Circuit,
        recognised: Recognised | None,
        facts: ProblemFacts,
        style: ProgramStyle,
    ):
        self._tied = _tied(circuit, recognised, facts.problem.hamiltonian)
        self._energies, self._style = facts.scaled_energies, style
        self._encoded = encode(circuit)
        self.start = np.zeros(self._tied.num_parameters)
        for slot, scale, angle in zip(
            self._tied.slots, self._tied.scales, circuit.parameters, strict=True
        ):
            if scale != 0.0:
                self.start[slot] = angle / scale

    @property
    def updates(self) -> float:
        return 3.0 * len(self._encoded.rows) * self._energies.size

    @property
    def num_bytes(self) -> float:
        return 0.0

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, by_angle = energy_and_gradient(
            self._encoded, self._energies, self._tied.angles(parameters)
        )
        return value, self._tied.gradient(by_angle)

    def program(self, parameters: np.ndarray) -> str:
        decimals = self._style.decimals
        circuit = self._tied.bind(parameters, decimals=decimals)
        if self._style.canonical:
            return gate_program(circuit, decimals=decimals)
        return circuit.to_qasm(decimals=decimals)

    def named(self, parameters: np.ndarray) -> Mapping[str, float]:
        decimals = self._style.decimals
        return {f"a{i}": round(float(value), decimals) for i, value in enumerate(parameters)}


def _tied(
    circuit: Circuit, recognised: Recognised | None, hamiltonian: IsingHamiltonian
) -> ParameterisedCircuit:
    """The circuit's own gates; a template's ties, or each angle by itself."""
    if recognised is not None and recognised.family != "ma_qaoa":
        form = recognised.ansatz.circuit(hamiltonian, layers=recognised.layers)
        return ParameterisedCircuit(circuit, form.slots, form.scales, form.num_parameters)
    moves = np.ones(len(circuit.parameters), dtype=bool)
    if recognised is not None:
        moves[_idle_angles(circuit, hamiltonian)] = False
    slots = np.where(moves, np.cumsum(moves) - 1, 0)
    return ParameterisedCircuit(circuit, slots, moves.astype(np.float64), int(moves.sum()))


def _idle_angles(circuit: Circuit, hamiltonian: IsingHamiltonian) -> list[int]:
    """Angles, all 0, of terms without a coefficient in multi-angle QAOA: no γ moves them."""
    known = {frozenset(wires) for _, wires in hamiltonian.interactions()}
    number = np.cumsum([len(gate.params) for gate in circuit.gates])
    return [
        int(number[gate]) - 1
        for layer in read_layers(circuit) or ()
        for key, gates in layer.places.items()
        if key not in known
        for gate in gates
    ]
