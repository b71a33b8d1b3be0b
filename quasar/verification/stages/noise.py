"""The expectation value under a device's noise: stage 3 as hardware would give it.

Takes a circuit and the problem's facts; gives `NoiseSignals`, with the mitigation that the
configuration names (`simulation.aer.noise`). A costly stage: it runs for promising candidates.
"""

from quasar.circuits.circuit import Circuit
from quasar.config import NoiseConfig
from quasar.simulation.aer.noise import (
    MAX_DENSITY_QUBITS,
    MAX_TRAJECTORY_QUBITS,
    SCALES,
    get_noisy_simulator,
)
from quasar.verification.facts import ProblemFacts
from quasar.verification.report import NoiseSignals
from quasar.verification.stages.costly import UPDATES_PER_S

# Gates of a device for one of the program, routing included; an estimate.
_COMPILED_PER_GATE = 4.0


class NoisyExpectation:
    """Runs the stage. Deterministic: compilation and trajectories have fixed seeds."""

    def __init__(self, noise: NoiseConfig, *, time_limit_s: float, device: str = "CPU"):
        """Raises ConfigError for a noise model whose package is not installed."""
        self._simulator = get_noisy_simulator(noise, device=device)
        self._noise = noise
        self._max_updates = 0.5 * time_limit_s * UPDATES_PER_S

    def reason_to_skip(self, circuit: Circuit) -> str | None:
        """Why the stage cannot say anything about this circuit; None where it can."""
        if circuit.num_qubits > MAX_TRAJECTORY_QUBITS:
            return f"noise is simulated up to {MAX_TRAJECTORY_QUBITS} qubits"
        if self.updates(circuit) > self._max_updates:
            return "the circuit is too large for half of the time limit"
        return None

    def updates(self, circuit: Circuit) -> float:
        """Amplitude updates by estimate: of a density matrix, or of one state a trajectory."""
        n = circuit.num_qubits
        runs = 1 if self._noise.zero_noise == "none" else sum(SCALES)
        size = 4.0**n if n <= MAX_DENSITY_QUBITS else self._noise.shots * 2.0**n
        return runs * _COMPILED_PER_GATE * len(circuit.gates) * size

    def measure(self, circuit: Circuit, facts: ProblemFacts) -> NoiseSignals:
        """The stage's signals; the energy is the most mitigated one, within the spectrum.

        Raises SimulationError where the compiled circuit does not fit the device or the simulator.
        """
        estimate = self._simulator.estimate(circuit, facts.problem.hamiltonian).best
        extremes = facts.extremes
        energy = min(max(estimate.value, extremes.minimum), extremes.maximum)
        return NoiseSignals(
            model=self._noise.model,
            energy=energy,
            approximation_ratio=extremes.approximation_ratio(energy),
            uniform_approximation_ratio=extremes.approximation_ratio(extremes.mean),
            standard_error=estimate.standard_error,
        )
