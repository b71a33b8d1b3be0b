"""The noise and hardware view: a generated circuit and the reference, side by side on a device.

Takes circuits and a problem; gives approximation ratios without noise, under the device's noise,
and with mitigation, beside what the compiled circuit costs. `summarise` puts problems together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.config import DeviceName, NoiseConfig
from quasar.errors import SimulationError
from quasar.evaluation.metrics import bootstrap_intervals
from quasar.problems.base import ProblemInstance

# Column -> what it is; the means of all are in `summary.json`.
COLUMNS = {
    "approximation_ratio": "approximation ratio without noise",
    "noisy": "under the device's noise",
    "readout_mitigated": "readout errors inverted",
    "zero_noise": "and extrapolated to zero noise",
    "kept": "noisy over noiseless",
    "kept_mitigated": "the same after both mitigations",
    "two_qubit_gates": "two-qubit gates, compiled",
    "depth": "depth, compiled",
    "duration_us": "scheduled duration with measurement, µs",
}
SIDES = ("generated", "reference")
MAX_QUBITS = 10  # that a compiled circuit may use: those of a density matrix in `NoisySimulator`
_RUNS = 1 + 3 + 5  # gates of the noise scales
# Elements of the density matrix times gates, all noise scales: some ten seconds on one core.
MAX_UPDATES = 1.5e9


class HardwareView:
    """Runs circuits on one noisy device; compilation and sampling have fixed seeds."""

    def __init__(self, device: DeviceName):
        """Raises ConfigError for "none" and for a device whose package is not installed."""
        from quasar.simulation.aer.noise import NoisySimulator

        noise = NoiseConfig(model=device, readout_mitigation=True, zero_noise="linear")
        self._simulator = NoisySimulator(noise)

    def measure(
        self, circuit: Circuit, probabilities: np.ndarray, problem: ProblemInstance
    ) -> dict[str, float | None] | None:
        """The columns of one circuit; None where it does not fit the device, uses more of its
        qubits than a density matrix can hold (so nothing here is sampled), or has too many gates.

        probabilities: of the circuit without noise, (2**n,).
        """
        try:
            compiled = self._simulator.compile(circuit)
            used = len(compiled.physical)
            updates = _RUNS * len(compiled.circuit.data) * 4.0**used
            if used > MAX_QUBITS or updates > MAX_UPDATES:
                return None
            found = self._simulator.estimate(circuit, problem.hamiltonian)
        except SimulationError:
            return None
        assert found.zero_noise is not None
        assert found.readout_mitigated is not None
        spectrum = problem.spectrum
        exact = spectrum.approximation_ratio(float(probabilities @ spectrum.energies))

        def ratio(energy: float) -> float:
            """Mitigation may leave the spectrum; a ratio does not."""
            return spectrum.approximation_ratio(
                min(max(energy, spectrum.minimum), spectrum.maximum)
            )

        noisy = ratio(found.raw.value)
        zero_noise = ratio(found.zero_noise.value)
        return {
            "approximation_ratio": exact,
            "noisy": noisy,
            "readout_mitigated": ratio(found.readout_mitigated.value),
            "zero_noise": zero_noise,
            "kept": noisy / exact if exact > 0 else None,
            "kept_mitigated": zero_noise / exact if exact > 0 else None,
            "two_qubit_gates": found.num_two_qubit_gates,
            "depth": found.depth,
            "duration_us": None if found.duration_s is None else 1e6 * found.duration_s,
        }


def summarise(
    device: str, pairs: Sequence[Mapping[str, Mapping[str, Any] | None]], *, seed: int = 0
) -> dict[str, Any]:
    """Means over the problems where both circuits ran, with 95 % bootstrap intervals.

    pairs: one mapping a problem, of `SIDES` to the columns or None.
    """
    whole = [{side: columns for side in SIDES if (columns := pair.get(side))} for pair in pairs]
    whole = [pair for pair in whole if len(pair) == len(SIDES)]
    found: dict[str, Any] = {
        "device": device,
        "num_problems": len(whole),
        "num_left_out": len(pairs) - len(whole),
    }
    for side in SIDES if whole else ():
        values = np.array(
            [[_number(pair[side][name]) for name in COLUMNS] for pair in whole], dtype=float
        )
        low, high = bootstrap_intervals(values, seed=seed)
        defined = ~np.asarray(np.isnan(values).all(axis=0))
        found[side] = {
            name: {"value": float(np.nanmean(values[:, i])), "interval_95": [low[i], high[i]]}
            for i, name in enumerate(COLUMNS)
            if defined[i]
        }
    return found


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
