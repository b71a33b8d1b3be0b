"""What a circuit reaches on its problem, exactly (no shots), and the record of a solved problem."""

from dataclasses import dataclass

from quasar.circuits.ansatz import Ansatz
from quasar.circuits.circuit import Circuit
from quasar.problems.base import ProblemInstance
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities


@dataclass(frozen=True, slots=True)
class Quality:
    """Of an emitted circuit, with its printed angles."""

    energy: float  # ⟨H⟩
    approximation_ratio: float  # (E_max − E)/(E_max − E_min), [0, 1]
    uniform_approximation_ratio: float  # the same under uniform sampling
    optimum_probability: float  # of any ground state, [0, 1]


@dataclass(frozen=True, slots=True)
class Solution:
    """A circuit of the family that was asked for, and what it reaches."""

    ansatz: Ansatz
    layers: int
    parameters: tuple[float, ...]  # independent ones, radians, in the order of the family
    circuit: Circuit  # as emitted: rounded angles
    quality: Quality
    evaluations: int  # gradient evaluations spent

    def named_parameters(self) -> dict[str, list[float]]:
        """{"gammas", "betas"} of QAOA, one a layer; {"values"} of any other family."""
        values = list(self.parameters)
        if self.ansatz.name != "qaoa":
            return {"values": values}
        return {"gammas": values[: self.layers], "betas": values[self.layers :]}


def measure(problem: ProblemInstance, circuit: Circuit) -> Quality:
    """The quality of exactly this circuit."""
    spectrum = problem.spectrum
    chances = probabilities(encode(circuit))
    energy = float(chances @ spectrum.energies)
    return Quality(
        energy=energy,
        approximation_ratio=spectrum.approximation_ratio(energy),
        uniform_approximation_ratio=spectrum.approximation_ratio(spectrum.mean),
        optimum_probability=float(chances[spectrum.optimal].sum()),
    )
